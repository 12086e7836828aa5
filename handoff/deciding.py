"""Deciding one cycle from recorded facts: the same for an owner, a replay and a verification.

Owns what is handed to the application's `decide`, what is checked of its result, and how that
is stored. Nothing is observed, committed or performed here; whoever decides the same cycle on
the same record and inputs gets the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handoff.cadence import Schedule, seed_of
from handoff.errors import WorkloadFaulty
from handoff.outside import words_of
from handoff.workload import BodyT, Cycle, Decision, InputsT, Unavailable, Workload, is_json
from state.errors import SchemaMismatch, ValueUnstorable
from state.journal_frames import Health
from state.open_struct import as_read, decode_open
from state.outbox import planned_in
from state.record import Effect, Fallback, Record, Rollout, SchemaId

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.journal_frames import Line
    from state.store import Note


def cycle_of(record: Record, number: int, schedule: Schedule, *, release: str) -> Cycle:
    """Return the cycle as the application sees it, from recorded facts alone."""
    return Cycle(
        number=number,
        now_ns=schedule.app_boundary_ns(number),
        seed=seed_of(record.app, record.timeline, number),
        control=record.control,
        epoch=record.ownership.epoch,
        release=release,
    )


def inputs_of(workload: Workload[BodyT, InputsT], recorded: Note | Line) -> InputsT | Unavailable:
    """Return the inputs as they are recorded: what is decided now is decided again alike.

    Raises:
        SchemaMismatch: This code cannot read what was recorded.
    """
    if recorded.unavailable:
        return Unavailable(recorded.unavailable)
    known = workload.inputs.schema_id
    stored = SchemaId(name=known.name, version=recorded.inputs_schema, fingerprint="")
    return workload.inputs.decode(recorded.inputs, stored)


def health_of(workload: Workload[BodyT, InputsT], inputs: InputsT | Unavailable) -> Health:
    """Return how much of what a cycle asked for was answered, as the application counts it.

    Raises:
        WorkloadFaulty: It raised, or its numbers make no sense.
    """
    try:
        health = workload.health(inputs)
        asked, answered = int(health.asked), int(health.answered)
    except Exception as error:
        message = f"health raised {words_of(error)}"
        raise WorkloadFaulty(message) from error
    if not 0 <= answered <= asked:
        message = f"health says that {answered} of {asked} were answered"
        raise WorkloadFaulty(message)
    return Health(asked=asked, answered=answered)


def shape_fault(known: SchemaId, stored: SchemaId | None) -> str:
    """Return what is wrong if a shape changed without a new version, or an empty string."""
    if stored is None or stored.name != known.name or stored.version != known.version:
        return ""
    if stored.fingerprint == known.fingerprint:
        return ""
    return (
        f"the shape of {known.name} changed without a new version: "
        f"raise version {known.version} and add steps up and down"
    )


def decide_once(
    workload: Workload[BodyT, InputsT],
    record: Record,
    cycle: Cycle,
    inputs: InputsT | Unavailable,
) -> Decision[BodyT]:
    """Let the application decide on a fresh copy of the body and check what it returns.

    Raises:
        WorkloadFaulty: It raised, or its body violates its own invariants.
    """
    try:
        body = workload.body.decode(record.body, record.schema)
        decision = workload.decide(cycle, body, inputs, record.receipts)
        violations = [str(each.reason) for each in workload.invariants(decision.body)]
        planned = tuple(decision.effects)
    except SchemaMismatch as error:
        raise WorkloadFaulty(str(error)) from error
    except WorkloadFaulty:
        raise  # its words are whole
    except Exception as error:
        message = f"decide raised {words_of(error)}"
        raise WorkloadFaulty(message) from error
    effects = tuple(_as_recorded(each) for each in planned)
    if violations:
        message = f"invariant violated: {'; '.join(violations)}"
        raise WorkloadFaulty(message)
    return Decision(body=decision.body, effects=effects)


def _as_recorded(planned: object) -> Effect:
    """Return an effect as every later owner reads it, who must do the same with it.

    Raises:
        WorkloadFaulty: It is none, or could be read by nobody.
    """
    why = ""
    # By an empty id nothing is found, and whatever comes after nothing would wait for it.
    if isinstance(planned, Effect) and planned.effect_id and is_json(planned.payload):
        try:
            return as_read(planned)
        except ValueUnstorable as error:
            why = f": {error}"
    message = f"decide planned {planned!r}, which cannot be stored{why}"
    raise WorkloadFaulty(message)


def encode_bodies(
    workload: Workload[BodyT, InputsT], record: Record, body: BodyT
) -> tuple[msgspec.Raw, Fallback | None]:
    """Return a body as it is stored, and as the previous release reads it.

    What cannot be read back is never stored: no release could go on from it.

    Raises:
        WorkloadFaulty: It cannot be written, read back, or brought down.
    """
    try:
        stored = workload.body.encode(body)
        workload.body.decode(stored, workload.body.schema_id)
        return stored, fallback_of(workload, record, body)
    except Exception as error:
        message = f"the body cannot be stored: {error}"
        raise WorkloadFaulty(message) from error


def fallback_of(workload: Workload[BodyT, InputsT], record: Record, body: BodyT) -> Fallback | None:
    """Return the body as the previous release reads it, while one may come back.

    Where both releases share a schema the body itself is readable and nothing is doubled.
    """
    rollout: Rollout | None = record.rollout
    if rollout is None or record.schema is None:
        return None
    target = record.fallback.schema if record.fallback is not None else record.schema
    if target == workload.body.schema_id:
        return None
    return Fallback(schema=target, body=workload.body.encode_down(body, target))


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
