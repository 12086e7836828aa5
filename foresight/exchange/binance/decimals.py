"""Amounts of the spot venue: decimal texts of eight places, and whole atoms behind them.

Owns the two ways. Must never enter: which amounts are allowed, shapes of JSON.
"""

import re
from decimal import Decimal
from typing import Final

from foresight.exchange.binance.refusals import Refusal, illegal
from foresight.exchange.ledger.spot import ATOMS

_DECIMAL: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


def number(value: float) -> str:
    """Return a price or quantity with eight decimals."""
    return f"{value:.8f}"


def amount(atoms: int) -> str:
    """Return atoms (10**-8) with eight decimals."""
    sign = "-" if atoms < 0 else ""
    whole, rest = divmod(abs(atoms), ATOMS)
    return f"{sign}{whole}.{rest:08d}"


def atoms_of(text: str, name: str) -> int:
    """Return a positive amount in atoms.

    Args:
        text: Decimal, without a sign or an exponent.
        name: Of the parameter, for the refusal.

    Raises:
        Refusal: It is no number, not positive, or finer than eight decimals.
    """
    if not _DECIMAL.fullmatch(text):
        raise illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
    scaled = Decimal(text) * ATOMS
    if scaled != scaled.to_integral_value():
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
    if scaled == 0:
        raise Refusal(-1013, f"Invalid {name}.")
    return int(scaled)
