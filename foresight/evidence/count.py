"""What the witness's reports add up to: cycles run, missed, doubled; orders sent; lateness.

Owns the counting, pure. A worker that began a cycle and was ended before it did anything
outside did not run it: whoever comes after it begins the cycle again. That is granted to two
workers only, and the demonstration names them: the owner that it killed, and the release that
it made fail. Whatever else begins a cycle a second time has doubled it.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MS_NS = 1_000_000


class Report(NamedTuple):
    """One thing that a worker said it does now.

    Attributes:
        kind: `observe` (a cycle begins), `perform` (an effect is carried out) or `resolve` (the
            venue is asked what became of one).
        cycle: Number of the cycle.
        pid: Of the process that says so.
        release: Of the code that says so.
        at_ns: Arrival at the witness, nanoseconds UTC.
        effect: Id of the effect that is carried out or asked about.
    """

    kind: str
    cycle: int
    pid: int
    release: str
    at_ns: int
    effect: str = ""


class Ended(NamedTuple):
    """Whom the demonstration ended.

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
    due = range(first, last + 1)
    missed = tuple(cycle for cycle in due if not runs[cycle] and cycle not in decided)
    return Cycles(
        expected=len(due),
        run=len(due) - len(missed),
        missed=missed,
        doubled=tuple(sorted(cycle for cycle, times in runs.items() if times > 1)),
        begun_again=tuple(sorted({cycle for _, cycle in cut if runs[cycle]})),
    )


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
