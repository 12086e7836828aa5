"""How much trades that end together move together: sums per quarter hour, in constant space.

Owns the sums from which the design effect of the quarter hour is computed. Windows of one quarter
hour are correlated: a hundred trades in twelve quarters say less than a hundred in a hundred. What
is made of it is in `scoring`. No clock, trade or configuration enters.
"""

from typing import Final

import msgspec

QUARTER_S: Final = 900
OPEN_MAX: Final = 4  # results come late and in any order; an older quarter counts as one more


class Quarter(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One quarter hour: its number since 1970, its trades, those won, and their profit.

    The profit is the sum over trades of the profit per share, micro-USDC.
    """

    number: int
    trades: int = 0
    won: int = 0
    profit_micro: int = 0


class Quarters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums over quarter hours.

    With n trades in a quarter, w of them won and a profit of p:

    Attributes:
        count: Quarters that are closed.
        trades_square: Sum of n * n over them.
        won_square: Sum of w * w.
        won_trades: Sum of w * n.
        profit_square: Sum of p * p, in millionths (ppm) of a USDC squared.
        profit_trades: Sum of p * n, micro-USDC.
        open: The newest quarters, which may still grow, oldest first.
    """

    count: int = 0
    trades_square: int = 0
    won_square: int = 0
    won_trades: int = 0
    profit_square: int = 0
    profit_trades: int = 0
    open: tuple[Quarter, ...] = ()


def with_trade(sums: Quarters, *, end_s: int, is_won: bool, profit_micro: int) -> Quarters:
    """Return the sums with one more trade.

    Args:
        sums: So far.
        end_s: When its window ended.
        is_won: Whether it was won.
        profit_micro: Its profit per share.
    """
    number = end_s // QUARTER_S
    known = {one.number: one for one in sums.open}
    before = known.get(number, Quarter(number=number))
    known[number] = Quarter(
        number=number,
        trades=before.trades + 1,
        won=before.won + is_won,
        profit_micro=before.profit_micro + profit_micro,
    )
    waiting = tuple(known[each] for each in sorted(known))
    kept = msgspec.structs.replace(sums, open=waiting[-OPEN_MAX:])
    return _closed(kept, waiting[:-OPEN_MAX])


def all_closed(sums: Quarters) -> Quarters:
    """Return the sums with the open quarters counted as they are: for reading, not for keeping."""
    return _closed(msgspec.structs.replace(sums, open=()), sums.open)


def joined(one: Quarters, other: Quarters) -> Quarters:
    """Return the sums over both, all quarters closed: a quarter in both counts as two."""
    left, right = all_closed(one), all_closed(other)
    names = [name for name in Quarters.__struct_fields__ if name != "open"]
    return Quarters(**{name: getattr(left, name) + getattr(right, name) for name in names})


def _closed(sums: Quarters, quarters: tuple[Quarter, ...]) -> Quarters:
    for one in quarters:
        sums = msgspec.structs.replace(
            sums,
            count=sums.count + 1,
            trades_square=sums.trades_square + one.trades**2,
            won_square=sums.won_square + one.won**2,
            won_trades=sums.won_trades + one.won * one.trades,
            profit_square=sums.profit_square + one.profit_micro**2 // 1_000_000,
            profit_trades=sums.profit_trades + one.profit_micro * one.trades,
        )
    return sums
