"""What a stream of candles has said: finished ones, by asset, and when each was last heard.

Owns the proof that a candle is finished (the exchange says so, after its minute by its own clock),
the bound on what is kept, and how long an asset has been silent. A candle that a broken connection
left half told is never finished, whatever the time. Who holds the connection is in
`venues.candle_stream`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final

from foresight.closes import CLOSES_KEPT
from foresight.feeds.binance import Candle, read_candle
from handoff.limits import NS

_FIELDS: Final = ("t", "o", "h", "l", "c", "v")
_NEVER: Final = "nothing has come yet"


class Received:
    """The newest finished candles of each asset that a stream told.

    Nothing here is believed to be whole: minutes are missing wherever the stream was not heard.
    """

    def __init__(self, assets: Collection[str], monotonic_ns: Callable[[], int]) -> None:
        """Begin with nothing heard, silent from now on.

        Args:
            assets: Those that are listened for.
            monotonic_ns: A clock that never steps, nanoseconds.
        """
        self._monotonic_ns = monotonic_ns
        self._finished: dict[str, dict[int, Candle]] = {asset: {} for asset in assets}
        self._heard_ns = dict.fromkeys(assets, monotonic_ns())
        self._at = dict.fromkeys(assets, -1)  # the minute of the newest candle, running or not
        self._live: set[str] = set()
        self._trouble = dict.fromkeys(assets, _NEVER)
        self._news = asyncio.Event()

    def hear(self, asset: str, event: Mapping[str, Any]) -> bool:
        """Take an event of a candle; return whether it was one.

        Args:
            asset: Whose.
            event: As the exchange sends it: `E`, its clock in milliseconds, and `k`, the candle.
        """
        told, now_ms = event.get("k"), event.get("E")
        if not isinstance(told, dict) or not isinstance(now_ms, int):
            return False
        candle = read_candle([told.get(name) for name in _FIELDS])
        if candle is None:
            return False
        self._heard_ns[asset] = self._monotonic_ns()
        self._live.add(asset)
        self._trouble[asset] = ""
        self._at[asset] = max(self._at[asset], candle.minute)
        if told.get("x") is True and now_ms >= candle.end_ms:
            self._keep(asset, candle)
        self._news.set()
        return True

    def lose(self, reason: str, assets: Collection[str] | None = None) -> None:
        """Note that nothing more comes until the next event.

        Args:
            reason: Why.
            assets: Of these; of all by default.
        """
        for asset in self._finished if assets is None else assets:
            self._live.discard(asset)
            self._trouble[asset] = reason
        self._news.set()

    def finished(self, asset: str, first: int, end_minute: int) -> dict[int, Candle]:
        """Return the finished candles of [first, end_minute) that were told, by minute, rising."""
        known = self._finished[asset]
        return {minute: known[minute] for minute in range(first, end_minute) if minute in known}

    def silent_s(self, asset: str) -> float:
        """Return how long nothing was heard of an asset, seconds."""
        return (self._monotonic_ns() - self._heard_ns[asset]) / NS

    def trouble(self, asset: str) -> str:
        """Return what is known to be wrong with an asset's stream, or an empty string."""
        return self._trouble[asset]

    async def until(self, assets: Collection[str], minute: int, *, wait_s: float) -> None:
        """Return once a minute's candle is finished for all that can still tell it, or time is up.

        Args:
            assets: Of these.
            minute: Which.
            wait_s: Longest wait, seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while any(self._may_tell(asset, minute) for asset in assets):
                    self._news.clear()
                    await self._news.wait()

    def _may_tell(self, asset: str, minute: int) -> bool:
        # Candles come in order: after one of a later minute this one comes no more.
        is_open = minute not in self._finished[asset] and self._at[asset] <= minute
        return asset in self._live and is_open

    def _keep(self, asset: str, candle: Candle) -> None:
        known = self._finished[asset]
        known[candle.minute] = candle
        while len(known) > CLOSES_KEPT:
            del known[min(known)]
