"""What a strategy is: typed parameters and one pure method.

Owns the contract and the arithmetic that strategies share (distance in sigmas, the normal
distribution, tables). No book, limit, position or order enters here: a strategy says what it
believes and what it would pay, `risk` says what is done about it.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import erf, log, sqrt
from operator import sub, truediv
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from foresight.board import MICRO, Method, Rules, Side
from foresight.market import Level

SIGMA_MINUTES: Final = 60  # returns that a sigma is measured on, as the local exchange does
AVERAGE_MINUTES: Final = 1 / 3  # a minute's average moves as far as the price does in a third of it
SIGMAS_KEPT: Final = 64  # computed ones: of the newest minutes of a board of assets
SIGMA_FLOOR: Final = 0.5e-4  # half a basis point a minute: the calmest a market is taken to be

Sigmas = Annotated[float, Meta(ge=0, le=20)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Minute = Annotated[int, Meta(ge=1, le=14)]
Cents = Annotated[int, Meta(ge=1, le=99)]


class WindowView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a strategy sees of a window.

    Attributes:
        minutes: Length of the window.
        elapsed: Whole minutes since its start, 0 to `minutes` - 1.
        reference: The price to beat, > 0.
        price: The newest close, > 0.
        sigma: Standard deviation of one-minute returns, > 0.
        closes: Newest closes, oldest first; gaps left out.
        rules: How the market is settled, ties and ticks included; None in cycles that were
            recorded before markets were asked first.
        volumes: What was traded in the minutes of the newest closes, one for each of the last
            `len(volumes)` of them, in units of the asset, >= 0; half an hour of them, and fewer,
            or none, after a release that did not keep them.
        side_asked: The side whose book is in `asks`; None before any book was read. A strategy is
            asked twice in a cycle: first without a book, and what it wants then says which one is
            read; then with it, and that answer counts. A side whose book was not read is not
            bought. Who pays no attention to the book answers the same both times.
        asks: Sellers of that side, best price first, at most 16 levels; empty if there is none.
    """

    minutes: int
    elapsed: int
    reference: float
    price: float
    sigma: float
    closes: tuple[float, ...]
    rules: Rules | None = None
    volumes: tuple[float, ...] = ()
    side_asked: Side | None = None
    asks: tuple[Level, ...] = ()

    @property
    def ask_micro(self) -> int | None:
        """The lowest price of a share of the side asked for, micro-USDC; None without a seller."""
        return self.asks[0].price_micro if self.asks else None

    def depth_micro(self, price_max_micro: int) -> int:
        """Return how many millionths of a share of that side are for sale up to a price.

        Args:
            price_max_micro: Of a share, micro-USDC.
        """
        return sum(each.size_micro for each in self.asks if each.price_micro <= price_max_micro)

    @property
    def move(self) -> float:
        """Log return since the window's start."""
        return log(self.price / self.reference)

    @property
    def left(self) -> int:
        """Whole minutes to the end, at least 1."""
        return self.minutes - self.elapsed

    @property
    def spread_minutes(self) -> float:
        """Minutes in which the price moves as far as what settles the window still may, > 0."""
        is_average = self.rules is not None and self.rules.method is Method.AVERAGE_60S
        return spread_minutes(self.left, is_average=is_average)

    @property
    def distance(self) -> float:
        """How far the price is above the price to beat, in standard deviations of what is left."""
        distance: float = self.move / (self.sigma * self.spread_minutes**0.5)
        return distance


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy wants one side.

    Attributes:
        side: Which.
        probability_ppm: That this side wins, in millionths.
        price_max_micro: Most it would pay for a share, micro-USDC.
    """

    side: Side
    probability_ppm: int
    price_max_micro: int


class Silence(msgspec.Struct, frozen=True):
    """A strategy wants nothing, and why, in a word or two."""

    reason: str


class Strategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all strategies; the fields of a subclass are its parameters.

    Attributes:
        price_max_cents: Most it would pay for a share, in cents.
    """

    name: ClassVar[str]

    price_max_cents: Cents = 97

    def judge(self, view: WindowView) -> Opinion | Silence:
        """Return what to think of a window. Pure, and total over every view."""
        raise NotImplementedError

    def opinion(self, side: Side, probability: float) -> Opinion:
        """Return an opinion with a probability of that side, 0 to 1."""
        return Opinion(
            side=side,
            probability_ppm=round(probability * MICRO),
            price_max_micro=self.price_max_cents * MICRO // 100,
        )


def spread_minutes(left: int, *, is_average: bool) -> float:
    """Return the minutes in which the price moves as far as what settles a window still may, > 0.

    Args:
        left: Whole minutes to the end, at least 1.
        is_average: The window is settled by the average of its last minute.
    """
    return left - 1 + AVERAGE_MINUTES if is_average else float(left)


def sigma_of(minutes: Sequence[int], prices: Sequence[float]) -> float:
    """Return the root mean square of one-minute log returns; returns over a gap do not count.

    Args:
        minutes: Rising minutes.
        prices: Their closes, > 0, as many.
    """
    assert len(minutes) == len(prices)
    kept = slice(-SIGMA_MINUTES - 1, None)
    return _sigma(tuple(minutes[kept]), tuple(prices[kept]))


@lru_cache(maxsize=SIGMAS_KEPT)
def _sigma(minutes: tuple[int, ...], prices: tuple[float, ...]) -> float:
    # Both timeframes of an asset ask for it, twice each, in every cycle.
    returns = list(map(log, map(truediv, prices[1:], prices)))
    if minutes and minutes[-1] - minutes[0] != len(returns):
        lengths = map(sub, minutes[1:], minutes)
        returns = [each for each, length in zip(returns, lengths, strict=True) if length == 1]
    squares = sum([each**2 for each in returns])
    return max(SIGMA_FLOOR, sqrt(squares / len(returns))) if returns else 10 * SIGMA_FLOOR


def normal(distance: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * (1.0 + erf(distance / sqrt(2.0)))


def read_table(table: Sequence[tuple[float, float]], at: float) -> float:
    """Return a table's value by linear interpolation, constant outside.

    Args:
        table: Points with rising first members, at least one.
        at: Where.
    """
    if at <= table[0][0]:
        return table[0][1]
    for (left, low), (right, high) in pairwise(table):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return table[-1][1]
