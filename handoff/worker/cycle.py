"""One cycle of an owner: observe, decide, commit, perform, settle.

Owns the order of these steps and what a failure of each means. When a cycle is due and who
owns is the worker's matter; which commit is allowed is `state.transitions`'.

A fault of the application before the commit leaves the record untouched (`WorkloadFaulty`).
After the commit there is no way back: the effects get their fates, then the cycle settles.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol

import msgspec

from handoff.deciding import cycle_of, decide_once, encode_bodies, health_of, inputs_of
from handoff.errors import WorkloadFaulty
from handoff.limits import (
    BODY_BYTES_MAX,
    BODY_BYTES_NEAR,
    CARRIED_PART,
    MS,
    NS,
    SLOW_CYCLES_MAX,
)
from handoff.log_events import LogEvent
from handoff.worker.effects import Performer
from handoff.worker.observing import observe_once
from handoff.workload import BodyT, Cycle, InputsT, Unavailable, Workload
from state import transitions
from state.attempts import GIVEN_UP, attempts_spent
from state.cycle_audit import OVER_BUDGET
from state.errors import (
    LockTimeout,
    OutcomeUnknown,
    Refusal,
    Refused,
    SchemaMismatch,
)
from state.moments import milliseconds
from state.outbox import PLANNED_MAX, given_up, with_room
from state.planned_stop import ASKED_MS
from state.record import Phase
from state.store import Note
from state.transitions import Cleanliness

if TYPE_CHECKING:
    from handoff.cadence import Schedule
    from handoff.logs import Log
    from handoff.worker.bake_health import BakeHealth
    from handoff.worker.footing import Footing
    from handoff.worker.ports import Clock
    from state.outbox import Fates
    from state.planned_stop import Stop
    from state.record import Cadence, Control, Fallback, Record, WorkerId
    from state.store import Change, Store

    Evidence = dict[str, str | int | float]

_ITS_OWN_FAULT = (Refusal.EFFECT_REPEATED, Refusal.HALTED, Refusal.OTHER_CADENCE)
_COMMANDS_MAX = 16  # commands that may land while one cycle is decided
_LANDED_READS_MAX = 3  # reads that may fail before an unknown outcome is passed on


class Attempted(Protocol):
    """A transition that still wants the id of its attempt."""

    def __call__(self, record: Record, /, *, attempt: str) -> Record:
        """Return the next record, or raise `Refused`."""
        ...


class _Begun(NamedTuple):
    """A cycle that this worker began: when, monotonic, and why it got too little, if it did."""

    at_ns: int
    lack: str


class CycleRunner(Generic[BodyT, InputsT]):
    """Runs the cycles of one owner with one epoch.

    Args:
        workload: The application.
        store: Where the record lives.
        clock: Time.
        schedule: Boundaries and bounds.
        me: The owner.
        record: The record as this worker came to own it.
        log: Where trouble is reported.
        cadence: What its cycle numbers mean, proven to be what those of the journal mean; None
            where nothing proves it: then its decisions leave it to a later owner to say it.
        bake: Counts the cycles of a bake that got too little; None outside one.
        footing: Says how long a request may take that is sent now; None where it may always.
    """

    def __init__(  # noqa: PLR0913 - what an owner is made of
        self,
        *,
        workload: Workload[BodyT, InputsT],
        store: Store,
        clock: Clock,
        schedule: Schedule,
        me: WorkerId,
        record: Record,
        log: Log,
        cadence: Cadence | None = None,
        bake: BakeHealth | None = None,
        footing: Footing | None = None,
    ) -> None:
        """Keep the parts; the epoch is the record's."""
        self._workload = workload
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._me = me
        self._epoch = record.ownership.epoch
        self._log = log
        self._cadence = cadence
        self._performer = Performer(workload, clock, log, footing, self._epoch)
        self._begun = record.progress.cycle  # the newest cycle that may have sent something
        self._slow_cycles = 0  # in a row
        self._has_settled = False  # a cycle, as this owner
        self._said_near = False  # that the body is near its bound
        self._bake = bake

    async def run(self, record: Record, number: int) -> Record:
        """Run one cycle to its end.

        Returns:
            The settled record.

        Raises:
            WorkloadFaulty: The application broke a rule; nothing was committed.
            Refused: Ownership is lost; nothing more was written.
            StateError: The store could not be used.
        """
        started_ns, begun_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        try:
            body = self._workload.body.decode(record.body, record.schema)
        except SchemaMismatch as error:
            raise WorkloadFaulty(str(error)) from error
        cycle = self._cycle(record, number)
        inputs, over_ns = await self._observe(cycle, body)
        note = self._decide_note(number, inputs, started_ns, over_ns=over_ns)
        decided = self._decide(record, cycle, note)
        return await self.finish(decided, fresh=True, begun=_Begun(begun_ns, self._lack(note)))

    def is_unsent(self, record: Record) -> bool:
        """Tell whether a cycle in hand was decided by this owner, which has sent nothing of it.

        So it is where its decision landed after the answer was given up: nobody else decides in
        this owner's epoch, and nobody else sends.
        """
        progress = record.progress
        is_mine = record.ownership.epoch == self._epoch and progress.cycle > self._begun
        return is_mine and progress.phase is Phase.DECIDED

    async def finish(
        self,
        record: Record,
        *,
        fresh: bool,
        begun: _Begun | None = None,
    ) -> Record:
        """Give every effect of a decided cycle a fate and settle it.

        Args:
            record: A record whose cycle is decided.
            fresh: This worker planned the effects; nobody has sent them.
            begun: What this worker knows of the cycle; None where another one began it: it is
                neither clean nor slow then.

        Raises:
            WorkloadFaulty: The cycle is settled, and was a bad one of a release that bakes.
        """
        number, reason = record.progress.cycle, GIVEN_UP if attempts_spent(record) else ""
        self._begun = number
        fates = given_up(record.outbox) if reason else await self._perform(record, fresh=fresh)
        raised, slow = self._performer.fault(), self._slow(begun)
        is_clean = begun is not None and not (begun.lack or raised or self._slow_cycles)
        change = partial(
            transitions.settle,
            worker=self._me,
            epoch=self._epoch,
            cycle=number,
            fates=fates,
            # What is held against the release must not end its bake well.
            cleanliness=Cleanliness.CLEAN if is_clean else Cleanliness.OUTSIDE,
        )
        settled = self.commit(
            change, self._note("settle", number, {"reason": reason} if reason else {})
        )
        self._performer.settled()
        self._has_settled = True
        fault = raised or slow or self._waited(begun)
        if fault and record.rollout is not None:
            raise WorkloadFaulty(fault)
        if fault:
            # Nothing to go back to: the next cycle is due, whatever this one did.
            self._log.write(LogEvent.CYCLE_FAULTY, cycle=number, reason=fault)
        return settled

    def _lack(self, note: Note) -> str:
        """Return why a cycle got too little to count as clean, or an empty string."""
        if self._bake is None:
            return note.unavailable
        return self._bake.too_little(note.health, note.unavailable)

    def _waited(self, begun: _Begun | None) -> str:
        """Count a cycle that got too little; return why its bake ends, or an empty string."""
        if self._bake is None or begun is None:
            return ""
        return self._bake.count(begun.lack, begun.at_ns, self._clock.monotonic_ns())

    def _slow(self, begun: _Begun | None) -> str:
        """Count a cycle longer than the period; return the fault once too many run in a row.

        Only its own time counts, on a clock that stands still while the host is suspended: a
        cycle that began late because others did is none the slower.
        """
        if begun is None:
            return ""
        own_ns = self._clock.monotonic_ns() - begun.at_ns
        period_ns = self._schedule.bounds.period_ns
        self._slow_cycles = self._slow_cycles + 1 if own_ns > period_ns else 0
        if self._slow_cycles <= SLOW_CYCLES_MAX:
            return ""
        return (
            f"{self._slow_cycles} cycles running took longer than the period: "
            f"the last one {own_ns / NS:.2f} s of {period_ns / NS:.2f} s"
        )

    async def _perform(self, record: Record, *, fresh: bool) -> Fates:
        """Give the cycle's own effects a fate, then try once more for those carried."""
        outbox, number = with_room(record.outbox), record.progress.cycle
        carried = [effect for effect in outbox if effect.cycle < number]
        budget_s, may_send = self._schedule.bounds.budget_ns / NS, not record.control.halted
        own = await self._performer.settle_all(
            [effect for effect in outbox if effect.cycle >= number],
            fresh=fresh,
            limit_s=budget_s / 2,
            may_send=may_send,
            carried=[effect.effect_id for effect in carried],
        )
        # An effect whose asking kills must not cost later cycles theirs: who came after such a
        # death settles the cycle in hand first.
        limit_s = budget_s * CARRIED_PART if self._has_settled else 0
        return own | await self._performer.ask_carried(
            carried,
            cycle=number,
            limit_s=limit_s,
            may_send=may_send,
            planned_ns=self._schedule.boundary_ns,
        )

    def miss(self, number: int, reason: str, stop: Stop | None = None) -> Record:
        """Give a cycle up, with the reason, and with the planned stop in which it began."""
        self._log.write(LogEvent.CYCLE_MISSED, cycle=number, reason=reason)
        change = partial(
            transitions.miss, worker=self._me, epoch=self._epoch, cycle=number, reason=reason
        )
        evidence = {"reason": reason} | (stop.evidence() if stop else {})
        return self.commit(change, self._note("miss", number, evidence))

    def release(self, reason: str, *, asked_ns: int = 0) -> Record:
        """Give ownership up between two cycles; `asked_ns` is when somebody asked for it."""
        change = partial(transitions.release, worker=self._me, epoch=self._epoch)
        evidence = {"reason": reason} | ({ASKED_MS: milliseconds(asked_ns)} if asked_ns else {})
        return self.commit(change, Note(kind="release", evidence=evidence))

    def commit(self, change: Attempted, note: Note) -> Record:
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
            except (OSError, LockTimeout):
                continue
        return self._store.read()

    def _cycle(self, record: Record, number: int) -> Cycle:
        return cycle_of(record, number, self._schedule, release=self._me.release)

    async def _observe(self, cycle: Cycle, body: BodyT) -> tuple[InputsT | Unavailable, int]:
        """Return the inputs, and the budget if `observe` ran over it; otherwise 0."""
        observed = await observe_once(self._workload, self._schedule, cycle, body)
        inputs = observed.inputs
        if isinstance(inputs, Unavailable):
            over = LogEvent.OBSERVE_OVER_BUDGET if observed.over_ns else None
            event = over or LogEvent.INPUTS_UNAVAILABLE
            self._log.write(event, cycle=cycle.number, reason=inputs.reason)
        return inputs, observed.over_ns

    def _decide(self, record: Record, cycle: Cycle, note: Note) -> Record:
        """Decide and commit; a command that lands in between is decided upon afresh."""
        try:
            inputs = inputs_of(self._workload, note)
        except SchemaMismatch as error:
            message = f"inputs cannot be recorded: {error}"
            raise WorkloadFaulty(message) from error
        commands = 0
        while True:
            change = self._decision(record, cycle, inputs)
            try:
                return self.commit(change, note)
            except Refused as refused:
                if refused.refusal in _ITS_OWN_FAULT:
                    raise WorkloadFaulty(refused.detail) from refused
                record, commands = self._store.read(), commands + 1
                if self.is_unsent(record):
                    return record  # a try landed unheard, and somebody wrote on top of it
                if refused.refusal is not Refusal.EVIDENCE_STALE or commands > _COMMANDS_MAX:
                    raise
                cycle = msgspec.structs.replace(cycle, control=record.control)

    def _decision(self, record: Record, cycle: Cycle, inputs: InputsT | Unavailable) -> Attempted:
        """Return the transition that commits what the application decides."""
        begun_ns = self._clock.monotonic_ns()
        decision = decide_once(self._workload, record, cycle, inputs)
        body, fallback = encode_bodies(self._workload, record, decision.body)
        took_ns = self._clock.monotonic_ns() - begun_ns
        budget_ns = self._schedule.bounds.budget_ns
        if record.rollout is not None and took_ns > budget_ns:
            message = f"deciding took {took_ns / MS:.0f} ms, the budget is {budget_ns / MS:.0f} ms"
            raise WorkloadFaulty(message)
        self._require_storable(cycle.number, body, fallback)
        if len(decision.effects) > PLANNED_MAX:
            message = f"more than {PLANNED_MAX} effects planned"
            raise WorkloadFaulty(message)
        decide = partial(
            transitions.decide,
            worker=self._me,
            epoch=self._epoch,
            cycle=cycle.number,
            body=body,
            schema=self._workload.body.schema_id,
            effects=tuple(decision.effects),
            fallback=fallback,
        )
        return partial(_decide_under, control=cycle.control, decide=decide, cadence=self._cadence)

    def _require_storable(self, number: int, body: msgspec.Raw, fallback: Fallback | None) -> None:
        """Refuse a body that makes every commit late; say when one gets there."""
        bodies = (body, fallback.body) if fallback else (body,)
        size = max(len(memoryview(each)) for each in bodies)
        if size > BODY_BYTES_MAX:
            message = f"a body of {size} bytes, at most {BODY_BYTES_MAX}: keep less in it"
            raise WorkloadFaulty(message)
        if size > BODY_BYTES_NEAR and not self._said_near:
            self._said_near = True
            reason = f"{size} bytes of at most {BODY_BYTES_MAX}"
            self._log.write(LogEvent.BODY_NEAR_LIMIT, cycle=number, reason=reason)

    def _decide_note(
        self, number: int, inputs: InputsT | Unavailable, started_ns: int, *, over_ns: int
    ) -> Note:
        note = Note(
            kind="decide",
            scheduled_ns=self._schedule.boundary_ns(number),
            started_ns=started_ns,
            evidence={OVER_BUDGET: over_ns / MS} if over_ns else {},
            health=health_of(self._workload, inputs),
        )
        if isinstance(inputs, Unavailable):
            return msgspec.structs.replace(note, unavailable=inputs.reason)
        try:
            raw = self._workload.inputs.encode(inputs)
        except Exception as error:
            message = f"inputs cannot be recorded: {error}"
            raise WorkloadFaulty(message) from error
        version = self._workload.inputs.schema_id.version
        return msgspec.structs.replace(note, inputs=raw, inputs_schema=version)

    def _note(self, kind: str, number: int, evidence: Evidence | None = None) -> Note:
        return Note(
            kind=kind,
            scheduled_ns=self._schedule.boundary_ns(number),
            evidence=evidence or {},
        )


def _decide_under(
    record: Record,
    *,
    control: Control,
    decide: Attempted,
    cadence: Cadence | None,
    attempt: str,
) -> Record:
    """Commit a decision only under the control that it was made under.

    Otherwise the journal would hold a decision that its own record does not lead to.
    """
    if record.control != control:
        raise Refused(Refusal.EVIDENCE_STALE, "a command came while it was decided")
    numbered = transitions.number_by(record, cadence) if cadence else record
    return decide(numbered, attempt=attempt)
