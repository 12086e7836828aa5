"""Which amounts an order may name, and which prices.

Owns the venue's rules of decimals, the smallest sizes and the tick. Source: the answers of the
reference venue and its official client's rounding table. Must never enter: books, balances,
signatures, how amounts travel.

All amounts are millionths: micro-shares and micro-USDC.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

MICRO: Final = 1_000_000

TICK_DEFAULT_MICRO: Final = 10_000
"""Tick of a market unless something else is said: one cent."""

TICKS_MICRO: Final = (10_000, 1_000)
"""Ticks that this exchange serves."""

RESTING_MIN_MICRO: Final = 5 * MICRO
"""Fewest shares of an order that may rest."""

CROSSING_MIN_MICRO: Final = MICRO
"""Least USDC of a buy that executes at once."""

_TWO_DECIMALS: Final = 10_000
_FOUR_DECIMALS: Final = 100
_CASH_STEP_MICRO: Final[Mapping[int, int]] = {100_000: 1_000, 10_000: 100, 1_000: 10, 100: 1}
"""By tick: the step of a limit order's USDC; 3, 4, 5 or 6 decimals."""


class Amounts(NamedTuple):
    """What an order names: shares x 10**6 and USDC x 10**6, both > 0."""

    shares_micro: int
    cash_micro: int


def price_on_tick(amounts: Amounts, tick_micro: int) -> tuple[int, bool]:
    """Return the price that two amounts stand for, and whether they mean that price.

    Args:
        amounts: Both sides of an order.
        tick_micro: The market's tick.

    Returns:
        The nearest multiple of the tick, micro-USDC a share. The amounts mean it if they differ
        from it by no more than the rounding of four decimals.
    """
    shares, cash = amounts
    ticks = (2 * cash * MICRO + shares * tick_micro) // (2 * shares * tick_micro)
    price_micro = ticks * tick_micro
    error = abs(cash * MICRO - price_micro * shares)
    return price_micro, error <= _FOUR_DECIMALS * MICRO


def bad_amounts(amounts: Amounts, *, is_buy: bool, rests: bool, tick_micro: int) -> str:
    """Return why amounts are refused, in the venue's words; empty if they are fine.

    Args:
        amounts: Both sides of the order.
        is_buy: True gives USDC, False gives shares.
        rests: Whether what is not filled at once stays in the book.
        tick_micro: The market's tick.
    """
    if rests:
        steps = (_TWO_DECIMALS, _CASH_STEP_MICRO[tick_micro])
    elif is_buy:
        steps = (_FOUR_DECIMALS, _TWO_DECIMALS)
    else:
        steps = (_TWO_DECIMALS, _FOUR_DECIMALS)
    if not any(amount % step for amount, step in zip(amounts, steps, strict=True)):
        return ""
    shares, cash = (_decimals(step) for step in steps)
    side, maker, taker = ("buy", cash, shares) if is_buy else ("sell", shares, cash)
    kind = "" if rests else "market "
    return (
        f"invalid amounts, the {kind}{side} orders maker amount supports a max accuracy of "
        f"{maker} decimals, taker amount a max of {taker} decimals"
    )


def _decimals(step_micro: int) -> int:
    return 6 - (len(str(step_micro)) - 1)
