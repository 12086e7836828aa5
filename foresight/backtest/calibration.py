"""Fitting the tables that strategies read, and judging them by windows they have not seen.

Owns which windows count, the curve of each minute, and the reliability: of windows that were given
some chance, how many kept their side. Distances are measured as a strategy measures them.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from foresight.backtest.candle_rows import SPREAD_MINUTES, Candles, Rule
from foresight.backtest.win_curve import fitted
from foresight.strategies.base import SIGMA_FLOOR, read_table, spread_minutes
from foresight.strategies.table import MINUTES_OF, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from foresight.strategies.table import Points, Prices, Venue

WINDOWS_MIN: Final = 400  # that a curve is fitted on: ten for each of its groups
QUARTER_MINUTES: Final = 15
EDGE: Final = 1e-4  # chances stay this far from 0 and 1: nothing is certain before the end
BINS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
SHAPES: Final = tuple((timeframe, rule) for timeframe in MINUTES_OF for rule in Rule)


class Span(NamedTuple):
    """A stretch of time: first minute and the first one after it, minutes since 1970 UTC."""

    first: int
    end: int

    def meets(self, other: Span) -> bool:
        """Return whether two stretches have a minute in common."""
        return self.first < other.end and other.first < self.end


class Observed(NamedTuple):
    """One window after some of its minutes, and how it ended.

    Attributes:
        quarter: The quarter hour in which it began, since 1970 UTC.
        distance: From the price to beat, in standard deviations of what is left, > 0.
        is_right: Whether it kept the side that it was on; a tie is Up.
    """

    quarter: int
    distance: float
    is_right: bool


Seen: TypeAlias = "Mapping[int, Iterable[Observed]]"
"""Windows of one length and rule by the whole minutes since their start."""


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """What became of windows that a table gave about the same chance.

    Attributes:
        window: Length of the windows, as `5m`.
        rule: `last` or `average`.
        low: The least chance of these, 0 to 1.
        high: They were given less than this; of the last ones, at most.
        windows: How many, each counted at each of its minutes.
        said: Mean chance that the table gave them.
        kept: Share of them that kept their side.
        error: Standard error of `kept` - `said`: windows of one quarter hour end alike, and count
            together.
    """

    window: str
    rule: str
    low: float
    high: float
    windows: int
    said: float
    kept: float
    error: float


def fit(
    seen: Seen,
    timeframe: str,
    rule: Rule,
    *,
    within: Span,
    source: Prices,
    fitted_on: str,
    venue: Venue = "",
) -> Table:
    """Return a table; minutes with too few windows are left out, and so silent.

    Args:
        seen: What it is fitted on.
        timeframe: `5m` or `15m`.
        rule: What settles the windows.
        within: Where these windows lie.
        source: Whose prices they are.
        fitted_on: Dates or seeds, for people.
        venue: Kind of the venue whose offers they are; empty for candles.
    """
    curves: dict[int, Points] = {}
    for minute, windows in seen.items():
        pairs = [(each.distance, each.is_right) for each in windows]
        if len(pairs) >= WINDOWS_MIN:
            curves[minute] = _rounded(fitted(pairs).points)
    is_recorded = source == "recorded"
    return Table(
        source=source,
        timeframe=timeframe,  # type: ignore[arg-type] # one of the two
        rule=rule.value,
        fitted_on=fitted_on,
        first_minute=within.first if is_recorded else 0,
        end_minute=within.end if is_recorded else 0,
        minutes=curves,
        venue=venue,
    )


def seen_in(candles: Sequence[Candles], timeframe: str, rule: Rule, within: Span) -> Seen:
    """Return the windows of candles, each minute's to be read once.

    Args:
        candles: All assets, pooled; every stretch without a gap by itself.
        timeframe: `5m` or `15m`.
        rule: What settles the windows.
        within: Windows count that lie in it, with the minute before them.
    """

    def after(minute: int) -> Iterator[Observed]:
        for one in candles:
            yield from observed(one, timeframe, minute, rule, within)

    return {minute: after(minute) for minute in range(1, MINUTES_OF[timeframe])}


def observed(
    candles: Candles, timeframe: str, minute: int, rule: Rule, within: Span
) -> Iterator[Observed]:
    """Yield each window that has moved by then.

    Args:
        candles: One asset, without a gap.
        timeframe: `5m` or `15m`.
        minute: Whole minutes since the window's start.
        rule: What settles the windows.
        within: Windows count that lie in it, with the minute before them.
    """
    length = MINUTES_OF[timeframe]
    scale = sqrt(spread_minutes(length - minute, is_average=rule is Rule.AVERAGE))
    earliest = max(SPREAD_MINUTES + 1, within.first + 1 - candles.first_minute)
    start = earliest + -(candles.first_minute + earliest) % length
    latest = min(len(candles), within.end - candles.first_minute) - length
    for at in range(start, latest + 1, length):
        now = at + minute - 1
        reference = candles.settled_by(rule, at - 1)
        move = log(candles.close(now) / reference)
        if move:
            sigma = max(SIGMA_FLOOR, candles.spread(now))
            ends_up = candles.settled_by(rule, at + length - 1) >= reference
            yield Observed(
                quarter=(candles.first_minute + at) // QUARTER_MINUTES,
                distance=abs(move) / (sigma * scale),
                is_right=(move > 0) == ends_up,
            )


def reliability(seen: Seen, table: Table) -> list[Reliability]:
    """Judge a table by windows that it was not fitted on: its chances against what became of them.

    Args:
        seen: These windows, of its timeframe and rule.
        table: What is judged.
    """
    bins = [_Bin() for _ in BINS[1:]]
    for minute, points in table.minutes.items():
        for each in seen.get(minute, ()):
            chance = read_table(points, each.distance)
            place = sum(chance >= edge for edge in BINS[1:-1])
            bins[place].add(each.quarter, chance, is_right=each.is_right)
    return [
        Reliability(
            window=table.timeframe,
            rule=table.rule,
            low=low,
            high=high,
            windows=one.count,
            said=one.said / one.count,
            kept=one.kept / one.count,
            error=one.error,
        )
        for low, high, one in zip(BINS[:-1], BINS[1:], bins, strict=True)
        if one.count
    ]


class _Bin:
    """What became of windows with about the same chance."""

    def __init__(self) -> None:
        self.count = 0
        self.said = 0.0
        self.kept = 0
        self._by_quarter: dict[int, float] = {}

    def add(self, quarter: int, chance: float, *, is_right: bool) -> None:
        self.count += 1
        self.said += chance
        self.kept += is_right
        self._by_quarter[quarter] = self._by_quarter.get(quarter, 0.0) + is_right - chance

    @property
    def error(self) -> float:
        mean = (self.kept - self.said) / len(self._by_quarter)
        return sqrt(sum((each - mean) ** 2 for each in self._by_quarter.values())) / self.count


def _rounded(points: Sequence[tuple[float, float]]) -> Points:
    """Return points of a table: chances inside (0, 1), distances that rise."""
    found: dict[float, float] = {}
    for distance, share in points:
        found[round(distance, 4)] = round(min(max(share, EDGE), 1 - EDGE), 5)
    return tuple(found.items())
