"""One cycle of an owner: observe, decide, commit, perform, settle.

Owns the order of these steps and what a failure of each means. When a cycle is due and who
owns is the worker's matter; which commit is allowed is `state.transitions`'.

A fault of the application before the commit leaves the record untouched (`WorkloadFaulty`).
After the commit there is no way back: the effects get their fates, then the cycle settles.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from handoff.cadence import Schedule, seed_of
from handoff.effects import Performer
from handoff.errors import WorkloadFaulty
from handoff.limits import MS, NS, OUTBOX_MAX
from handoff.log_events import LogEvent
from handoff.workload import Cycle, Decision, Unavailable, Workload
from state import transitions
from state.errors import OutcomeUnknown, Refusal, Refused, SchemaMismatch, ValueUnstorable
from state.record import Fallback, Record, Rollout, WorkerId
from state.store import Change, Note, Store
from state.transitions import Cleanliness

if TYPE_CHECKING:
    from handoff.logs import Log
    from handoff.ports import Clock

_LANDED_READS_MAX = 3  # reads that may fail before an unknown outcome is passed on


class CycleRunner:
    """Runs the cycles of one owner with one epoch.

    Args:
        workload: The application.
        store: Where the record lives.
        clock: Time.
        schedule: Boundaries and bounds.
        me: The owner.
        record: The record as this worker came to own it.
        log: Where trouble is reported.
    """

    def __init__(
        self,
        *,
        workload: Workload[Any, Any],
        store: Store,
        clock: Clock,
        schedule: Schedule,
        me: WorkerId,
        record: Record,
        log: Log,
    ) -> None:
        """Keep the parts; the epoch is the record's."""
        self._workload = workload
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._me = me
        self._epoch = record.ownership.epoch
        self._log = log
        self._performer = Performer(workload, clock, log, owned_since_ns=clock.now_ns())

    async def run(self, record: Record, number: int) -> Record:
        """Run one cycle to its end.

        Returns:
            The settled record.

        Raises:
            WorkloadFaulty: The application broke a rule; nothing was committed.
            Refused: Ownership is lost; nothing more was written.
            StateError: The store could not be used.
        """
        started_ns = self._clock.now_ns()
        try:
            body = self._workload.body.decode(record.body, record.schema)
        except SchemaMismatch as error:
            raise WorkloadFaulty(str(error)) from error
        cycle = self._cycle(record, number)
        inputs = await self._observe(cycle, body)
        decided = self._decide(record, cycle, inputs, started_ns)
        outside = isinstance(inputs, Unavailable)
        return await self.finish(
            decided, fresh=True, cleanliness=Cleanliness.OUTSIDE if outside else Cleanliness.CLEAN
        )

    async def finish(
        self, record: Record, *, fresh: bool, cleanliness: Cleanliness = Cleanliness.OUTSIDE
    ) -> Record:
        """Give every effect of a decided cycle a fate and settle it.

        Args:
            record: A record whose cycle is decided.
            fresh: This worker planned the effects; nobody has sent them.
            cleanliness: How the cycle counts in a bake.
        """
        verdicts = await self._performer.settle_all(
            record.outbox,
            fresh=fresh,
            deadline_ns=self._clock.now_ns() + self._schedule.bounds.budget_ns // 2,
            may_send=not record.control.halted,
        )
        number = record.progress.cycle
        change = partial(
            transitions.settle,
            worker=self._me,
            epoch=self._epoch,
            cycle=number,
            fates=verdicts,
            cleanliness=cleanliness,
        )
        return self.commit(change, self._note("settle", number))

    def miss(self, number: int, reason: str) -> Record:
        """Give a cycle up, with the reason."""
        self._log.write(LogEvent.CYCLE_MISSED, cycle=number, reason=reason)
        change = partial(
            transitions.miss, worker=self._me, epoch=self._epoch, cycle=number, reason=reason
        )
        return self.commit(change, self._note("miss", number, reason=reason))

    def release(self, reason: str) -> Record:
        """Give ownership up between two cycles."""
        change = partial(transitions.release, worker=self._me, epoch=self._epoch)
        return self.commit(change, Note(kind="release", evidence={"reason": reason}))

    def commit(self, change: Any, note: Note) -> Record:  # noqa: ANN401 - partial of a transition
        """Apply a transition once; an unknown outcome is looked up, never repeated blindly."""
        attempt = secrets.token_hex(8)
        bound: Change = partial(change, attempt=attempt)
        try:
            return self._store.transact(bound, note)
        except OutcomeUnknown:
            found = self._read_again()
            return found if found.attempt == attempt else self._store.transact(bound, note)

    def _read_again(self) -> Record:
        for _ in range(_LANDED_READS_MAX - 1):
            try:
                return self._store.read()
            except OSError:
                continue
        return self._store.read()

    def _cycle(self, record: Record, number: int) -> Cycle:
        return cycle_of(record, number, self._schedule, release=self._me.release)

    async def _observe(self, cycle: Cycle, body: object) -> object:
        limit_s = self._schedule.bounds.budget_ns / 2 / NS
        try:
            async with asyncio.timeout(limit_s):
                return await self._workload.observe(cycle, body)
        except TimeoutError:
            return self._unavailable(cycle, f"no inputs within {limit_s:.2f} s")
        except OSError as error:
            return self._unavailable(cycle, f"{type(error).__name__}: {error}")
        except Exception as error:
            message = f"observe raised {type(error).__name__}: {error}"
            raise WorkloadFaulty(message) from error

    def _unavailable(self, cycle: Cycle, reason: str) -> Unavailable:
        self._log.write(LogEvent.INPUTS_UNAVAILABLE, cycle=cycle.number, reason=reason)
        return Unavailable(reason)

    def _decide(self, record: Record, cycle: Cycle, inputs: object, started_ns: int) -> Record:
        """Decide and commit; a command that lands in between is decided upon afresh."""
        note = self._decide_note(cycle.number, inputs, started_ns)
        for _ in range(2):
            change = self._decision(record, cycle, inputs)
            try:
                return self.commit(change, note)
            except Refused as refused:
                if refused.refusal is not Refusal.HALTED:
                    raise
                record = self._store.read()
                cycle = msgspec.structs.replace(cycle, control=record.control)
        message = "it plans effects although it is halted"
        raise WorkloadFaulty(message)

    def _decision(self, record: Record, cycle: Cycle, inputs: object) -> Any:  # noqa: ANN401
        """Return the transition that commits what the application decides."""
        begun_ns = self._clock.monotonic_ns()
        try:
            decision = decide_once(self._workload, record, cycle, inputs)
            body = self._workload.body.encode(decision.body)
            fallback = fallback_of(self._workload, record, decision.body)
        except (SchemaMismatch, ValueUnstorable) as error:
            raise WorkloadFaulty(str(error)) from error
        took_ns = self._clock.monotonic_ns() - begun_ns
        budget_ns = self._schedule.bounds.budget_ns
        if record.rollout is not None and took_ns > budget_ns:
            message = f"deciding took {took_ns / MS:.0f} ms, the budget is {budget_ns / MS:.0f} ms"
            raise WorkloadFaulty(message)
        if len(record.outbox) + len(decision.effects) > OUTBOX_MAX:
            message = f"more than {OUTBOX_MAX} effects pending"
            raise WorkloadFaulty(message)
        return partial(
            transitions.decide,
            worker=self._me,
            epoch=self._epoch,
            cycle=cycle.number,
            body=body,
            schema=self._workload.body.schema_id,
            effects=tuple(decision.effects),
            fallback=fallback,
        )

    def _decide_note(self, number: int, inputs: object, started_ns: int) -> Note:
        if isinstance(inputs, Unavailable):
            return self._note("decide", number, unavailable=inputs.reason, started_ns=started_ns)
        try:
            raw = self._workload.inputs.encode(inputs)
        except (ValueUnstorable, msgspec.EncodeError, TypeError) as error:
            message = f"inputs cannot be recorded: {error}"
            raise WorkloadFaulty(message) from error
        return Note(
            kind="decide",
            inputs=raw,
            inputs_schema=self._workload.inputs.schema_id.version,
            scheduled_ns=self._schedule.boundary_ns(number),
            started_ns=started_ns,
        )

    def _note(
        self,
        kind: str,
        number: int,
        *,
        unavailable: str = "",
        started_ns: int = 0,
        reason: str = "",
    ) -> Note:
        return Note(
            kind=kind,
            unavailable=unavailable,
            scheduled_ns=self._schedule.boundary_ns(number),
            started_ns=started_ns,
            evidence={"reason": reason} if reason else {},
        )


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


def decide_once(
    workload: Workload[Any, Any], record: Record, cycle: Cycle, inputs: object
) -> Decision[Any]:
    """Let the application decide on a fresh copy of the body and check what it returns.

    Raises:
        WorkloadFaulty: It raised, or its body violates its own invariants.
    """
    body = workload.body.decode(record.body, record.schema)
    try:
        decision = workload.decide(cycle, body, inputs, record.receipts)
        violations = workload.invariants(decision.body)
    except Exception as error:
        message = f"decide raised {type(error).__name__}: {error}"
        raise WorkloadFaulty(message) from error
    if violations:
        reasons = "; ".join(violation.reason for violation in violations)
        message = f"invariant violated: {reasons}"
        raise WorkloadFaulty(message)
    return decision


def fallback_of(workload: Workload[Any, Any], record: Record, body: object) -> Fallback | None:
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
