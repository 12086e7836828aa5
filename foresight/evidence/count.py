"""What the witness's reports add up to: cycles run, missed, doubled; orders sent; lateness.

Owns the counting, pure. A worker that began a cycle and was ended before it did anything
outside did not run it: whoever comes after it begins the cycle again. That is granted to two
workers only, and whoever counts names them: the owner that was killed, and the release that was
made to fail. Whatever else begins a cycle a second time has doubled it. Where a witness hears
of effects only, a cycle is run when its effect is carried out.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from foresight.evidence.report import Report

MS_NS = 1_000_000


class Ended(NamedTuple):
    """Who was ended on purpose.

    Attributes:
        killed_pid: The owner that was killed; 0 if none.
        failed_release: The release whose first cycle fails; empty if none.
    """

    killed_pid: int = 0
    failed_release: str = ""


class Cycles(NamedTuple):
    """The count of cycles.

    Attributes:
        expected: How many were due by the clock.
        run: How many of them were run.
        missed: Those that were not.
        doubled: Those that were run more than once.
        begun_again: Those that were begun by a worker that was ended, and then run by another.
    """

    expected: int
    run: int
    missed: tuple[int, ...]
    doubled: tuple[int, ...]
    begun_again: tuple[int, ...]


class Performed(NamedTuple):
    """The count of cycles whose effect was carried out.

    Attributes:
        expected: How many were due.
        run: How many of them were carried out at least once.
        missed: Those that were not.
        doubled: Those that were carried out more than once.
        late: Those that began only after their own period was over.
    """

    expected: int
    run: int
    missed: tuple[int, ...]
    doubled: tuple[int, ...]
    late: tuple[int, ...]

    @property
    def is_exact(self) -> bool:
        """Whether every cycle was carried out exactly once."""
        return not self.missed and not self.doubled


class Sent(NamedTuple):
    """The count of orders, as the workers say they sent them.

    Attributes:
        reports: How often an order was sent.
        distinct: How many orders that were.
        asked: Sendings whose outcome the venue was then asked for: they may not have arrived.
        repeated: Orders sent again before the venue was asked what became of the first time.
    """

    reports: int
    distinct: int
    asked: int
    repeated: tuple[str, ...]


class Lateness(NamedTuple):
    """Milliseconds from boundaries to the arrival of the first report, with what it is of.

    Attributes:
        ordinary: Cycles of an owner that owned the one before.
        first: First cycles of owners that took over in a planned way.
        after_end: First cycles after an owner's end.
    """

    ordinary: tuple[float, ...]
    first: tuple[float, ...]
    after_end: tuple[float, ...]


def count_cycles(reports: Sequence[Report], *, first: int, last: int, ended: Ended) -> Cycles:
    """Count the cycles; those from `first` to `last` were due, both included."""
    begun = [report for report in reports if report.kind == "observe"]
    cut = _cut_short(reports, ended)
    runs = Counter(each.cycle for each in begun if (each.pid, each.cycle) not in cut)
    # What the killed owner had decided is finished by its successor, not begun again.
    decided = {cycle for pid, cycle in cut if pid == ended.killed_pid and not runs[cycle]}
    expected, run, missed = _due(runs, first, last, granted=decided)
    return Cycles(
        expected=expected,
        run=run,
        missed=missed,
        doubled=tuple(sorted(cycle for cycle, times in runs.items() if times > 1)),
        begun_again=tuple(sorted({cycle for _, cycle in cut if runs[cycle]})),
    )


def count_performed(
    reports: Sequence[Report], *, first: int, last: int, period_ns: int
) -> Performed:
    """Count the cycles from `first` to `last`, both included, by their effects.

    Args:
        reports: What the witness wrote.
        first: The first cycle that was due.
        last: The last one.
        period_ns: Length of a cycle, nanoseconds; cycle 0 began with the epoch.
    """
    times = Counter(report.cycle for report in reports if report.kind == "perform")
    begun = begun_ns(reports)
    expected, run, missed = _due(times, first, last)
    cycles = range(first, last + 1)
    return Performed(
        expected=expected,
        run=run,
        missed=missed,
        doubled=tuple(cycle for cycle in cycles if times[cycle] > 1),
        late=tuple(cycle for cycle in cycles if begun.get(cycle, 0) >= (cycle + 1) * period_ns),
    )


def _due(
    times: Mapping[int, int], first: int, last: int, *, granted: Collection[int] = ()
) -> tuple[int, int, tuple[int, ...]]:
    """Return how many cycles were due, how many of them were run, and which were not."""
    due = range(first, last + 1)
    missed = tuple(cycle for cycle in due if not times.get(cycle) and cycle not in granted)
    return len(due), len(due) - len(missed), missed


def begun_ns(reports: Iterable[Report]) -> dict[int, int]:
    """Return when each cycle was first begun, by whoever began it, nanoseconds UTC."""
    begun: dict[int, int] = {}
    for report in reports:
        if report.kind == "observe":
            begun.setdefault(report.cycle, report.at_ns)
    return begun


def _cut_short(reports: Sequence[Report], ended: Ended) -> set[tuple[int, int]]:
    """Return (pid, cycle) of what was begun by a worker that was then ended."""
    acted = {(each.pid, each.cycle) for each in reports if each.kind == "perform"}
    begun = [report for report in reports if report.kind == "observe"]
    cut = {(each.pid, each.cycle) for each in begun if each.release == ended.failed_release}
    killed = [each.cycle for each in begun if each.pid == ended.killed_pid]
    return (cut | {(ended.killed_pid, cycle) for cycle in killed[-1:]}) - acted


def count_sent(reports: Iterable[Report]) -> Sent:
    """Count the orders that were sent."""
    times: Counter[str] = Counter()
    unasked: set[str] = set()
    repeated: set[str] = set()
    asked = 0
    for report in reports:
        if report.kind == "perform":
            times[report.effect] += 1
            if report.effect in unasked:
                repeated.add(report.effect)
            unasked.add(report.effect)
        elif report.kind == "resolve" and report.effect in unasked:
            unasked.remove(report.effect)
            asked += 1
    return Sent(times.total(), len(times), asked, tuple(sorted(repeated)))


def lateness(
    reports: Iterable[Report], *, since: int, boundary_ns: Callable[[int], int], ended: Ended
) -> Lateness:
    """Return how late each cycle began, from cycle `since` on: before it, all is starting."""
    found: dict[str, list[float]] = {"ordinary": [], "first": [], "after_end": []}
    begun = [report for report in reports if report.kind == "observe"]
    killed = [report for report in begun if report.pid == ended.killed_pid]
    for before, report in pairwise(begun):
        if report.cycle < since:
            continue
        was_ended = before in killed[-1:] or before.release == ended.failed_release
        is_first = before.pid != report.pid
        which = "ordinary" if not is_first else "after_end" if was_ended else "first"
        found[which].append((report.at_ns - boundary_ns(report.cycle)) / MS_NS)
    return Lateness(**{name: tuple(values) for name, values in found.items()})


def middle(values: Sequence[float]) -> float | None:
    """Return the median to a hundredth; None of nothing."""
    return round(median(values), 2) if values else None
