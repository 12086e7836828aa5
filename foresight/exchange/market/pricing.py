"""What the book around a share's worth looks like.

Owns the spread and the depth. Prices are whole cents 1 to 99 (tick 0.01), sizes micro-shares.

Must never enter: the worth itself (see `calibration`), candles, clocks, orders, who is asking.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Final, NamedTuple

from foresight.exchange.chance import uniform

SIZE_MIN_MICRO: Final = 5_000_000
"""Smallest order: five shares."""

HALF_SPREAD_CENTS: Final = 0.5
"""Quotes keep at least this distance from the fair price, so the spread is one to two cents."""

DEPTH_LEVELS: Final = 6


class Level(NamedTuple):
    """One price of a book.

    Attributes:
        cents: Price of a share, 1 to 99.
        size_micro: Shares on offer x 10**6, > 0.
    """

    cents: int
    size_micro: int


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides of one token, best price first.

    Attributes:
        bids: Buyers, falling prices.
        asks: Sellers, rising prices; the best ask is above the best bid.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def mirrored(self) -> "Book":
        """Return the same liquidity seen from the opposite token: buying Up is selling Down."""
        return Book(
            bids=tuple(Level(100 - level.cents, level.size_micro) for level in self.asks),
            asks=tuple(Level(100 - level.cents, level.size_micro) for level in self.bids),
        )


def quote(probability: float, *depth_key: object) -> Book:
    """Return the book of the Up token around a fair probability.

    Args:
        probability: Fair probability of Up, inside (0, 1).
        *depth_key: What the sizes depend on (window and slot of time).
    """
    fair = 100.0 * probability
    best_ask = max(1, ceil(fair + HALF_SPREAD_CENTS))
    best_bid = min(99, floor(fair - HALF_SPREAD_CENTS))
    asks = range(best_ask, min(best_ask + DEPTH_LEVELS, 100))
    bids = range(best_bid, max(best_bid - DEPTH_LEVELS, 0), -1)
    return Book(
        bids=tuple(_levels(bids, "bid", depth_key)), asks=tuple(_levels(asks, "ask", depth_key))
    )


def _levels(prices: range, side: str, depth_key: tuple[object, ...]) -> Iterator[Level]:
    for place, cents in enumerate(prices):
        shares = (20.0 + 80.0 * uniform("depth", side, place, *depth_key)) * (place + 1)
        yield Level(cents, round(shares) * 1_000_000)
