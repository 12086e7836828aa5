"""The recent cycles as the journal tells them: who decided each, and how punctually.

Owns the reading of journal lines into a strip of cycles, runs of one release, and the period
that two boundaries imply. It counts nothing that the strip does not show: the proof over all
cycles is `state.cycle_audit`. No clock and no file enters.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import Final

import msgspec

from foresight.dashboard.hues import hue_of
from state.journal_frames import ABORTED, GENESIS, Health
from state.record import Phase

STRIP_CYCLES: Final = 120  # two hours at a minute a cycle; fits one row of a desktop screen
LATE_MS_MAX: Final = 1000.0  # a loaded machine pauses a process for a second
LATE_PART: Final = 0.1  # of the period, where that is less


class Mark(enum.StrEnum):
    """What became of a cycle."""

    DECIDING = "deciding"  # decided, its effects are not final yet
    DONE = "done"  # decided and settled, in time
    LATE = "late"  # decided and settled, begun late
    MISSED = "missed"  # given up by the catch-up policy
    ABSENT = "absent"  # the journal says nothing of it


class CycleLine(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a journal line that the page shows; named as in `state.journal_frames`."""

    seq: int = 0
    kind: str
    at_ms: float = 0.0
    epoch: int = 0
    worker: str = ""
    release: str = ""
    cycle: int = 0
    phase: Phase = Phase.SETTLED
    scheduled_ms: float | None = None
    started_ms: float | None = None
    committed_ms: float | None = None
    unavailable: str = ""
    evidence: dict[str, str | int | float] = {}
    aborts: int = 0
    health: Health | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cycle of the strip.

    Attributes:
        cycle: Its number.
        mark: What became of it.
        release: The release that decided it, or, where nobody did, the one before.
        epoch: Its epoch.
        worker: Name of the worker.
        boundary_ms: Its boundary, wall-clock milliseconds; None where no line says.
        late_ms: From the boundary to the start of the work; None where no line says.
        worked_ms: From the start of the work to the last commit so far.
        note: Why it was missed, or what was amiss with its inputs.
    """

    cycle: int
    mark: Mark
    release: str = ""
    epoch: int = 0
    worker: str = ""
    boundary_ms: float | None = None
    late_ms: float | None = None
    worked_ms: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Neighbouring cycles of one release.

    Attributes:
        release: Its id.
        name: Its short name.
        subject: First line of its commit message.
        hue: Of its colour, degrees.
        cells: The cycles, oldest first.
        follows: Whether a run of another release stands before it: it began here.
    """

    release: str
    name: str
    subject: str
    hue: int
    cells: tuple[Cell, ...]
    follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The recent cycles.

    Attributes:
        runs: By release, oldest first.
        cycles: How many cycles are shown.
        late: Of them late.
        missed: Of them given up.
        absent: Of them without any line.
        changes: How often the release changed.
        start_median_ms: Median time from a boundary to the start of the work.
        start_worst_ms: The longest.
    """

    runs: tuple[Run, ...] = ()
    cycles: int = 0
    late: int = 0
    missed: int = 0
    absent: int = 0
    changes: int = 0
    start_median_ms: float | None = None
    start_worst_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The moment at which a release came to own."""

    release: str
    previous: str
    at_ms: float
    cycle: int
    kind: str


def happened(lines: Iterable[CycleLine]) -> tuple[CycleLine, ...]:
    """Return the lines that happened: `aborted` lines and what they name are left out."""
    kept: dict[int, CycleLine] = {}
    for line in lines:
        if line.kind == ABORTED:
            kept.pop(line.aborts, None)
        else:
            kept[line.seq] = line
    return tuple(kept.values())


def cells_of(lines: Iterable[CycleLine], period_ms: float | None) -> tuple[Cell, ...]:
    """Return the newest cycles, oldest first, without holes.

    Args:
        lines: Lines that happened, oldest first.
        period_ms: Wall-clock length of a cycle, or None where it is not known.
    """
    late_ms = LATE_MS_MAX if period_ms is None else min(LATE_MS_MAX, LATE_PART * period_ms)
    known: dict[int, Cell] = {}
    for line in lines:
        match line.kind:
            case "decide":
                known[line.cycle] = _decided(line, late_ms)
            case "settle" if line.cycle in known:
                known[line.cycle] = _settled(known[line.cycle], line, late_ms)
            case "miss":
                known[line.cycle] = _missed(line)
            case _:
                pass  # changes of owner and commands show as what comes of them
    if not known:
        return ()
    newest = max(known)
    cells: list[Cell] = []
    for cycle in range(max(min(known), newest - STRIP_CYCLES + 1), newest + 1):
        release = cells[-1].release if cells else ""
        cells.append(known.get(cycle) or Cell(cycle=cycle, mark=Mark.ABSENT, release=release))
    return tuple(cells)


