"""A witness outside the engine: who did what for which cycle, by its own account.

Owns one append-only file and its counting. Each report is one `write` to a descriptor in
append mode, so that reports of several processes never mix and one of a process that is
killed is there as a whole or not at all. The engine neither reads nor writes this file, so
a cycle that the engine loses, or runs twice, shows here whatever the engine believes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

TAIL_BYTES = 64 * 1024  # hundreds of reports; cycles rise


class Report(NamedTuple):
    """One thing that a worker says it is doing now.

    Attributes:
        kind: `observe` (a cycle begins), `decide`, `decided`, `perform` (its effect is carried
            out) or `performed`.
        cycle: Number of the cycle.
        pid: Of the process that says so.
        release: Of the code that says so.
        at_ns: Wall-clock time of the report, nanoseconds UTC.
    """

    kind: str
    cycle: int
    pid: int
    release: str
    at_ns: int


class Count(NamedTuple):
    """What the reports add up to.

    Attributes:
        expected: Cycles that were due.
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


class Witness:
    """The reporting side, held by a worker."""

    def __init__(self, path: Path) -> None:
        """Open the file; it is made if it is not there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def report(self, report: Report) -> None:
        """Append one report in one write."""
        line = json.dumps(report._asdict(), separators=(",", ":")).encode() + b"\n"
        written = os.write(self._descriptor, line)
        assert written == len(line), "a report is written whole"

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def reports_in(path: Path) -> list[Report]:
    """Return the reports, in the order in which they were written; none without a file."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [Report(**json.loads(line)) for line in lines]


def newest_performed(path: Path) -> int:
    """Return the newest cycle that was carried out, by the end of the file; 0 before the first."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            # The first line may be cut in two, a last one without its end is not there yet.
            lines = file.read().splitlines(keepends=True)[size > TAIL_BYTES :]
    except FileNotFoundError:
        return 0
    said = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return max((each["cycle"] for each in said if each["kind"] == "perform"), default=0)


def was_performed(path: Path, cycle: int) -> bool:
    """Tell whether a cycle was carried out, whoever did it."""
    return f'{{"kind":"perform","cycle":{cycle},'.encode() in path.read_bytes()


def performed(reports: Iterable[Report]) -> Counter[int]:
    """Return how often each cycle was carried out."""
    return Counter(report.cycle for report in reports if report.kind == "perform")


def begun_ns(reports: Iterable[Report]) -> dict[int, int]:
    """Return when each cycle was first begun, by whoever began it."""
    begun: dict[int, int] = {}
    for report in reports:
        if report.kind == "observe":
            begun.setdefault(report.cycle, report.at_ns)
    return begun


def count(reports: Sequence[Report], *, first: int, last: int, period_ns: int) -> Count:
    """Count the cycles from `first` to `last`, both included."""
    times, begun = performed(reports), begun_ns(reports)
    cycles = range(first, last + 1)
    return Count(
        expected=len(cycles),
        run=sum(1 for cycle in cycles if times[cycle]),
        missed=tuple(cycle for cycle in cycles if not times[cycle]),
        doubled=tuple(cycle for cycle in cycles if times[cycle] > 1),
        late=tuple(cycle for cycle in cycles if begun.get(cycle, 0) >= (cycle + 1) * period_ns),
    )
