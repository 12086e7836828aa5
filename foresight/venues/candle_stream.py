"""A WebSocket connection that tells candles, held by one task for as long as a worker lives.

Owns that task: connecting, the pause before it connects again, the longest silence that it bears,
and that neither task nor socket outlives `close`. ccxt.pro speaks; what its events mean is up to
whoever hears them, because it drops the word that says whether a candle is finished.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from foresight.errors import VenueError, VenueUnreachable
from foresight.venues.ccxt_calls import OPEN_TIMEOUT_S, Requests, translated

PAUSE_S_MIN: Final = 0.25  # before the first attempt after a connection that worked
PAUSE_S_MAX: Final = 30.0
DIAL_S_MAX: Final = 10
CLOSE_S: Final = 2.0  # for an exchange to answer that a connection ends
_MS: Final = 1000


class Lost(Protocol):
    """Is told that nothing more comes: why, and of which assets where not of all."""

    def __call__(self, reason: str, assets: Collection[str] | None = None) -> None:
        """Take note."""


class CandleStream:
    """A stream of one-minute candles of some pairs."""

    def __init__(
        self,
        pairs: Mapping[str, str],
        *,
        requests: Requests,
        silent_s: float,
        heard: Callable[[str, Mapping[str, Any]], bool],
        lost: Lost,
    ) -> None:
        """Keep what to listen for.

        Args:
            pairs: By pair as ccxt writes it, what its candles are told under.
            requests: The bounds of what is asked beside it.
            silent_s: A connection on which nothing came for so long is begun again, seconds.
            heard: Is given each event and returns whether it is one of a candle.
            lost: Is told when the connection breaks.
        """
        self._pairs = pairs
        self._requests = requests
        self._silent_s = silent_s
        self._heard = heard
        self._lost = lost
        self._client: Any = None
        self._names: dict[str, str] = {}  # by the exchange's name of a pair, as in `pairs`
        self._wanted: list[list[str]] = []
        self._attempts = 0  # since anything was heard
        self._task: asyncio.Task[None] | None = None

    async def open(self, client: Any) -> None:  # noqa: ANN401 - ccxt carries no types
        """Learn the exchange's names and begin to listen; nothing is done the second time.

        Args:
            client: Of ccxt.pro; it stays whoever's it is.

        Raises:
            VenueError: The exchange does not say which pairs it has.
        """
        if self._task is not None:
            return
        await self._requests.read(client.load_markets, timeout_s=OPEN_TIMEOUT_S)
        known = {pair: asset for pair, asset in self._pairs.items() if pair in client.markets}
        self._names = {client.markets[pair]["id"]: asset for pair, asset in known.items()}
        self._wanted = [[pair, "1m"] for pair in known]
        unknown = set(self._pairs.values()) - set(known.values())
        self._lost("the exchange has no such pair", unknown)
        self._client = client
        # What is still connecting when it is given up would be a socket that nobody closes.
        dial_s = max(1, min(DIAL_S_MAX, int(self._silent_s / 2)))
        client.options["ws"] = client.options["ws"] | {"connectionTimeout": dial_s * _MS}
        self._listen(client)
        if self._wanted:
            self._task = asyncio.create_task(self._hold(), name="candle stream")

    async def close(self) -> None:
        """End the task and its connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self._hang_up()

    def _listen(self, client: Any) -> None:  # noqa: ANN401 - as above
        told = client.handle_ohlcv  # looked up anew for each event

        def heard(connection: Any, event: Any) -> None:  # noqa: ANN401 - as above
            kline = event.get("k") if isinstance(event, dict) else None
            name = kline.get("s") if isinstance(kline, dict) else None
            asset = self._names.get(name) if isinstance(name, str) else None
            # What is no candle is kept from ccxt too: an error in there would end its reading.
            if asset is not None and self._heard(asset, event):
                self._attempts = 0
                told(connection, event)

        client.handle_ohlcv = heard

    async def _hold(self) -> None:
        # Without an end but the worker's: what it bounds is how often, and others stand in.
        retrying = AsyncRetrying(wait=self._pause_s, retry=retry_if_exception_type(VenueError))
        await retrying(self._session)

    async def _session(self) -> None:
        try:
            self._requests.budget.require()  # who is told to wait does not connect either
            while True:
                await self._next()
        except VenueError as error:
            self._attempts += 1
            self._lost(f"{type(error).__name__}: {error}", self._names.values())
            await self._hang_up()
            raise

    async def _next(self) -> None:
        try:
            async with asyncio.timeout(self._silent_s):
                with translated(self._requests.cleaned):
                    await self._client.watch_ohlcv_for_symbols(self._wanted)
        except VenueError:
            raise
        except TimeoutError as error:
            what = f"nothing came for {self._silent_s:g} s"
            raise VenueUnreachable(what) from error
        except asyncio.CancelledError:
            # ccxt cancels what waits where a connection ends: that is not the end of this task.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            what = "the connection ended"
            raise VenueUnreachable(what) from None
        except Exception as error:  # noqa: BLE001 - a task that dies is a stream that never returns
            what = self._requests.cleaned(f"{type(error).__name__}: {error}")
            raise VenueUnreachable(what) from None

    async def _hang_up(self) -> None:
        for connection in list(self._client.clients.values()):
            # An error here would end the task; what is not closed in time ends with its session.
            with suppress(OSError, RuntimeError):
                async with asyncio.timeout(CLOSE_S):
                    await connection.close()
        self._client.clients.clear()

    def _pause_s(self, state: RetryCallState) -> float:
        del state  # counts since the worker began, not since anything was heard
        own_s: float = min(PAUSE_S_MAX, PAUSE_S_MIN * 2 ** min(self._attempts - 1, 10))
        return max(own_s, self._asked_pause_s())

    def _asked_pause_s(self) -> float:
        """Return how long a refused connection is to wait, as ccxt read it, seconds.

        It is waited for here and taken away there, where a wait could not be ended by `close`.
        """
        known = getattr(self._client, "ws_dial_backoff", None) or {}
        until_ms = max((each["until"] for each in known.values()), default=0)
        self._client.ws_dial_backoff = {}
        left_s: float = max(0.0, (until_ms - self._client.milliseconds()) / _MS)
        return left_s
