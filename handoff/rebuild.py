"""Deciding a recorded cycle again: the same inputs, the same body, the same result.

Owns the way back from a journal line to the record it promised. It is used when a record
is damaged and when the journal is verified; it observes nothing and performs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handoff.cycle import cycle_of, decide_once, fallback_of
from handoff.workload import Unavailable, Workload
from state.open_struct import decode_open
from state.record import Record, SchemaId

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.cadence import Schedule
    from state.journal_frames import Line


def inputs_of(workload: Workload[Any, Any], line: Line) -> object:
    """Return the inputs that a decide line recorded.

    Raises:
        SchemaMismatch: This code cannot read inputs of that version.
    """
    if line.unavailable:
        return Unavailable(line.unavailable)
    known = workload.inputs.schema_id
    stored = SchemaId(name=known.name, version=line.inputs_schema, fingerprint="")
    return workload.inputs.decode(line.inputs, stored)


def rebuild_with(
    workload: Workload[Any, Any], schedule: Schedule
) -> Callable[[Record, Line], Record]:
    """Return a function that gives the record after a decide line, bodies included."""

    def rebuild(before: Record, line: Line) -> Record:
        header = decode_open(line.header, Record)
        cycle = cycle_of(before, line.cycle, schedule, release=line.release)
        decision = decide_once(workload, before, cycle, inputs_of(workload, line))
        return msgspec.structs.replace(
            header,
            body=workload.body.encode(decision.body),
            fallback=fallback_of(workload, before, decision.body),
        )

    return rebuild