def strip_of(
    cells: Sequence[Cell],
    *,
    names: Mapping[str, str],
    subjects: Mapping[str, str],
) -> Strip:
    """Return the strip of some cells; the mappings are by release id."""
    runs: list[Run] = []
    for release, group in groupby(cells, key=lambda cell: cell.release):
        run = Run(
            release=release,
            name=names.get(release, release),
            subject=subjects.get(release, ""),
            hue=hue_of(release),
            cells=tuple(group),
            follows=bool(runs),
        )
        runs.append(run)
    starts = [cell.late_ms for cell in cells if cell.late_ms is not None]
    return Strip(
        runs=tuple(runs),
        cycles=len(cells),
        late=sum(_is_late(cell) for cell in cells),
        missed=sum(cell.mark is Mark.MISSED for cell in cells),
        absent=sum(cell.mark is Mark.ABSENT for cell in cells),
        changes=max(0, len(runs) - 1),
        start_median_ms=median(starts) if starts else None,
        start_worst_ms=max(starts) if starts else None,
    )


def period_of(lines: Sequence[CycleLine]) -> tuple[float, float, int] | None:
    """Return the wall-clock period, the newest boundary and its cycle; None if unknown.

    The configuration of the running release is not ours to read; two boundaries tell as much.
    """
    dated = [(line.cycle, line.scheduled_ms) for line in lines if _is_dated(line)]
    if not dated:
        return None
    newest, boundary_ms = max((cycle, ms) for cycle, ms in dated if ms is not None)
    older = [(cycle, ms) for cycle, ms in dated if ms is not None and cycle < newest]
    if not older:
        return None
    cycle, before_ms = max(older)
    period_ms = (boundary_ms - before_ms) / (newest - cycle)
    return (period_ms, boundary_ms, newest) if period_ms > 0 else None


def last_change(lines: Sequence[CycleLine]) -> Change | None:
    """Return when the newest release came to own; None where the lines begin later."""
    owned = [line for line in lines if line.release]
    for line, before in zip(reversed(owned), reversed(owned[:-1]), strict=False):
        if line.release != before.release:
            return _change(line, before.release)
    began_here = bool(owned) and lines[0].kind == GENESIS
    return _change(owned[0], "") if began_here else None


def _change(line: CycleLine, previous: str) -> Change:
    return Change(
        release=line.release,
        previous=previous,
        at_ms=line.at_ms,
        cycle=line.cycle + 1 if line.phase is Phase.SETTLED else line.cycle,
        kind=line.kind,
    )


def _is_dated(line: CycleLine) -> bool:
    return line.kind in {"decide", "settle", "miss"} and line.scheduled_ms is not None


def _is_late(cell: Cell) -> bool:
    return cell.mark is Mark.LATE


def _decided(line: CycleLine, late_ms: float) -> Cell:
    cell = Cell(
        cycle=line.cycle,
        mark=Mark.DECIDING,
        release=line.release,
        epoch=line.epoch,
        worker=line.worker,
        boundary_ms=line.scheduled_ms,
        note=_inputs_note(line),
    )
    if line.started_ms is None or line.scheduled_ms is None:
        return cell
    behind_ms = max(0.0, line.started_ms - line.scheduled_ms)
    worked_ms = None if line.committed_ms is None else line.committed_ms - line.started_ms
    mark = Mark.LATE if behind_ms > late_ms else Mark.DECIDING
    return replace(cell, mark=mark, late_ms=behind_ms, worked_ms=worked_ms)


def _inputs_note(line: CycleLine) -> str:
    """Return what was amiss with a cycle's inputs; empty where everything was answered."""
    if line.unavailable:
        return f"no inputs: {line.unavailable}"
    if line.health is None or line.health.answered >= line.health.asked:
        return ""
    return f"{line.health.answered} of {line.health.asked} answered"


def _settled(cell: Cell, line: CycleLine, late_ms: float) -> Cell:
    mark = Mark.LATE if cell.late_ms is not None and cell.late_ms > late_ms else Mark.DONE
    worked_ms = cell.worked_ms
    if line.committed_ms is not None and cell.boundary_ms is not None and cell.late_ms is not None:
        worked_ms = line.committed_ms - cell.boundary_ms - cell.late_ms
    return replace(cell, mark=mark, worked_ms=worked_ms)


def _missed(line: CycleLine) -> Cell:
    return Cell(
        cycle=line.cycle,
        mark=Mark.MISSED,
        release=line.release,
        epoch=line.epoch,
        worker=line.worker,
        boundary_ms=line.scheduled_ms,
        note=str(line.evidence.get("reason", "")),
    )
