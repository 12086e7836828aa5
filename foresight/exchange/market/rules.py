"""Which prices a window compares at its two ends.

Owns the two settlement rules and what each does to a minute's candle. Must never enter: windows,
quotes, where candles come from.
"""

from enum import Enum

from foresight.exchange.prices.candles import Candle

_DECIMALS = (
    10  # a quarter of eight decimals has ten; without it equal averages would differ by dust
)


class Rule(Enum):
    """How a window is settled; the value is the word of the ledger and the command line."""

    LAST = "last"
    """The last price at the end against the last price at the start."""
    AVERAGE = "average"
    """The last minute's average against the average of the minute before the start."""

    def settles_at(self, candle: Candle) -> float:
        """Return the price that a finished minute stands for at its end.

        Args:
            candle: The minute as served; its average over time is taken as (O + H + L + C) / 4.
        """
        return candle.close if self is Rule.LAST else average(candle)


def average(candle: Candle) -> float:
    """Return (open + high + low + close) / 4 of a candle, finished or running."""
    return round((candle.open + candle.high + candle.low + candle.close) / 4, _DECIMALS)
