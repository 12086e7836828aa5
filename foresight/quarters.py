"""How much trades that end together move together: sums per quarter hour, in constant space.

Owns the sums and the design effect that is computed from them. Windows of one quarter hour are
correlated: a hundred trades in twelve quarters say less than a hundred in a hundred. What is made
of it is in `scoring`. No clock, trade or configuration enters.
"""

from typing import Final

import msgspec

QUARTER_S: Final = 900
OPEN_MAX: Final = 4  # results come late and in any order; an older quarter counts as one more
EFFECT_MIN: Final = 2.0  # a dozen quarters may look independent by chance, and hardly ever are


class Quarter(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One quarter hour: its number since 1970, its trades, and those won."""

    number: int
    trades: int = 0
    won: int = 0


class Quarters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums over quarter hours.

    With n trades in a quarter and w of them won:

    Attributes:
        count: Quarters that are closed.
        trades: Sum of n over them.
        won: Sum of w.
        trades_square: Sum of n * n.
        won_square: Sum of w * w.
        won_trades: Sum of w * n.
        open: The newest quarters, which may still grow, oldest first.
    """

    count: int = 0
    trades: int = 0
    won: int = 0
    trades_square: int = 0
    won_square: int = 0
    won_trades: int = 0
    open: tuple[Quarter, ...] = ()


def with_trade(sums: Quarters, *, end_s: int, is_won: bool) -> Quarters:
    """Return the sums with one more trade.

    Args:
        sums: So far.
        end_s: When its window ended.
        is_won: Whether it was won.
    """
    number = end_s // QUARTER_S
    known = {one.number: one for one in sums.open}
    before = known.get(number, Quarter(number=number))
    known[number] = Quarter(number=number, trades=before.trades + 1, won=before.won + is_won)
    waiting = tuple(known[each] for each in sorted(known))
    kept = msgspec.structs.replace(sums, open=waiting[-OPEN_MAX:])
    return _closed(kept, waiting[:-OPEN_MAX])


def joined(one: Quarters, other: Quarters) -> Quarters:
    """Return the sums over both, all quarters closed: a quarter in both counts as two."""
    left, right = _all_closed(one), _all_closed(other)
    names = [name for name in Quarters.__struct_fields__ if name != "open"]
    return Quarters(**{name: getattr(left, name) + getattr(right, name) for name in names})


def design_effect(sums: Quarters) -> float:
    """Return how many trades say as much as one independent one, at least `EFFECT_MIN`.

    The squared deviations of whole quarters, over what they would be if trades were independent.

    Source: L. Kish, Survey Sampling (1965), chapter 8; for a ratio, J. N. K. Rao and A. J. Scott,
    A simple method for the analysis of clustered binary data, Biometrics 48 (1992).
    """
    closed = _all_closed(sums)
    if closed.trades == 0:
        return EFFECT_MIN
    rate = closed.won / closed.trades
    independent = closed.trades * rate * (1.0 - rate)
    if independent <= 0.0 or closed.count == 1:  # nothing varies, so nothing can be told
        return EFFECT_MIN
    clustered = closed.won_square - 2.0 * rate * closed.won_trades + rate**2 * closed.trades_square
    return max(EFFECT_MIN, clustered / independent * closed.count / (closed.count - 1))


def _all_closed(sums: Quarters) -> Quarters:
    return _closed(msgspec.structs.replace(sums, open=()), sums.open)


def _closed(sums: Quarters, quarters: tuple[Quarter, ...]) -> Quarters:
    for one in quarters:
        sums = msgspec.structs.replace(
            sums,
            count=sums.count + 1,
            trades=sums.trades + one.trades,
            won=sums.won + one.won,
            trades_square=sums.trades_square + one.trades**2,
            won_square=sums.won_square + one.won**2,
            won_trades=sums.won_trades + one.won * one.trades,
        )
    return sums
