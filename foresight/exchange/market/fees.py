"""The venue's taker fee.

Owns one rule: shares x 0.07 x p x (1 - p), charged to takers in USDC (source: the reference
venue's crypto fee schedule, rate 0.07, exponent 1, taker only). Amounts are whole micro-USDC and
micro-shares: no float decides about money.

Must never enter: balances, orders, other venues' fees.
"""

from typing import Final

from foresight.exchange.market.amounts import MICRO

RATE_PERCENT: Final = 7
RATE: Final = RATE_PERCENT / 100

_STEP_MICRO: Final = 10  # the venue rounds a fee to five decimals of a USDC


def taker_fee_micro(*, shares_micro: int, price_micro: int) -> int:
    """Return the fee of one fill.

    Args:
        shares_micro: Shares x 10**6, >= 0.
        price_micro: Price of a share, 0 to 1 USDC in micro-USDC.

    Returns:
        Micro-USDC, rounded half up to a multiple of 10.
    """
    exact = shares_micro * RATE_PERCENT * price_micro * (MICRO - price_micro)
    step = 100 * MICRO * MICRO * _STEP_MICRO
    return (2 * exact + step) // (2 * step) * _STEP_MICRO
