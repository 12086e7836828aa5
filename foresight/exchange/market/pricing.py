"""What the book around a share's worth looks like.

Owns the spread and the depth. Prices are micro-USDC on the market's tick, sizes micro-shares.

Must never enter: the worth itself (see `calibration`), candles, clocks, orders, who is asking.
"""

from collections.abc import Iterable, Iterator
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

_REACH_MICRO: Final = DEPTH_LEVELS * STEP_MICRO


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
        return Book(bids=mirrored(self.asks), asks=mirrored(self.bids))


def quote(probability: float, *depth_key: object, tick_micro: int) -> Book:
    """Return the book of the Up token around a fair probability.

    Args:
        probability: Fair probability of Up, inside (0, 1).
        tick_micro: Smallest price step: every price is a multiple of it.
        *depth_key: What the sizes depend on (window and slot of time).
    """
    return Book(
        bids=buyers(probability, *depth_key, tick_micro=tick_micro),
        asks=sellers(probability, *depth_key, tick_micro=tick_micro),
    )


def sellers(probability: float, *depth_key: object, tick_micro: int) -> tuple[Level, ...]:
    """Return the asks of `quote` alone: most who ask want to buy."""
    fair = MICRO / tick_micro * probability
    best = max(1, ceil(fair + HALF_SPREAD_MICRO / tick_micro)) * tick_micro
    prices = range(best, min(best + _REACH_MICRO, MICRO), STEP_MICRO)
    return tuple(_levels(prices, "ask", depth_key))


def buyers(probability: float, *depth_key: object, tick_micro: int) -> tuple[Level, ...]:
    """Return the bids of `quote` alone."""
    fair = MICRO / tick_micro * probability
    best = min(MICRO // tick_micro - 1, floor(fair - HALF_SPREAD_MICRO / tick_micro)) * tick_micro
    prices = range(best, max(best - _REACH_MICRO, 0), -STEP_MICRO)
    return tuple(_levels(prices, "bid", depth_key))


def mirrored(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Return the same liquidity seen from the opposite token: buying Up is selling Down."""
    return tuple(Level(MICRO - level.price_micro, level.size_micro) for level in levels)


def _levels(prices: range, side: str, depth_key: tuple[object, ...]) -> Iterator[Level]:
    for place, price_micro in enumerate(prices):
        shares = (20.0 + 80.0 * uniform("depth", side, place, *depth_key)) * (place + 1)
        yield Level(price_micro, round(shares) * MICRO)
