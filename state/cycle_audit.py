"""What a journal's lines add up to: which cycles were decided, settled, missed, lost, doubled.

Owns the count. A line that an `aborted` line of an older release names never happened and does
not count; a newest line that is ahead of the record does. That
the lines are those which were written is the chain's matter (`journal_reader`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from state.journal_frames import ABORTED, BOOKKEEPING, GAP, GENESIS, SEGMENT, Line
from state.open_struct import decode_open
from state.planned_stop import Stop, Stops
from state.record import Missed, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


OVER_BUDGET: Final = "over_budget_ms"  # evidence of a decision: the budget that `observe` overran


class CycleRange(msgspec.Struct, frozen=True, kw_only=True):
    """Cycle numbers next to each other; both ends belong to it."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many there are; none where the last is before the first."""
        return max(0, self.last - self.first + 1)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A place where the journal was found not to lead to the record.

    Attributes:
        seq: Number of the line that says so.
        cycle: Newest cycle of the record as it was found.
        parent: Digest that the journal led to; empty where there was no journal.
        result: Digest of the record as it was found.
    """

    seq: int
    cycle: int
    parent: str
    result: str


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle and when it began, milliseconds since 1970 UTC."""

    cycle: int
    boundary_ms: float


class CycleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The count.

    Attributes:
        first: First cycle that was due, or None where no cycle is in the lines.
        last: Newest cycle.
        decided: How many were decided.
        settled: How many of them were settled.
        missed: Cycles that were given up, and why, but for those that a planned stop cost.
        missing: Cycles that were neither decided nor given up, as far as the lines say.
        doubled: Cycles that were decided or given up more than once, each time named.
        unsettled: Decided cycles that were followed by another without being settled.
        gaps: Places where the journal does not lead to the record.
        stopped: Cycles given up that had begun while nobody was to own: planned stops.
        stop: The planned stop that lasts, or None.
        dated: The newest cycle of which the lines say when it began, or None.
        period_ms: Wall-clock length of a cycle, or None where they do not tell.
        unavailable: How many were decided without inputs.
        over_budget: How many of those because `observe` ran over its budget.
    """

    first: int | None = None
    last: int | None = None
    decided: int = 0
    settled: int = 0
    missed: tuple[Missed, ...] = ()
    missing: tuple[CycleRange, ...] = ()
    doubled: tuple[int, ...] = ()
    unsettled: tuple[int, ...] = ()
    gaps: tuple[Gap, ...] = ()
    stopped: tuple[CycleRange, ...] = ()
    stop: Stop | None = None
    dated: Dated | None = None
    period_ms: float | None = None
    unavailable: int = 0
    over_budget: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every cycle is accounted for exactly once; a missed one is accounted for."""
        return not (self.missing or self.doubled or self.unsettled or self.gaps)

    def undecided(self, now_ms: float, grace_ms: float) -> tuple[CycleRange, CycleRange]:
        """Return the cycles that are overdue and those that a stop which lasts has cost so far.

        Either may be empty: its last number is before its first.

        Args:
            now_ms: The time now.
            grace_ms: How long after its boundary a cycle may be undecided.
        """
        if self.dated is None or self.period_ms is None or self.last is None:
            return CycleRange(first=0, last=-1), CycleRange(first=0, last=-1)
        first, dated, period_ms = self.last + 1, self.dated, self.period_ms

        def begun_by(instant_ms: float) -> int:
            return dated.cycle + math.floor((instant_ms - dated.boundary_ms) / period_ms)

        overdue = max(first - 1, begun_by(now_ms - grace_ms))
        if self.stop is None:
            return CycleRange(first=first, last=overdue), CycleRange(first=1, last=0)
        # Begun strictly before it was asked for: that one had an owner.
        owned = max(first - 1, min(overdue, begun_by(self.stop.from_ms - 0.001)))
        stopped = max(owned, begun_by(now_ms))
        return CycleRange(first=first, last=owned), CycleRange(first=owned + 1, last=stopped)


def is_over_budget(line: Line) -> bool:
    """Tell whether a decision had no inputs because `observe` ran over its budget."""
    # What 0.2.0 wrote says so in words only.
    return OVER_BUDGET in line.evidence or line.unavailable.startswith("no inputs within ")


