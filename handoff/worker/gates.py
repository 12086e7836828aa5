"""The gates that only a release's own code can answer: cadence, schema, warm, reconcile.

Owns their order, their bounds and what each one proves. They run in the candidate, before
it may own anything; gates that need the world outside a worker belong to the deployer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from handoff.deciding import shape_fault
from handoff.gate_verdict import LIMITS_S, GateName, GateVerdict, failed, passed
from handoff.limits import MS, NS, RECONCILE_PAUSE_S
from handoff.outside import fault_words, is_outside, words_of
from state.errors import SchemaMismatch, StateError
from state.moments import milliseconds, rfc3339

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from handoff.cadence import Schedule
    from handoff.worker.ports import Clock
    from handoff.workload import Reconciliation, Workload
    from state.numbering import Numbered
    from state.record import Record

    NewestNumbered = Callable[[], Numbered | None]

_REMEDY = "another cadence needs a home of its own"


def cadence(schedule: Schedule, record: Record, newest: NewestNumbered) -> GateVerdict:
    """Say whether a release begins cycles when the record's cycles begin.

    A cycle is a number. With another period the next one is years away or years late: an owner
    would wait for ever or catch up for ever, and a healthy one would look overdue.

    Args:
        schedule: The release's boundaries.
        record: What its numbers mean, where some owner has said it.
        newest: Asked otherwise: what the journal says.
    """
    if record.cadence is not None:
        fault = cadence_fault(schedule, record)
        if fault:
            return failed(GateName.CADENCE, fault)
        return passed(GateName.CADENCE, f"every {_seconds(record.cadence.period_ns)}, as recorded")
    known = newest()
    if known is None or (_has_begun_so(schedule, known) and not known.decided):
        return passed(GateName.CADENCE, "no cycle is recorded yet")
    if _has_begun_so(schedule, known):
        return passed(GateName.CADENCE, f"cycle {known.cycle} begins when it did")
    reason = (
        f"cycle {known.cycle} would have begun at {rfc3339(schedule.boundary_ns(known.cycle))}, it "
        f"did so at {rfc3339(round(known.began_ms * MS))}: {_REMEDY}"
    )
    return failed(GateName.CADENCE, reason)


def cadence_fault(schedule: Schedule, record: Record) -> str:
    """Return how a release's cycle numbers differ from those that the record says, or nothing."""
    held, own = record.cadence, schedule.cadence
    if held is None or (held.period_ns, held.offset_ns) == (own.period_ns, own.offset_ns):
        return ""
    return (
        f"its cycles are {_seconds(own.period_ns)} from {_seconds(own.offset_ns)}, those of the "
        f"record {_seconds(held.period_ns)} from {_seconds(held.offset_ns)}: {_REMEDY}"
    )


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / NS:g} s"


def _has_begun_so(schedule: Schedule, known: Numbered) -> bool:
    """Tell whether a cycle begins when it did; the first record is made within its cycle."""
    if known.decided:
        return milliseconds(schedule.boundary_ns(known.cycle)) == known.began_ms
    return abs(schedule.cycle_at(round(known.began_ms * MS)) - known.cycle) <= 1


class Examined(NamedTuple):
    """What a gate said, and whether the outside world alone was the reason."""

    verdict: GateVerdict
    is_weather: bool = False


async def examine(
    workload: Workload[Any, Any],
    record: Record,
    clock: Clock,
    *,
    way_back: bool = True,
    limit_s: float | None = None,
) -> AsyncIterator[Examined]:
    """Yield the verdict of each gate in turn; nothing follows a failed one.

    Args:
        workload: The release's application.
        record: The record as this worker would find it as its owner.
        clock: Measures the gates.
        way_back: The release that wrote the body must be able to read it again later. A standby
            of a release that owns has none to go back to.
        limit_s: Longest time for each of them, where that is less than its own limit.
    """
    schema = partial(_schema, way_back=way_back)
    reconcile = partial(_reconcile, clock=clock)
    for gate, check in (
        (GateName.SCHEMA, schema),
        (GateName.WARM, _warm),
        (GateName.RECONCILE, reconcile),
    ):
        begun_ns = clock.monotonic_ns()
        try:
            async with asyncio.timeout(limit_s):
                evidence = await check(workload, record)
        except Exception as error:  # noqa: BLE001 - whatever a release raises refuses it
            seconds = (clock.monotonic_ns() - begun_ns) / NS
            yield Examined(
                failed(gate, _fault_of(gate, error, workload), seconds=seconds),
                is_weather=is_outside(error, workload.outside),
            )
            return
        yield Examined(passed(gate, evidence, seconds=(clock.monotonic_ns() - begun_ns) / NS))


def _fault_of(gate: GateName, error: Exception, workload: Workload[Any, Any]) -> str:
    """Return why a gate failed; what the release did not declare names the line that would."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, StateError):
        return str(error)
    if is_outside(error, workload.outside) or gate is GateName.SCHEMA:
        return words_of(error)
    return fault_words(gate.value, error)


class _Disagrees(StateError):
    """What is stored or what the world says does not fit; the text is the reason."""


async def _schema(workload: Workload[Any, Any], record: Record, *, way_back: bool) -> str:
    """The live body can be read, and written back for the release that may return."""
    stored, known = record.schema, workload.body.schema_id
    if stored is None:
        return f"no body yet, schema version {known.version}"
    fault = shape_fault(known, stored)
    if fault:
        raise _Disagrees(fault)
    workload.body.decode(record.body, stored)
    if stored.version == known.version:
        return f"version {known.version}"
    if not way_back:
        return f"version {stored.version} goes up to {known.version}, with no way back"
    try:
        workload.body.require_way_back(record.body, stored)
    except SchemaMismatch as error:
        message = f"{error}: the running release could not come back; --irreversible accepts that"
        raise _Disagrees(message) from error
    return f"version {stored.version} goes up to {known.version} and down again, nothing lost"


async def _warm(workload: Workload[Any, Any], record: Record) -> str:
    async with asyncio.timeout(LIMITS_S[GateName.WARM]):
        await workload.warm(workload.body.decode(record.body, record.schema))
    return "warm"


async def _reconcile(workload: Workload[Any, Any], record: Record, *, clock: Clock) -> str:
    body = workload.body.decode(record.body, record.schema)
    async with asyncio.timeout(LIMITS_S[GateName.RECONCILE]):
        answer = await _answered(lambda: workload.reconcile(body, record.outbox), workload, clock)
    if answer.differences:
        raise _Disagrees("; ".join(answer.differences))
    return "the outside world agrees"


async def _answered(
    ask: Callable[[], Awaitable[Reconciliation]], workload: Workload[Any, Any], clock: Clock
) -> Reconciliation:
    """Ask again where the world kept silent: one late answer is no reason to refuse a release."""
    for pause_s in RECONCILE_PAUSE_S:
        try:
            return await ask()
        except Exception as error:
            if not is_outside(error, workload.outside):
                raise
        await clock.pause(pause_s)
    return await ask()
