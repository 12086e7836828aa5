"""Fit a table of probabilities: isotonic curves over the distance from the price to beat.

Owns the counting into narrow bins, the pooling of bins that do not rise (pool adjacent violators)
and the thinning to few points. Must never enter: which moments are counted, judging, pricing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from foresight.exchange.market.calibration import Curve, Source, Table
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import CURVES, Kind, Standing

_EDGES: Final = tuple(
    [0.0, 0.005, 0.01, 0.02, 0.03]  # a price step away a side is often sure
    + [0.05 * step for step in range(1, 20)]
    + [1.0 + 0.1 * step for step in range(20)]
    + [3.0 + 0.25 * step for step in range(12)]
    + [6.0, 7.0, 8.0, 10.0, 12.0, 16.0, 24.0]
)
_COUNT_MIN: Final = 150  # of quotes in a bin: fewer are counted with their neighbour
_CURVE_MIN: Final = 2_000  # of quotes in a curve: with fewer the ordinary kind's curve stands in
_SIGNS: Final = 3  # of a standing, each with a pull
_SIGNED: Final = 3  # first place of each sign's sum in a bin
_KEPT: Final = _SIGNED + _SIGNS
_BOTH: Final = _KEPT + _SIGNS
_CELL: Final = (0.0,) * (_BOTH + _SIGNS * _SIGNS)
_NEAR: Final = 0.1  # of a distance: as far to both sides a curve's slope is read
_NONE: Final = 1e-9
_THIN: Final = 0.002  # how far a curve may lie beside its bins after thinning

Bins = list[list[float]]


class Counts:
    """Quotes by curve and bin.

    Each bin holds how many there were, the sum of their distances and how many kept their side;
    then the sums of the three signs, those over quotes that kept their side, and for each two
    signs the sum of one times the other times the scale.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.bins: dict[str, Bins] = {}

    def add(self, name: str, standing: Standing, *, is_up: bool) -> None:
        """Count one moment; away from a tie, a distance below zero is the mirror of one above."""
        is_mirrored = standing.distance < 0 and not standing.is_tied
        bins = self.bins.get(name)
        if bins is None:
            bins = self.bins[name] = [list(_CELL) for _ in _EDGES]
        size = abs(standing.distance)
        is_kept = is_up is not is_mirrored
        cell = bins[_place(size)]
        cell[0] += 1
        cell[1] += size
        cell[2] += is_kept
        for place, sign in enumerate(standing.signs):
            if sign:
                seen = -sign if is_mirrored else sign
                cell[_SIGNED + place] += seen
                cell[_KEPT + place] += seen * is_kept
                for other, second in enumerate(standing.signs):
                    cell[_BOTH + _SIGNS * place + other] += sign * second * standing.scale

    def merge(self, other: "Counts") -> None:
        """Take in another count."""
        for name, bins in other.bins.items():
            mine = self.bins.setdefault(name, [list(_CELL) for _ in _EDGES])
            for cell, more in zip(mine, bins, strict=True):
                for index, number in enumerate(more):
                    cell[index] += number


def fit(
    counts: Counts,
    *,
    source: Source,
    fitted_on: str,
    span: tuple[int, int] = (0, 0),
    names: Iterable[str] | None = None,
) -> Table:
    """Return the table of some counts.

    Args:
        counts: Of both rules and timeframes, or of what the names need.
        source: What kind of prices they are from.
        fitted_on: Dates or seeds, for people.
        span: First minute and end of a recording.
        names: Of the curves that are wanted; all that a table file must have without them.
    """
    wanted = _names() if names is None else names
    everything = {is_tied: _all(counts, is_tied=is_tied) for is_tied in (False, True)}
    curves = {name: _curve(counts, name, everything) for name in wanted}
    return Table(source, fitted_on, *span, _pulls(counts, curves), curves)


def _pulls(counts: Counts, curves: dict[str, Curve]) -> tuple[float, float, float]:
    # Such that whoever follows one of the signs gets, by the curves and the pulls, what he is due.
    due = [0.0] * _SIGNS
    given = [[0.0] * _SIGNS for _ in due]
    for name, bins in counts.bins.items():
        for cell in bins:
            if cell[0]:
                distance = cell[1] / cell[0]
                chance, slope = curves[name].read(distance), _slope(curves[name], distance)
                for place in range(_SIGNS):
                    due[place] += cell[_KEPT + place] - chance * cell[_SIGNED + place]
                    for other in range(_SIGNS):
                        given[place][other] += slope * cell[_BOTH + _SIGNS * place + other]
    first, second, third = (round(pull, 4) for pull in _solved(given, due))
    return first, second, third


def _slope(curve: Curve, distance: float) -> float:
    low = max(0.0, distance - _NEAR)
    return (curve.read(distance + _NEAR) - curve.read(low)) / (distance + _NEAR - low)


