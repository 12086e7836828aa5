"""Replay of one recorded cycle: the same inputs, the same body, the same result.

Owns the way back from a journal line to the record it promised. It is used when a record
is damaged and when the journal is verified; it observes nothing and performs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handoff.deciding import cycle_of, decide_once, encode_bodies, inputs_of
from state.open_struct import decode_open
from state.record import Record
from state.transitions import planned_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.cadence import Schedule
    from handoff.workload import Workload
    from state.journal_frames import Line


def replay_with(
    workload: Workload[Any, Any], schedule: Schedule, *, effects_too: bool = False
) -> Callable[[Record, Line], Record]:
    """Return the replay of an application: it gives the record after a decide line, with bodies.

    Args:
        workload: The application.
        schedule: Its boundaries.
        effects_too: Take the effects from the decision as well, so that other ones show.
            Recovery takes them from the line: they are what was planned.
    """

    def replay(before: Record, line: Line) -> Record:
        header = decode_open(line.header, Record)
        cycle = cycle_of(before, line.cycle, schedule, release=line.release)
        decision = decide_once(workload, before, cycle, inputs_of(workload, line))
        body, fallback = encode_bodies(workload, before, decision.body)
        decided = (*before.outbox, *planned_in(line.cycle, decision.effects))
        return msgspec.structs.replace(
            header,
            body=body,
            fallback=fallback,
            outbox=decided if effects_too else header.outbox,
        )

    return replay
