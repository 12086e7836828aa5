"""One-minute candles: the shape every price source has, and what lies inside a minute.

Owns `Candle`, the `CandleSource` protocol and the path of trades within a candle. Must never enter:
where candles come from (see `synthetic` and `replay`), windows, quotes.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import NamedTuple, Protocol

from foresight.exchange.chance import normals

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


def trade_path(candle: Candle, *, tick: float, key: int) -> tuple[float, ...]:
    """Return the last-trade prices inside a candle at 5, 10, .. 60 seconds.

    A Brownian bridge from open to close, scaled by the candle's range (Parkinson 1980), clamped to
    the range and made to touch both extremes, so that a strategy cannot read the close off a
    straight line and the finished minute has exactly this open, high, low and close.

    Args:
        candle: The finished candle.
        tick: Price step to round to, > 0.
        key: What the shape depends on besides the candle.

    Returns:
        `KNOTS` prices; the last one is the close.
    """
    steps = normals(KNOTS, "path", key, candle.minute)
    spread = log(candle.high / candle.low) if candle.high > candle.low else 0.0
    step_sigma = spread / 1.665 / sqrt(KNOTS)  # 1.665 = 2 sqrt(ln 2): range to sigma
    walk: list[float] = []
    level = 0.0
    for step in steps:
        level += step * step_sigma
        walk.append(level)
    drift = log(candle.close / candle.open) - walk[-1]
    path = [
        round(round(candle.open * (1.0 + point + drift * (index + 1) / KNOTS) / tick) * tick, 8)
        for index, point in enumerate(walk)
    ]
    return _touch_extremes(candle, path)


def _touch_extremes(candle: Candle, path: list[float]) -> tuple[float, ...]:
    inside = [min(max(price, candle.low), candle.high) for price in path]
    interior = range(KNOTS - 1)
    top = max(interior, key=inside.__getitem__)
    bottom = min((index for index in interior if index != top), key=inside.__getitem__)
    inside[top] = candle.high
    inside[bottom] = candle.low
    inside[-1] = candle.close
    return tuple(inside)


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