def _solved(rows: list[list[float]], right: list[float]) -> list[float]:
    # Gauss; a sign that was never seen, or never without another, pulls nothing.
    left = [[*row, value] for row, value in zip(rows, right, strict=True)]
    for place, row in enumerate(left):
        if abs(row[place]) <= _NONE * max(1.0, abs(rows[place][place])):
            row[:] = [float(column == place) for column in range(len(row))]
        row[:] = [number / row[place] for number in row]
        for other in left:
            if other is not row:
                other[:] = [a - other[place] * b for a, b in zip(other, row, strict=True)]
    return [row[-1] for row in left]


def _names() -> Iterator[str]:
    for timeframe, last in CURVES.items():
        for rule in Rule:
            for number in range(last + 1):
                for kind in Kind:
                    for tied in ("", "/tied"):
                        yield f"{timeframe}/{rule.value}/{number}/{kind.value}{tied}"


def _curve(counts: Counts, name: str, everything: Mapping[bool, Bins]) -> Curve:
    is_tied = name.endswith("/tied")
    bins = _stand_in(counts, name) or everything[is_tied]
    return _thinned(_rising(bins, anchored=not is_tied))


def _stand_in(counts: Counts, name: str) -> Bins | None:
    """Return what a curve is fitted on, or None where few quotes are near it.

    With few quotes of its own these are its kind's at about that time, then those of what has not
    moved either, then of any kind.
    """
    timeframe, rule, number, kind, *tied = name.split("/")
    near = range(max(0, int(number) - 2), int(number) + 3)
    every = [one.value for one in Kind]
    alike = [kind] if kind == Kind.MOVED.value else [Kind.WAITING.value, Kind.STILL.value]
    for numbers, kinds in (
        ([number], [kind]),
        (near, [kind]),
        ([number], alike),
        ([number], every),
        (near, every),
    ):
        names = [
            "/".join([timeframe, rule, str(at), one, *tied]) for at in numbers for one in kinds
        ]
        found = [counts.bins[one] for one in names if one in counts.bins]
        if sum(cell[0] for bins in found for cell in bins) >= _CURVE_MIN:
            return _summed(found)
    return None


def _all(counts: Counts, *, is_tied: bool) -> Bins:
    return _summed(bins for name, bins in counts.bins.items() if name.endswith("/tied") is is_tied)


def _summed(found: Iterable[Bins]) -> Bins:
    total: Bins = [list(_CELL) for _ in _EDGES]
    for bins in found:
        for cell, more in zip(total, bins, strict=True):
            for index, numbers in enumerate(more):
                cell[index] += numbers
    return total


def _place(size: float) -> int:
    return bisect_right(_EDGES, size) - 1


def _rising(bins: Bins, *, anchored: bool) -> list[tuple[float, float]]:
    # Pool adjacent violators; an anchored curve passes one half at no distance.
    pools: list[list[float]] = []
    for group in _groups(bins):
        pools.append(group)
        while len(pools) > 1 and pools[-2][2] * pools[-1][0] > pools[-1][2] * pools[-2][0]:
            last = pools.pop()
            pools[-1] = _added(pools[-1], last)
    points = [(pool[1] / pool[0], (pool[2] + 0.5) / (pool[0] + 1.0)) for pool in pools]
    if anchored:
        points = [(0.0, 0.5)] + [(at, max(chance, 0.5)) for at, chance in points if at > 0]
    return points or [(0.0, 0.5)]


def _groups(bins: Bins) -> list[list[float]]:
    groups: list[list[float]] = []
    group = [0.0, 0.0, 0.0]
    for cell in bins:
        group = _added(group, cell[:3])
        if group[0] >= _COUNT_MIN:
            groups.append(group)
            group = [0.0, 0.0, 0.0]
    if group[0] and groups:
        groups[-1] = _added(groups[-1], group)
    elif group[0]:
        groups.append(group)
    return groups


def _added(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _thinned(points: list[tuple[float, float]]) -> Curve:
    # Ramer, Douglas and Peucker, in the chance alone.
    kept = [points[index] for index in sorted(_needed(points, 0, len(points) - 1))]
    rising: list[tuple[float, float]] = []
    for at, chance in kept:
        floor = rising[-1][1] if rising else 0.0
        rising.append((round(at, 4), max(round(chance, 5), floor)))
    return Curve(tuple(at for at, _ in rising), tuple(chance for _, chance in rising))


def _needed(points: list[tuple[float, float]], first: int, last: int) -> set[int]:
    (left, low), (right, high) = points[first], points[last]
    worst, place = 0.0, first
    for index in range(first + 1, last):
        at, chance = points[index]
        straight = low + (high - low) * (at - left) / (right - left)
        # Near one and zero a small error is a large one.
        allowed = _THIN * max(4.0 * chance * (1.0 - chance), 0.1)
        if abs(chance - straight) / allowed > worst:
            worst, place = abs(chance - straight) / allowed, index
    if worst <= 1.0:
        return {first, last}
    return _needed(points, first, place) | _needed(points, place, last)
