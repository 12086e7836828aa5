"""What the book around a share's worth looks like.

Owns the spread and the depth. Prices are micro-USDC on the market's tick, sizes micro-shares.

Must never enter: the worth itself (see `calibration`), candles, clocks, orders, who is asking.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Final, NamedTuple

from foresight.exchange.chance import uniform
from foresight.exchange.market.amounts import MICRO

HALF_SPREAD_MICRO: Final = 5_000
"""Quotes keep at least this distance from the fair price: half a cent."""

STEP_MICRO: Final = 10_000
"""From one level of a book to the next: a cent, whatever the tick."""

DEPTH_LEVELS: Final = 6


class Level(NamedTuple):
    """One price of a book.

    Attributes:
        price_micro: Price of a share in micro-USDC, above 0 and below 1 USDC.
        size_micro: Shares on offer x 10**6, > 0.
    """

    price_micro: int
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
            bids=tuple(Level(MICRO - level.price_micro, level.size_micro) for level in self.asks),
            asks=tuple(Level(MICRO - level.price_micro, level.size_micro) for level in self.bids),
        )


def quote(probability: float, *depth_key: object, tick_micro: int) -> Book:
    """Return the book of the Up token around a fair probability.

    Args:
        probability: Fair probability of Up, inside (0, 1).
        tick_micro: Smallest price step: every price is a multiple of it.
        *depth_key: What the sizes depend on (window and slot of time).
    """
    fair = MICRO / tick_micro * probability
    half = HALF_SPREAD_MICRO / tick_micro
    best_ask = max(1, ceil(fair + half)) * tick_micro
    best_bid = min(MICRO // tick_micro - 1, floor(fair - half)) * tick_micro
    reach = DEPTH_LEVELS * STEP_MICRO
    asks = range(best_ask, min(best_ask + reach, MICRO), STEP_MICRO)
    bids = range(best_bid, max(best_bid - reach, 0), -STEP_MICRO)
    return Book(
        bids=tuple(_levels(bids, "bid", depth_key)), asks=tuple(_levels(asks, "ask", depth_key))
    )


def _levels(prices: range, side: str, depth_key: tuple[object, ...]) -> Iterator[Level]:
    for place, price_micro in enumerate(prices):
        shares = (20.0 + 80.0 * uniform("depth", side, place, *depth_key)) * (place + 1)
        yield Level(price_micro, round(shares) * MICRO)
