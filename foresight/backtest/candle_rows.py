"""The candles of one asset as the counting needs them: what each minute is worth, and how it moves.

Owns the two rules by which a window is settled, and the spread of the minutes before a moment.
"""

from __future__ import annotations

import enum
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PRICES: Final = 4  # open, high, low, close
SPREAD_MINUTES: Final = 60  # one-minute returns behind a moment


class Rule(enum.Enum):
    """What a window is settled by, at both of its ends."""

    LAST = "last"  # the close of the last minute
    AVERAGE = "average"  # the mean of that minute's open, high, low and close


class Candles:
    """One asset's minutes, without a gap.

    Args:
        first_minute: Minutes since 1970 UTC of the first candle.
        values: Open, high, low and close of each minute, one after another; all positive.
        middle: Minute at which the second half of the recording begins, of which this is a part.
    """

    def __init__(
        self, first_minute: int, values: Sequence[tuple[float, float, float, float]], middle: float
    ) -> None:
        """Take the numbers; squares of returns are kept, they are asked for again and again."""
        self.first_minute = first_minute
        self.middle = middle
        self._closes = [close for *_, close in values]
        self._averages = [sum(prices) / len(prices) for prices in values]
        returns = (math.log(now / before) for before, now in pairwise(self._closes))
        self._squares = [0.0, *(each * each for each in returns)]

    def __len__(self) -> int:
        """Return how many minutes there are."""
        return len(self._closes)

    def settled_by(self, rule: Rule, index: int) -> float:
        """Return what a window that ends, or a reference that lies, in this minute is judged by."""
        return self._closes[index] if rule is Rule.LAST else self._averages[index]

    def close(self, index: int) -> float:
        """Return the close of a minute."""
        return self._closes[index]

    def spread(self, index: int) -> float:
        """Return the root mean square of the 60 one-minute log returns up to a minute.

        Args:
            index: The newest of these minutes, at least 60.
        """
        squares = self._squares[index - SPREAD_MINUTES + 1 : index + 1]
        return math.sqrt(math.fsum(squares) / SPREAD_MINUTES)


def stretches(minutes: Sequence[int], values: Sequence[float], columns: int) -> list[Candles]:
    """Return one asset's recording as parts without a gap.

    Args:
        minutes: Minutes since 1970 UTC, rising.
        values: The numbers of each minute, one minute after another: open, high, low and close,
            and perhaps more.
        columns: How many numbers a minute has.
    """
    middle = minutes[0] + (minutes[-1] + 1 - minutes[0]) / 2
    cuts = [at for at in range(1, len(minutes)) if minutes[at] != minutes[at - 1] + 1]
    found = []
    for start, end in pairwise([0, *cuts, len(minutes)]):
        rows = [tuple(values[at * columns : at * columns + PRICES]) for at in range(start, end)]
        found.append(Candles(minutes[start], rows, middle))  # type: ignore[arg-type] # four each
    return found
