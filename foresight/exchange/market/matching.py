"""What an order gets from a book.

Owns the walk through price levels and what becomes of the rest. Must never enter: balances, the
synthetic book's making, identifiers, time.
"""

from collections.abc import Iterable
from enum import Enum

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


def take(
    levels: Iterable[Level], *, is_buy: bool, limit_cents: int, size_micro: int
) -> tuple[Level, ...]:
    """Return what an order takes, best price first, at the book's prices.

    Args:
        levels: The opposite side of the book, best first.
        is_buy: True walks up the asks, False down the bids.
        limit_cents: Worst price accepted, 1 to 99.
        size_micro: Shares wanted x 10**6, > 0.

    Returns:
        Levels with the sizes taken; empty if nothing crosses.
    """
    taken: list[Level] = []
    left = size_micro
    for level in levels:
        within = level.cents <= limit_cents if is_buy else level.cents >= limit_cents
        if not within or left == 0:
            break
        size = min(left, level.size_micro)
        taken.append(Level(level.cents, size))
        left -= size
    return tuple(taken)


def total_micro(levels: Iterable[Level]) -> int:
    """Return the number of shares in levels, x 10**6."""
    return sum(level.size_micro for level in levels)


def cash_micro(level: Level) -> int:
    """Return what a fill costs without fee, in micro-USDC, rounded up by less than one."""
    return -(-level.size_micro * level.cents // 100)
