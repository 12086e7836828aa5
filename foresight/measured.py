"""What the newest candles of an asset come to: measured once, however many ask.

Owns how much an asset moves now, how much it did before its newest candle, and its volumes: every
slot of an asset asks for all of it, and twice in a cycle.
"""

from typing import NamedTuple

from foresight.closes import Closes
from foresight.same_values import once_for_each
from foresight.strategies.base import sigma_of


class Measured(NamedTuple):
    """What some candles come to.

    Attributes:
        sigma: Standard deviation of one-minute returns, > 0.
        sigma_before: The same without the newest candle.
        volumes: What was traded in the newest minutes, oldest first.
    """

    sigma: float
    sigma_before: float
    volumes: tuple[float, ...]


@once_for_each
def measured(closes: Closes) -> Measured:
    """Return what candles come to."""
    return Measured(
        sigma=sigma_of(closes.minutes, closes.prices),
        sigma_before=sigma_of(closes.minutes[:-1], closes.prices[:-1]),
        volumes=tuple([each.volume for each in closes.details]),
    )
