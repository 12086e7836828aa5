"""Closed one-minute candles from Binance spot, or from what speaks like it.

Owns which candles are asked for (only those newer than what is known), several assets side by
side within a bound, and the check that an answer is candles at all. One asset's failure is that
asset's failure. What the candles mean is a strategy's matter.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from foresight.closes import CLOSES_KEPT
from foresight.errors import AnswerUnreadable, VenueError
from foresight.market import Candles, Detail
from foresight.venues.ccxt_calls import (
    OPEN_TIMEOUT_S,
    Requests,
    list_of,
    mapping_of,
    spot_client,
)
from foresight.venues.request_budget import Budget

MINUTE_MS: Final = 60_000


class Candle(NamedTuple):
    """One of them: the minute since 1970 UTC at which it opens, its close, and the rest."""

    minute: int
    close: float
    rest: Detail

    @property
    def end_ms(self) -> int:
        """The first instant after it, milliseconds UTC of the market."""
        return (self.minute + 1) * MINUTE_MS


class BinanceCandles:
    """A candle feed."""

    def __init__(
        self,
        options: dict[str, Any],
        *,
        quote: str,
        requests: Requests,
        connect: Callable[[dict[str, Any]], Any] = spot_client,
    ) -> None:
        """Keep how to construct the client.

        Args:
            options: Settings of the ccxt client.
            quote: Quote currency of the pairs.
            requests: The bounds of its requests.
            connect: Constructs the client from its settings.
        """
        self._options = options
        self._connect = connect
        self._quote = quote
        self._requests = requests
        self._client: Any = None

    @property
    def budget(self) -> Budget:
        """What the exchange may still be asked."""
        return self._requests.budget

    @property
    def client(self) -> Any:  # noqa: ANN401 - ccxt carries no types
        """The client once it is open; None before."""
        return self._client

    async def open(self) -> None:
        """Load the client and make the first, slow connection.

        Raises:
            VenueError: The exchange does not answer.
        """
        if self._client is None:
            self._client = self._connect(self._options)
            self._requests.listen(self._client)
        await self._requests.read(self._client.publicGetTime, timeout_s=OPEN_TIMEOUT_S)

    async def time_ms(self) -> int:
        """Return the feed's clock, milliseconds UTC.

        Raises:
            VenueError: It does not say.
        """
        answer = await self._requests.read(self._client.publicGetTime)
        said = mapping_of(answer, "time").get("serverTime")
        try:
            return int(str(said))
        except ValueError as error:
            what = f"time: {str(said)[:40]!r} is no number"
            raise AnswerUnreadable(what) from error

    async def fetch(self, newest: Mapping[str, int], *, end_minute: int) -> dict[str, Candles]:
        """Return new closed candles by asset.

        Args:
            newest: By asset, the newest minute that is known, or -1.
            end_minute: The first minute that is not closed yet.
        """
        assets = list(newest)
        answers = await asyncio.gather(
            *(self.one(asset, newest[asset], end_minute) for asset in assets)
        )
        return dict(zip(assets, answers, strict=True))

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def one(self, asset: str, newest: int, end_minute: int) -> Candles:
        """Return the closed candles of one asset that are newer than a minute.

        Args:
            asset: Which.
            newest: The newest minute that is known, or -1.
            end_minute: The first minute that is not closed yet, or that is not wanted.
        """
        first = max(newest + 1, end_minute - CLOSES_KEPT)
        if first >= end_minute:
            return Candles()
        # Not fetch_ohlcv: a body that is no JSON comes out of it as "no candles", like a gap.
        pair = f"{asset}{self._quote}"
        query = {
            "symbol": pair,
            "interval": "1m",
            "startTime": first * MINUTE_MS,
            "limit": end_minute - first,
        }
        try:
            rows = await self._requests.read(lambda: self._client.publicGetKlines(query))
            return read_candles(rows, first=first, end_minute=end_minute)
        except VenueError as error:
            return Candles(failure=f"{pair}: {type(error).__name__}: {error}"[:200])


def read_candles(rows: object, *, first: int, end_minute: int) -> Candles:
    """Return the candles of an answer, those of [first, end_minute) only.

    One bad candle costs that candle; it is asked for again where it was the newest.

    Raises:
        AnswerUnreadable: It is no list, or nothing in it is a candle.
    """
    found: list[Candle] = []
    bad = ""
    for row in list_of(rows, "candles"):
        read = read_candle(row)
        if read is None:
            bad = str(row)[:80]
        elif first <= read.minute < end_minute and (not found or read.minute > found[-1].minute):
            found.append(read)
    if bad and not found:
        what = f"{bad!r} is no candle"
        raise AnswerUnreadable(what)
    return candles_of(found)


def candles_of(found: Sequence[Candle]) -> Candles:
    """Return candles as inputs hold them; their minutes rise."""
    return Candles(
        minutes=tuple(each.minute for each in found),
        prices=tuple(each.close for each in found),
        details=tuple(each.rest for each in found),
    )


def candles_in(candles: Candles) -> Iterator[Candle]:
    """Yield what `candles_of` was given."""
    whole = zip(candles.minutes, candles.prices, candles.details, strict=True)
    return (Candle(*each) for each in whole)


def read_candle(row: object) -> Candle | None:
    """Return what a row says: milliseconds UTC, open, high, low, close, volume; None if it is none.

    Numbers may be written as text.
    """
    try:
        opened = row[0]  # type: ignore[index] # checked by trying
        first, high, low, close, volume = (float(each) for each in row[1:6])  # type: ignore[index]
    except (TypeError, ValueError, LookupError):
        opened, first, high, low, close, volume = None, 0.0, 0.0, 0.0, 0.0, 0.0
    is_finite = all(isfinite(each) for each in (first, high, low, close, volume))
    is_candle = is_finite and 0 < low <= min(first, close) <= max(first, close) <= high
    is_minute = isinstance(opened, int) and opened % MINUTE_MS == 0
    if is_minute and is_candle and volume >= 0:
        rest = Detail(open=first, high=high, low=low, volume=volume)
        return Candle(opened // MINUTE_MS, close, rest)
    return None
