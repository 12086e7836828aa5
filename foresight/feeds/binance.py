"""Closed one-minute candles from Binance spot, or from what speaks like it.

Owns which candles are asked for (only those newer than what is known), several assets side by
side within a bound, and the check that an answer is candles at all. One asset's failure is that
asset's failure. What the candles mean is a strategy's matter.
"""

import asyncio
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from foresight.book import CLOSES_KEPT
from foresight.errors import AnswerUnreadable, VenueError
from foresight.market import Candles
from foresight.venues.ccxt_calls import OPEN_TIMEOUT_S, Requests, list_of, spot_client

MINUTE_MS: Final = 60_000


class BinanceCandles:
    """A candle feed."""

    def __init__(self, options: dict[str, Any], *, quote: str, requests: Requests) -> None:
        """Keep how to construct the client.

        Args:
            options: Settings of the ccxt client.
            quote: Quote currency of the pairs.
            requests: The bounds of its requests.
        """
        self._options = options
        self._quote = quote
        self._requests = requests
        self._client: Any = None

    async def open(self) -> None:
        """Load the client and make the first, slow connection.

        Raises:
            VenueError: The exchange does not answer.
        """
        if self._client is None:
            self._client = spot_client(self._options)
        await self._requests.read(self._client.publicGetTime, timeout_s=OPEN_TIMEOUT_S)

    async def fetch(self, newest: Mapping[str, int], *, end_minute: int) -> dict[str, Candles]:
        """Return new closed candles by asset.

        Args:
            newest: By asset, the newest minute that is known, or -1.
            end_minute: The first minute that is not closed yet.
        """
        assets = list(newest)
        answers = await asyncio.gather(
            *(self._one(asset, newest[asset], end_minute) for asset in assets)
        )
        return dict(zip(assets, answers, strict=True))

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _one(self, asset: str, newest: int, end_minute: int) -> Candles:
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
    """Return the closes of an answer, those of [first, end_minute) only.

    Raises:
        AnswerUnreadable: It is not a list of candles in rising order.
    """
    minutes: list[int] = []
    prices: list[float] = []
    for row in list_of(rows, "candles"):
        opened, close = _read_row(row)
        if first <= opened < end_minute and (not minutes or opened > minutes[-1]):
            minutes.append(opened)
            prices.append(close)
    return Candles(minutes=tuple(minutes), prices=tuple(prices))


def _read_row(row: object) -> tuple[int, float]:
    try:
        opened, close = row[0], float(row[4])  # type: ignore[index] # checked by trying
    except (TypeError, ValueError, LookupError):
        opened, close = None, 0.0
    if isinstance(opened, int) and opened % MINUTE_MS == 0 and isfinite(close) and close > 0:
        return opened // MINUTE_MS, close
    what = f"{str(row)[:80]!r} is no candle"
    raise AnswerUnreadable(what)
