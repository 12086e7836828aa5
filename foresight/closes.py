"""The newest one-minute candles of an asset, as the body keeps them.

Owns their stored shape, their bound and how newer ones are added. Where candles come from is in
`feeds`; what they mean is a strategy's matter.
"""

from typing import Final

import msgspec

from foresight.market import Candles, Detail

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
        """Return the close of a minute, or None where there is none."""
        for known, price in zip(reversed(self.minutes), reversed(self.prices), strict=True):
            if known <= minute:
                return price if known == minute else None
        return None

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
        for known, rest in zip(reversed(self.minutes), reversed(self.details), strict=False):
            if known <= minute:
                return rest if known == minute else None
        return None


def extended(closes: Closes, candles: Candles) -> Closes:
    """Return closes with newer candles added, oldest dropped beyond the bound.

    Raises:
        ValueError: A minute has no price, or some have the rest of a candle and some have none.
    """
    if len({len(candles.minutes), len(candles.prices), len(candles.details or candles.prices)}) > 1:
        what = "of minutes, prices and the rest of candles one list is shorter"
        raise ValueError(what)
    at = sum(minute <= closes.newest for minute in candles.minutes)  # rising: the known come first
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
