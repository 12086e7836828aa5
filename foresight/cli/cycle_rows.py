"""One row for each cycle, from the journal's lines.

Owns what a row holds. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from state.cycle_audit import effective, is_over_budget
from state.planned_stop import Stops

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from state.journal_frames import Line


class Row(msgspec.Struct, kw_only=True):
    """One cycle; times are milliseconds since 1970 UTC."""

    cycle: int
    scheduled: float | None
    started: float | None
    decided: float | None = None
    settled: float | None = None
    missed: str = ""
    stopped: bool = False
    unavailable: str = ""
    over_budget: bool = False
    release: str = ""
    epoch: int = 0
    worker: str = ""
    late_ms: float | None = None
    effects: int = 0
    asked: int | None = None
    answered: int | None = None


def rows_of(lines: Iterable[Line]) -> Iterator[Row]:
    """Yield one row per cycle from journal lines, oldest first."""
    row: Row | None = None
    stops = Stops()
    for line in effective(lines):
        stops.add(line)
        if line.kind in ("decide", "miss"):
            if row is not None:
                yield row
            row = _row(line, stopped=stops.has_stopped(line))
        elif line.kind == "settle" and row is not None and row.cycle == line.cycle:
            row.settled = line.committed_ms
    if row is not None:
        yield row


def _row(line: Line, *, stopped: bool) -> Row:
    late = (
        round(line.started_ms - line.scheduled_ms, 3)
        if line.started_ms is not None and line.scheduled_ms is not None
        else None
    )
    header: dict[str, Any] = msgspec.json.decode(line.header)
    planned = [each for each in header["outbox"] if each.get("cycle") == line.cycle]
    return Row(
        cycle=line.cycle,
        scheduled=line.scheduled_ms,
        started=line.started_ms,
        decided=line.committed_ms if line.kind == "decide" else None,
        unavailable=line.unavailable,
        stopped=stopped,
        over_budget=is_over_budget(line),
        missed=str(line.evidence.get("reason", "missed")) if line.kind == "miss" else "",
        release=line.release,
        epoch=line.epoch,
        worker=line.worker,
        late_ms=late,
        effects=len(planned) if line.kind == "decide" else 0,
        asked=None if line.health is None else line.health.asked,
        answered=None if line.health is None else line.health.answered,
    )
