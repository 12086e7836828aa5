"""One-minute candles: the shape every price source has.

Owns `Candle` and the `CandleSource` protocol. Must never enter: where candles come from (see
`synthetic` and `replay`), what lies inside one (see `minute_path`), windows, quotes.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

KNOT_SECONDS = 5
"""A minute is made of twelve last-trade prices, five seconds apart."""

KNOTS = 60 // KNOT_SECONDS


class Candle(NamedTuple):
    """One minute of trades.

    Attributes:
        minute: Minutes since 1970 UTC (market time) at which it opens.
        open: First price, in quote currency, > 0.
        high: Highest price, >= max(open, close).
        low: Lowest price, <= min(open, close).
        close: Last price.
        volume: Base asset traded, >= 0.
    """

    minute: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class CandleSource(Protocol):
    """Where complete candles come from; every method is a pure function of its arguments."""

    @property
    def assets(self) -> Sequence[str]:
        """Names of the assets, upper case, in board order."""

    @property
    def first_minute(self) -> int:
        """First minute that can have a candle."""

    @property
    def end_minute(self) -> int | None:
        """First minute after the last candle there will ever be; None if there is no end."""

    def candle(self, asset: str, minute: int) -> Candle | None:
        """Return the candle of a minute, or None where nothing traded (a gap) or nothing exists."""

    def tick(self, asset: str) -> float:
        """Return the smallest price step of an asset, > 0."""


def merge(candles: Sequence[Candle]) -> Candle:
    """Return one candle that covers several, in order.

    Args:
        candles: At least one candle, rising minutes.
    """
    return Candle(
        candles[0].minute,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        sum(candle.volume for candle in candles),
    )
