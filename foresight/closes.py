"""The newest one-minute candles of an asset, as the body keeps them.

Owns their stored shape, their bound and how newer ones are added. Where candles come from is in
`feeds`; what they mean is a strategy's matter.
"""

from bisect import bisect_left, bisect_right
from typing import Final

import msgspec

from foresight.market import Candles, Detail
from foresight.same_values import once_for_each

CLOSES_KEPT: Final = 120  # minutes; strategies look back an hour
DETAILS_KEPT: Final = 32  # minutes: the start of a 15m window and as much before it


class Closes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest one-minute candles of an asset, rising minutes, gaps left out.

    Attributes:
        minutes: Minutes since 1970 UTC at which they open.
        prices: Their closes, as many.
        details: The rest of the newest of them, the last one of the newest minute; none where an
            older release kept closes alone.
    """

    minutes: tuple[int, ...] = ()
    prices: tuple[float, ...] = ()
    details: tuple[Detail, ...] = ()

    @property
    def newest(self) -> int:
        """The newest minute, or -1."""
        return self.minutes[-1] if self.minutes else -1

    def at(self, minute: int) -> float | None:
        """Return the close of a minute, or None where there is none.

        Raises:
            ValueError: A minute has no price: every later one would be another minute's.
        """
        if len(self.minutes) != len(self.prices):
            what = "of minutes and prices one list is shorter"
            raise ValueError(what)
        place = self._place(minute)
        return None if place is None else self.prices[place]

    def average(self, minute: int) -> float | None:
        """Return (open + high + low + close) / 4 of a minute, or None where it is not known."""
        rest, close = self._detail(minute), self.at(minute)
        if rest is None or close is None:
            return None
        return (rest.open + rest.high + rest.low + close) / 4

    def opened(self, minute: int) -> float | None:
        """Return the first price of a minute, or None where it is not known."""
        rest = self._detail(minute)
        return None if rest is None else rest.open

    def _detail(self, minute: int) -> Detail | None:
        place = self._place(minute)
        if place is None or place < len(self.minutes) - len(self.details):
            return None
        return self.details[place - len(self.minutes)]

    def _place(self, minute: int) -> int | None:
        place = bisect_left(self.minutes, minute)
        is_there = place < len(self.minutes) and self.minutes[place] == minute
        return place if is_there else None


@once_for_each  # for the look that says which books are read, and then for the decision
def extended(closes: Closes, candles: Candles) -> Closes:
    """Return closes with newer candles added, oldest dropped beyond the bound.

    Raises:
        ValueError: A minute has no price, or some have the rest of a candle and some have none.
    """
    if len({len(candles.minutes), len(candles.prices), len(candles.details or candles.prices)}) > 1:
        what = "of minutes, prices and the rest of candles one list is shorter"
        raise ValueError(what)
    at = bisect_right(candles.minutes, closes.newest)  # rising: the known come first
    if at == len(candles.minutes):
        return closes
    minutes = (*closes.minutes, *candles.minutes[at:])
    prices = (*closes.prices, *candles.prices[at:])
    # Inputs of an older release have none: what lies before them could not be told apart.
    details = (*closes.details, *candles.details[at:]) if candles.details else ()
    return Closes(
        minutes=minutes[-CLOSES_KEPT:],
        prices=prices[-CLOSES_KEPT:],
        details=details[-DETAILS_KEPT:],
    )
