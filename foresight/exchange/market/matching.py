"""What an order gets from a book.

Owns the walk through price levels and what becomes of the rest. Must never enter: balances, the
synthetic book's making, identifiers, time.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.pricing import Level


class TimeInForce(Enum):
    """How long an order may wait; the values are the wire's words."""

    GTC = "GTC"
    """Rests until filled, canceled or the window ends."""
    GTD = "GTD"
    """Rests until its expiration."""
    FOK = "FOK"
    """All at once or nothing."""
    FAK = "FAK"
    """What is there now; the rest is canceled."""

    @property
    def rests(self) -> bool:
        """Whether what is not filled at once stays in the book."""
        return self in {TimeInForce.GTC, TimeInForce.GTD}


class Taken(NamedTuple):
    """What an order gets at one price: micro-USDC a share, micro-shares, micro-USDC."""

    price_micro: int
    size_micro: int
    cash_micro: int


def take(
    levels: Iterable[Level], *, is_buy: bool, limit_micro: int, size_micro: int
) -> tuple[Taken, ...]:
    """Return what an order for shares takes, best price first, at the book's prices.

    Args:
        levels: The opposite side of the book, best first.
        is_buy: True walks up the asks, False down the bids.
        limit_micro: Worst price accepted, micro-USDC.
        size_micro: Shares wanted x 10**6, > 0.

    Returns:
        What is taken of each level; empty if nothing crosses.
    """
    taken: list[Taken] = []
    left = size_micro
    for level in _within(levels, is_buy=is_buy, limit_micro=limit_micro):
        if left == 0:
            break
        size = min(left, level.size_micro)
        taken.append(Taken(level.price_micro, size, cost_of(size, level.price_micro)))
        left -= size
    return tuple(taken)


def spend(levels: Iterable[Level], *, limit_micro: int, budget_micro: int) -> tuple[Taken, ...]:
    """Return what a buy for an amount of USDC takes, best price first, at the book's prices.

    Args:
        levels: The asks, best first.
        limit_micro: Worst price accepted, micro-USDC.
        budget_micro: What is spent if the book has enough, > 0: exactly this, so at a better
            price more shares are bought than at the limit.

    Returns:
        What is taken of each level; empty if nothing crosses.
    """
    taken: list[Taken] = []
    left = budget_micro
    for level in _within(levels, is_buy=True, limit_micro=limit_micro):
        size = min(left * MICRO // level.price_micro, level.size_micro)
        if size == 0:
            break
        is_last = size < level.size_micro
        cost = left if is_last else min(left, cost_of(size, level.price_micro))
        taken.append(Taken(level.price_micro, size, cost))
        left -= cost
    return tuple(taken)


def cost_of(size_micro: int, price_micro: int) -> int:
    """Return what shares cost without fee, in micro-USDC, rounded up by less than one."""
    return -(-size_micro * price_micro // MICRO)


def _within(levels: Iterable[Level], *, is_buy: bool, limit_micro: int) -> Iterator[Level]:
    for level in levels:
        if level.price_micro > limit_micro if is_buy else level.price_micro < limit_micro:
            return
        yield level