def effective(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines that happened, `aborted` lines and what they name left out.

    A newest line that is ahead of the record has happened too: the line is the commit.

    Args:
        lines: A run of lines, oldest first.
    """
    held: list[Line] = []
    for line in lines:
        if line.kind == ABORTED:
            held = [each for each in held if each.seq != line.aborts]
            continue
        # Between a line and the one that says it never happened there may be a new segment.
        if line.kind != SEGMENT:
            yield from held
            held = []
        held.append(line)
    yield from held


def audit_cycles(lines: Iterable[Line]) -> CycleReport:
    """Count the cycles in a run of lines, oldest first."""
    tally = _Tally()
    for line in effective(lines):
        tally.add(line)
    return tally.report()


class _Tally:
    def __init__(self) -> None:
        self._first: int | None = None
        self._next: int | None = None
        self._open: int | None = None  # the decided cycle that is not settled yet
        self._decided = 0
        self._settled = 0
        self._missed: list[Missed] = []
        self._missing: list[CycleRange] = []
        self._doubled: list[int] = []
        self._unsettled: list[int] = []
        self._gaps: list[Gap] = []
        self._stops = Stops()
        self._stopped: list[CycleRange] = []
        self._dated: tuple[Dated, Dated] | None = None  # the oldest and the newest
        self._unavailable = 0
        self._over_budget = 0
        self._last: Line | None = None

    def add(self, line: Line) -> None:
        if line.kind == SEGMENT and self._last is not None and _is_behind_hole(self._last, line):
            # This host was not there: what it lacks is named elsewhere, and counts as nothing here.
            self._next, self._open = line.cycle + 1, None
        self._last = line
        if line.kind == GAP:
            gap = Gap(seq=line.seq, cycle=line.cycle, parent=line.parent, result=line.result)
            self._gaps.append(gap)
        self._stops.add(line)
        if self._next is None:
            self._start(line)
        if line.kind in {"decide", "miss"}:
            self._advance(line)
        elif line.kind == "settle":
            self._settled += 1
            self._open = None
        else:
            self._pass_over(line.cycle + 1)

    def report(self) -> CycleReport:
        empty = self._first is None or self._next is None or self._next <= self._first
        return CycleReport(
            first=None if empty else self._first,
            last=None if empty or self._next is None else self._next - 1,
            decided=self._decided,
            settled=self._settled,
            missed=tuple(self._missed),
            missing=tuple(self._missing),
            doubled=tuple(self._doubled),
            unsettled=tuple(self._unsettled),
            gaps=tuple(self._gaps),
            stopped=tuple(self._stopped),
            stop=self._stops.open,
            dated=self._dated[1] if self._dated else None,
            period_ms=_period_ms(*self._dated) if self._dated else None,
            unavailable=self._unavailable,
            over_budget=self._over_budget,
        )

    def _start(self, line: Line) -> None:
        # A decision is the first of its cycle; every other line speaks of one already begun.
        self._first = line.cycle + (line.kind in BOOKKEEPING or line.kind == GENESIS)
        self._next = line.cycle if line.kind in {"decide", "miss"} else line.cycle + 1

    def _advance(self, line: Line) -> None:
        assert self._next is not None, "started by the first line"
        if line.cycle < self._next:
            self._doubled.append(line.cycle)
        if self._open is not None:
            self._unsettled.append(self._open)
        self._pass_over(line.cycle)
        self._next = max(self._next, line.cycle + 1)
        self._open = line.cycle if line.kind == "decide" else None
        if line.scheduled_ms is not None:
            dated = Dated(cycle=line.cycle, boundary_ms=line.scheduled_ms)
            self._dated = (self._dated[0] if self._dated else dated, dated)
        if line.kind == "decide":
            self._decided += 1
            self._unavailable += bool(line.unavailable)
            self._over_budget += is_over_budget(line)
        elif self._stops.has_stopped(line):
            self._stopped = _with_cycle(self._stopped, line.cycle)
        else:
            self._missed.append(_missed_in(line))

    def _pass_over(self, upto: int) -> None:
        assert self._next is not None, "started by the first line"
        if upto > self._next:
            self._missing.append(CycleRange(first=self._next, last=upto - 1))
            self._next = upto


def _is_behind_hole(last: Line, line: Line) -> bool:
    return line.seq > last.seq + 1 and line.result != last.result


def _period_ms(older: Dated, newer: Dated) -> float | None:
    if newer.cycle <= older.cycle or newer.boundary_ms <= older.boundary_ms:
        return None
    return (newer.boundary_ms - older.boundary_ms) / (newer.cycle - older.cycle)


def _with_cycle(ranges: list[CycleRange], cycle: int) -> list[CycleRange]:
    if ranges and ranges[-1].last == cycle - 1:
        ranges[-1] = CycleRange(first=ranges[-1].first, last=cycle)
    else:
        ranges.append(CycleRange(first=cycle, last=cycle))
    return ranges


def _missed_in(line: Line) -> Missed:
    missed = decode_open(line.header, Record).progress.missed
    return missed[-1] if missed else Missed(cycle=line.cycle, reason="")
