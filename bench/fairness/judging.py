"""Judge fair prices: by cell and by what simple rules would earn at them.

Owns the cells (tenth of price x minute left), the rules, sums clustered by the end of the window,
and the verdict. Must never enter: fitting, files.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil, sqrt
from typing import Final, NamedTuple

from bench.fairness.moments import Moment, World, moments
from foresight.exchange.market.calibration import Table
from foresight.exchange.market.fees import RATE
from foresight.exchange.market.rules import Rule
from foresight.exchange.market_clock import NS_PER_MINUTE

QUOTES_MIN: Final = 1_000
"""A cell with fewer is not judged."""
SLACK: Final = 0.007
"""How far a cell may be off besides three standard errors, USDC a share."""
ERRORS: Final = 3.0
MISSES_SHARE: Final = 0.01
"""Cells that may miss."""
CHEAP: Final = "ask of 1 to 3 c"

_FOLLOWING: Final = tuple(f"following the last {seconds} s" for seconds in (5, 15, 30))
_LATE: Final = range(1, 4)  # whole minutes left, the last one apart
_EVERY: Final = 3  # steps between two quotes, outside the last minute


Plain = dict[str, dict[int, list[float]]]
"""What `Sums` hold: number and sum by name and by the end of the window."""


class Estimate(NamedTuple):
    """A mean over quotes, and its standard error with windows that end together as one draw."""

    mean: float
    error: float
    quotes: int


class Sums:
    """Number and sum of what was earned, by name and by the end of the window."""

    def __init__(self) -> None:
        """Start empty."""
        self.by_name: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(
            lambda: defaultdict(lambda: [0.0, 0.0])
        )

    def add(self, name: str, end_s: int, earned: float) -> None:
        """Add one quote."""
        cell = self.by_name[name][end_s]
        cell[0] += 1.0
        cell[1] += earned

    def merge(self, plain: Plain) -> None:
        """Take in what `plain` of another one returned."""
        for name, clusters in plain.items():
            mine = self.by_name[name]
            for end_s, (count, earned) in clusters.items():
                mine[end_s][0] += count
                mine[end_s][1] += earned

    def plain(self) -> Plain:
        """Return the sums as plain values, to be handed between processes."""
        return {name: dict(clusters) for name, clusters in self.by_name.items()}

    def estimate(self, name: str) -> Estimate:
        """Return the mean of a name."""
        clusters = self.by_name[name].values()
        count = sum(cell[0] for cell in clusters)
        mean = sum(cell[1] for cell in clusters) / count
        spread = sum((cell[1] - cell[0] * mean) ** 2 for cell in clusters)
        return Estimate(mean, sqrt(spread) / count, int(count))


class Verdict(NamedTuple):
    """What was judged: cells, those that missed, and every rule's estimate with its fault."""

    cells: int
    missed: tuple[tuple[str, Estimate], ...]
    rules: tuple[tuple[str, Estimate, str], ...]

    @property
    def is_fair(self) -> bool:
        """Whether few enough cells missed and no rule earns or loses."""
        few = len(self.missed) <= MISSES_SHARE * self.cells
        return few and not any(fault for _, _, fault in self.rules)


def collect(world: World, table: Table, assets: Sequence[str]) -> dict[Rule, Sums]:
    """Return what every rule of trading earns on some assets of a world, by rule of settlement."""
    sums = {rule: Sums() for rule in Rule}
    for asset in assets:
        for moment in moments(world, asset, every=_EVERY):
            window, standing = moment.window, moment.standing
            fair = table.probability_up(window.timeframe, moment.rule, standing)
            end_s, mine = window.end_s, sums[moment.rule]
            for name, earned in _earned(moment, fair):
                mine.add(name, end_s, earned)
    return sums


def _earned(moment: Moment, fair: float) -> Iterator[tuple[str, float]]:
    window = moment.window
    minute = (window.end_ns - 1 - moment.market_ns) // NS_PER_MINUTE
    gain = moment.is_up - fair  # of an Up share at the fair price; a Down share earns the opposite
    yield _cell(window.timeframe, minute, min(int(fair * 10), 9)), gain
    yield "always Up", gain
    favourite = gain if fair >= 0.5 else -gain  # noqa: PLR2004 - one half
    yield "favourites", favourite
    if minute in _LATE:
        yield _place(moment), favourite
    if not 0.1 < fair < 0.9:  # noqa: PLR2004 - a tenth
        yield "longshots", -favourite
    for name, sign in zip(_FOLLOWING, moment.standing.signs, strict=True):
        if sign:
            yield name, sign * gain
    for chance, is_won in ((fair, moment.is_up), (1.0 - fair, not moment.is_up)):
        ask = max(1, ceil(100.0 * chance + 0.5)) / 100
        if ask <= 0.03:  # noqa: PLR2004 - 3 cents
            yield CHEAP, is_won - ask - RATE * ask * (1.0 - ask)


def _place(moment: Moment) -> str:
    # As a minute begins everybody comes who decides by candles.
    if moment.market_ns % NS_PER_MINUTE == 0:
        return "late favourites, begun"
    return f"late favourites, {moment.standing.kind.value}"


@cache
def _cell(timeframe: str, minute: int, tenth: int) -> str:
    return f"cell {timeframe} {minute:2} left {tenth / 10:.1f}"


def judge(sums: Sums, *, quotes_min: int = QUOTES_MIN) -> Verdict:
    """Return the verdict on the sums of all assets.

    Fading is following with the other sign, so one estimate judges both.

    Args:
        sums: Of one price source and rule.
        quotes_min: A cell with fewer is not judged.
    """
    cells = 0
    missed = []
    rules = []
    for name in sorted(sums.by_name):
        found = sums.estimate(name)
        if not name.startswith("cell "):
            rules.append((name, found, _fault(name, found)))
        elif found.quotes >= quotes_min:
            cells += 1
            if abs(found.mean) > SLACK + ERRORS * found.error:
                missed.append((name, found))
    return Verdict(cells, tuple(missed), tuple(rules))


def _fault(name: str, found: Estimate) -> str:
    if name == CHEAP:
        return "" if found.mean < 0 else "earns"
    if abs(found.mean) <= ERRORS * found.error:
        return ""
    return "earns" if found.mean > 0 else "its opposite earns"
