"""Closed one-minute candles as a stream tells them, and by asking for those that it did not tell.

Owns how long a stream is waited for, which minutes are asked for instead (those missing since the
newest that is known: after a broken connection, a hole, or silence), and when a stream is stale. A
stream costs nothing that asking alone would not: whatever is wrong with it is said beside the
candles that came in its place.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from msgspec.structs import replace

from foresight.closes import CLOSES_KEPT
from foresight.feeds.binance import BinanceCandles, Candle, candles_in, candles_of
from foresight.feeds.received import Received
from foresight.market import Candles
from foresight.venues.candle_stream import CandleStream
from foresight.venues.ccxt_calls import Requests, watching_client
from foresight.venues.request_budget import Budget

WAIT_SHARE: Final = 0.5  # of an answer's longest wait: an exchange tells a close within two seconds
DETAIL_MAX: Final = 200  # characters of what is wrong with a stream


class StreamedCandles:
    """A candle feed over WebSocket, behind the one that asks."""

    def __init__(
        self,
        options: dict[str, Any],
        *,
        assets: Collection[str],
        quote: str,
        requests: Requests,
        stale_s: float,
        monotonic_ns: Callable[[], int],
    ) -> None:
        """Keep how to construct the client; nothing is opened yet.

        Args:
            options: Settings of the ccxt client.
            assets: Those that are listened for.
            quote: Quote currency of the pairs.
            requests: The bounds of its requests.
            stale_s: A stream that is silent for longer is stale, and is begun again; seconds.
            monotonic_ns: A clock that never steps, nanoseconds.
        """
        self._asked = BinanceCandles(
            options, quote=quote, requests=requests, connect=watching_client
        )
        self._received = Received(assets, monotonic_ns)
        self._stream = CandleStream(
            {f"{asset}/{quote}": asset for asset in assets},
            requests=requests,
            silent_s=stale_s,
            heard=self._received.hear,
            lost=self._received.lose,
        )
        self._stale_s = stale_s
        self._wait_s = WAIT_SHARE * requests.timeout_s

    @property
    def budget(self) -> Budget:
        """What the exchange may still be asked."""
        return self._asked.budget

    async def open(self) -> None:
        """Load the client and its pairs, and begin to listen.

        Raises:
            VenueError: The exchange does not answer.
        """
        await self._asked.open()
        await self._stream.open(self._asked.client)

    async def time_ms(self) -> int:
        """Return the feed's clock, milliseconds UTC.

        Raises:
            VenueError: It does not say.
        """
        return await self._asked.time_ms()

    async def fetch(self, newest: Mapping[str, int], *, end_minute: int) -> dict[str, Candles]:
        """Return new closed candles by asset.

        Args:
            newest: By asset, the newest minute that is known, or -1.
            end_minute: The first minute that is not closed yet.
        """
        due = [asset for asset, known in newest.items() if known + 1 < end_minute]
        await self._received.until(due, end_minute - 1, wait_s=self._wait_s)
        answers = await asyncio.gather(
            *(self._one(asset, known, end_minute) for asset, known in newest.items())
        )
        return dict(zip(newest, answers, strict=True))

    async def close(self) -> None:
        """End the stream and give back the connections."""
        await self._stream.close()
        await self._asked.close()

    async def _one(self, asset: str, newest: int, end_minute: int) -> Candles:
        first = max(newest + 1, end_minute - CLOSES_KEPT)
        told = self._received.finished(asset, first, end_minute)
        missing = [minute for minute in range(first, end_minute) if minute not in told]
        if not missing:
            return replace(candles_of(list(told.values())), stream=self._stale(asset))
        answer = await self._asked.one(asset, missing[0] - 1, missing[-1] + 1)
        if answer.failure:
            # What lies behind a hole waits for it: a minute that is passed over is never asked for.
            told = {minute: candle for minute, candle in told.items() if minute < missing[0]}
        known = _merged(told, answer)
        return replace(
            candles_of(list(known.values())), failure=answer.failure, stream=self._stale(asset)
        )

    def _stale(self, asset: str) -> str:
        silent_s = self._received.silent_s(asset)
        if silent_s <= self._stale_s:
            return ""
        trouble = self._received.trouble(asset)
        because = f": {trouble}" if trouble else ""
        return f"{asset}: its stream is silent for {silent_s:.0f} s{because}"[:DETAIL_MAX]


def _merged(told: Mapping[int, Candle], answer: Candles) -> dict[int, Candle]:
    asked = {candle.minute: candle for candle in candles_in(answer)}
    return dict(sorted({**asked, **told}.items()))
