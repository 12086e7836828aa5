"""Becoming owner: take in the planned way, seize after proof.

Owns the conditions under which a worker that follows the record asks to own it, and the
evidence it brings. Whether it may is decided by `state.transitions`, under the store's lock;
what an owner then does is in `life`.

A worker of the owning release is a standby: it seizes when the owner is gone. During a bake
the previous release is a standby too: that is the way back. A candidate waits until it is
approved, then takes the next boundary. Whoever is none of these has no part left.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Generic

from handoff.believed_clock import due_members, has_just_booted
from handoff.deciding import cycle_of
from handoff.limits import MS, NS
from handoff.log_events import LogEvent
from handoff.outside import words_of
from handoff.wire import Kind
from handoff.worker.control_group import ControlGroup
from handoff.worker.fallback import as_owned_by, is_previous
from handoff.workload import BodyT, InputsT, NotReady
from state import transitions
from state.attempts import ATTEMPTS_MAX, attempts_after_seize
from state.errors import OutOfReach, Refused, SchemaMismatch, StateError, StateUnusable
from state.record import Phase, Record, Rollout, WorkerId, evidence_of
from state.store import Note
from state.transitions import Proof

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from handoff.worker.ports import OtherWorker, Parts
    from state.store import Change


class Follower(Generic[BodyT, InputsT]):
    """What one worker knows while it does not own.

    Args:
        parts: The world it lives in.
        deploy_id: The deploy whose candidate it is, or an empty string for a standby.
        wait_reach: Waits until a record that is out of reach, for a reason, can be read again;
            returns False where this worker was asked to leave meanwhile.

    Attributes:
        spent: Its release bakes, and one owner more would reach the limit of attempts: it
            leaves, and the previous release goes on.
    """

    def __init__(
        self,
        parts: Parts[BodyT, InputsT],
        *,
        deploy_id: str,
        wait_reach: Callable[[str], Awaitable[bool]],
    ) -> None:
        """Start without approval and without having seen anything."""
        self._wait_reach = wait_reach
        self._overdue: WorkerId | None = None  # an owner of another host that let its limit pass
        self._parts = parts
        self.deploy_id = deploy_id
        self._bake: int | None = None  # cycles to bake, once approved
        self._approval = 0  # the deploy that has to live still, by when it began; 0 for none
        self._take_back = ""  # the deploy whose bake is to be ended
        self._yield_until_ns = 0
        self._control_group = ControlGroup(parts)
        self._took_epoch: int | None = None
        self._watched: tuple[WorkerId, OtherWorker] | None = None
        self._killed: WorkerId | None = None  # an overdue owner, by this worker
        self._doubted: WorkerId | None = None  # an owner that was said to be unproven
        self._followed = (-1, -1)  # epoch and cycle for which `follow` said ready
        self._unready: str | None = None  # why it was not, when that was last reported
        self.spent = False
        self._came: Callable[[], None] = lambda: None  # what is said once the newest try has landed
        self._due: object = None  # evidence, as it was when the next step became due
        self._due_since_ns = 0  # monotonic

    def approve(self, bake: int, approval: int = 0) -> None:
        """Let this candidate take; `bake` clean cycles make it permanent. See `Note.approval`."""
        self._bake, self._approval = bake, approval

    def disapprove(self) -> None:
        """Let this candidate wait for another approval: the deploy of this one is over."""
        if self._took_epoch is None:
            self._bake, self._approval = None, 0

    def ask_back(self, deploy_id: str) -> None:
        """Let this worker, if it is of the previous release, end the bake of a deploy."""
        self._take_back = deploy_id

    def gap_until(self, wall_ns: int) -> None:
        """The owner steps aside until this instant: a take is in time until then."""
        self._yield_until_ns = wall_ns

    def lost(self) -> None:
        """From now on it is a standby like any other, whatever it was started as."""
        self._bake = self._took_epoch = None
        self._approval = 0
        self.deploy_id = ""

    def has_part(self, record: Record) -> bool:
        """Tell whether this worker may still become owner."""
        under_way = bool(self.deploy_id) and not self._superseded(record)
        return under_way or self.is_known(record)

    def look(self, record: Record) -> None:
        """Look at a bake as its way back does; nothing is waited for."""
        parts = self._parts
        is_asked = record.rollout is not None and self._is_previous(record)
        if is_asked and parts.workload.observe_twice:
            self._control_group.look(record, as_owned_by(parts.me, record))
        else:
            self._control_group.stop()

    async def become_owner(self, record: Record) -> bool:
        """Seize or take if the rules and the evidence allow it; return whether it owns."""
        if record.ownership.owner == self._parts.me:
            self._came()  # a try landed after its answer was given up: nobody else decides
            return True
        if self._is_successor(record):
            self._end_overdue_owner(record)
            proof = self._proof(record)
            if proof is not None and self._would_spend_the_bake(record):
                self.spent = True
                return False
            if proof is not None and self._knows_or_reads(record):
                return await self._seize(record, proof)
        if self._wants_to_take(record) and await self._ready_for_next(record):
            return await self._take(record)
        return False

    def _would_spend_the_bake(self, record: Record) -> bool:
        """Tell whether the owners of a release that bakes came to grief up to the limit.

        The cycle that no owner survived is given up where it was the cycle's fault; in a bake it
        is the release's, and the previous one runs it. What was read is read again: a worker
        that seizes is held by its evidence, one that leaves by nothing.
        """
        me, previous = self._parts.me, record.ownership.previous
        if record.rollout is None or record.ownership.release != me.release:
            return False
        if previous is None or previous.release == me.release:
            return False  # nobody else could run it: the cycle is given up
        attempts = attempts_after_seize(record, worker=me, due=self._is_due(record))
        return attempts >= ATTEMPTS_MAX and (
            evidence_of(self._parts.store.read()) == evidence_of(record)
        )

    def _wants_to_take(self, record: Record) -> bool:
        if record.progress.phase is not Phase.SETTLED:
            return False
        if record.rollout is not None:
            # Asked for this deploy and no other: a wish must not outlive the bake it is about.
            asked = self._take_back == record.rollout.deploy_id
            return (asked or bool(self._control_group.reason)) and self._is_previous(record)
        if self._bake is None:
            return False
        return record.ownership.owner is not None and self._took_epoch is None

    async def _ready_for_next(self, record: Record) -> bool:
        key = (record.ownership.epoch, record.progress.cycle)
        if self._followed == key:
            return True
        parts, mine = self._parts, as_owned_by(self._parts.me, record)
        body = parts.workload.body.decode(mine.body, mine.schema)
        cycle = cycle_of(record, record.progress.cycle, parts.schedule, release=parts.me.release)
        budget_s = parts.schedule.bounds.budget_ns / NS
        limit = asyncio.timeout(budget_s)
        try:
            async with limit:
                answer = await parts.workload.follow(cycle, body)
        except Exception as error:  # noqa: BLE001 - who cannot say that it is ready is not
            answer = NotReady(words_of(error))
            if limit.expired():
                remedy = parts.schedule.budget_remedy()
                answer = NotReady(f"follow ran over its budget of {budget_s:g} s: {remedy}")
        if isinstance(answer, NotReady):
            if self._unready != answer.reason:
                self._unready = answer.reason
                parts.log.write(LogEvent.GATE_FAILED, gate="follow", reason=answer.reason)
            return False
        self._followed, self._unready = key, None
        return True

    def _is_doubtful(self, owner: WorkerId) -> bool:
        """Tell whether an owner may live in another home; what is proven there is nothing here."""
        doubt = self._watch_owner(owner).doubt()
        if doubt and self._doubted != owner:
            self._parts.log.write(LogEvent.OWNER_UNPROVEN, owner=owner.worker, reason=doubt)
            self._doubted = owner
        return bool(doubt)

    async def _take(self, record: Record) -> bool:
        parts, owner = self._parts, record.ownership.owner
        if owner is not None and self._is_doubtful(owner):
            return False
        cycle = record.progress.cycle + 1
        deadline_ns = max(parts.schedule.take_deadline_ns(cycle), self._yield_until_ns)
        if parts.clock.now_ns() >= deadline_ns:
            return False  # too late for this boundary; the next settle opens the next one
        parts.footing.get_ready()  # the journal of this host too: its first cycle begins there
        attempt, seen = secrets.token_hex(8), evidence_of(record)
        rollout = self._rollout() or Rollout(deploy_id=self.deploy_id)

        def change(found: Record) -> Record:
            # The time is read under the lock: waiting for it must not make a take late.
            return transitions.take(
                found,
                candidate=parts.me,
                seen=seen,
                now_ns=parts.clock.now_ns(),
                deadline_ns=deadline_ns,
                rollout=rollout,
                attempt=attempt,
            )

        boundary_ns = parts.schedule.boundary_ns(cycle)
        reason = self._control_group.reason if record.rollout is not None else ""
        evidence = self._both_alive(record) | ({"reason": reason} if reason else {})
        held = self._approval_now()
        note = Note(kind="take", scheduled_ns=boundary_ns, evidence=evidence, approval=held)

        def came() -> None:
            parts.log.write(LogEvent.OWNERSHIP_TAKEN, cycle=cycle, deploy=self.deploy_id)
            due_ns = boundary_ns + parts.schedule.told_overdue_ns
            more = {"boundary_ms": boundary_ns // MS, "of": rollout.of, "reason": reason}
            self._say_owns(Kind.TOOK, record, due_ns, **more)

        return await self._landed(change, note, attempt, came)

    def _both_alive(self, record: Record) -> dict[str, str | int | float]:
        """Return the evidence that old and new were alive together at the take."""
        owner = record.ownership.owner
        if owner is None:
            return {}
        return {
            "old_pid": owner.pid,
            "old_start_ticks": owner.start_ticks,
            "old_alive": int(not self._watch_owner(owner).gone()),
            "new_pid": self._parts.me.pid,
            "new_start_ticks": self._parts.me.start_ticks,
        }

    def _is_successor(self, record: Record) -> bool:
        """Tell whether this worker is a standby or an approved candidate."""
        owning = record.ownership.newest
        standby = not self.deploy_id or self._took_epoch is not None
        if owning is None:
            return standby
        known = self.is_known(record)
        # A release that never owned seizes as it would take: approved, in nobody else's bake.
        approved = self._bake is not None and (known or record.rollout is None)
        return (standby and known) or approved

    def is_known(self, record: Record) -> bool:
        """Tell whether this worker's release owns, or is the one that a bake may return to."""
        owning = record.ownership.newest
        same = owning is None or self._parts.me.release == owning.release
        return same or self._is_previous(record)

    def _knows_or_reads(self, record: Record) -> bool:
        """Tell whether this release reads the body; it may have changed since the gates."""
        if self.is_known(record):
            return True
        try:
            self._parts.workload.body.decode(record.body, record.schema)
        except SchemaMismatch:
            return False
        return True

    def _proof(self, record: Record) -> Proof | None:
        """Return what proves that the owner cannot go on, or None: on one host only its death.

        Another host cannot see it: the end of its lease, or limit, lets this worker own, no more.
        """
        owner = record.ownership.owner
        if owner is None:
            return Proof.NONE
        if self._watch_owner(owner).gone():
            return Proof.OVERDUE if self._killed == owner else Proof.DEAD
        if self._overdue == owner or self._parts.footing.has_lapsed():
            return Proof.LEASE_ENDED
        self._is_doubtful(owner)
        return None

    def _end_overdue_owner(self, record: Record) -> None:
        """Kill an owner that let its whole limit pass; whether it dies is another question."""
        owner = record.ownership.owner
        if owner is None or self._watch_owner(owner).gone():
            return
        self._note_due(record, owner)
        self._overdue = None
        if not self._is_overdue(record):
            return
        if self._watch_owner(owner).kill() or not self._parts.footing.is_shared:
            self._killed = owner
        else:
            self._overdue = owner

    def _note_due(self, record: Record, owner: WorkerId) -> None:
        """Remember since when the owner's next step is due, as this worker sees it."""
        clock, due = self._parts.clock, evidence_of(record)
        if not self._is_due(record) or self._waits_for_clock(owner, _next_step(record)):
            self._due = None
        elif self._due != due:
            self._due, self._due_since_ns = due, clock.monotonic_ns()
        if self._due is not None and not self._parts.footing.time_counts():
            # Nobody could have written: afterwards the owner has its whole limit again.
            self._due = None

    def _is_due(self, record: Record) -> bool:
        parts = self._parts
        return parts.clock.now_ns() >= parts.schedule.boundary_ns(_next_step(record))

    def _is_overdue(self, record: Record) -> bool:
        """Tell whether the owner had the whole limit since its next step became due.

        The limit counts on the monotonic clock from the moment at which this worker sees that
        the boundary has passed: after a step of the clock, or when the host wakes from a
        suspension, a healthy owner has all of it to go on.
        """
        if self._due is None:
            return False
        clock, schedule = self._parts.clock, self._parts.schedule
        if not clock.belief().tells_overdue(clock.boot_ns(), schedule.bounds.overdue_ns):
            return False
        waited_ns = clock.monotonic_ns() - self._due_since_ns
        return waited_ns > schedule.bounds.overdue_ns and (
            clock.now_ns() >= schedule.overdue_at_ns(_next_step(record))
        )

    def _waits_for_clock(self, owner: WorkerId, cycle: int) -> bool:
        """Tell whether an owner waits for the host's clock before it gives a cycle up."""
        parts, clock = self._parts, self._parts.clock
        if not parts.schedule.too_old(cycle, clock.now_ns()):
            return False
        fresh = has_just_booted(owner.start_ticks, clock.boot_ns())
        # Ticks of another boot say nothing, and nobody of it lives.
        return fresh and owner.boot_id == parts.me.boot_id and not clock.is_synchronised()

    async def _seize(self, record: Record, proof: Proof) -> bool:
        parts = self._parts
        attempt = secrets.token_hex(8)
        change = partial(
            transitions.seize,
            worker=parts.me,
            seen=evidence_of(record),
            proof=proof,
            attempt=attempt,
            due=self._is_due(record),
            rollout=self._rollout(),
        )
        owner = record.ownership.owner
        evidence: dict[str, str | int | float] = {"proof": proof.value}
        if owner is not None:
            evidence |= {"old_pid": owner.pid, "old_start_ticks": owner.start_ticks}
            evidence |= self._watch_owner(owner).evidence()
        note = Note(kind="seize", evidence=evidence, approval=self._approval_now())

        def came() -> None:
            parts.log.write(LogEvent.OWNERSHIP_SEIZED, cycle=record.progress.cycle, **evidence)
            due_ns = parts.schedule.overdue_from_ns(record.progress.cycle + 1, parts.clock.now_ns())
            self._say_owns(Kind.SEIZED, record, due_ns, proof=proof.value, of=self._bake or 0)

        return await self._landed(change, note, attempt, came)

    def _say_owns(self, kind: Kind, before: Record, due_ns: int, **more: object) -> None:
        """Tell the launcher that this worker owns from the next cycle on."""
        parts, self._took_epoch = self._parts, before.ownership.epoch + 1
        parts.channel.tell(
            kind,
            deploy=self.deploy_id,
            cycle=before.progress.cycle + 1,
            epoch=self._took_epoch,
            release=parts.me.release,
            **more,
            **due_members(parts.clock.belief(), due_ns),
        )

    def _approval_now(self) -> int:
        """Return what has to live still where this worker comes to own by an approval."""
        return self._approval if self._took_epoch is None else 0

    def _rollout(self) -> Rollout | None:
        """Return the bake that this worker starts if it owns, once it is approved."""
        if self._bake is None:
            return None
        return Rollout(deploy_id=self.deploy_id, of=self._bake)

    async def _landed(
        self, change: Change, note: Note, attempt: str, came: Callable[[], None]
    ) -> bool:
        """Apply a change of owner, and say that it came; a refusal is an ordinary answer."""
        parts, self._came = self._parts, came
        try:
            landed = parts.store.transact(change, note).attempt == attempt
        except Refused as refused:
            parts.log.write(LogEvent.TAKE_REFUSED, refusal=refused.refusal.value)
            return False
        except StateUnusable:
            raise
        except StateError as error:
            parts.log.write(LogEvent.COMMIT_FAILED, reason=str(error))
            landed = (await self._read_again(error)).ownership.owner == parts.me
        if landed:
            came()
        return landed

    async def _read_again(self, error: StateError) -> Record:
        """Read a record whose last write may have landed, once it can be read."""
        while True:
            try:
                return self._parts.store.read()
            except OutOfReach:
                if not await self._wait_reach(str(error)):
                    raise

    def _is_previous(self, record: Record) -> bool:
        return is_previous(self._parts.me, record)

    def _superseded(self, record: Record) -> bool:
        """Tell whether this candidate's deploy is over: it owned, and does no more."""
        return self._took_epoch is not None and record.ownership.epoch > self._took_epoch

    def _watch_owner(self, owner: WorkerId) -> OtherWorker:
        if self._watched is None or self._watched[0] != owner:
            self._stop_watching()
            self._watched = (owner, self._parts.hosts.watch(owner))
        return self._watched[1]

    def forget_owner(self) -> None:
        """Stop watching the owner's process, and what it gets."""
        self._control_group.stop()
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._watched is not None:
            self._watched[1].close()
            self._watched = None


def _next_step(record: Record) -> int:
    """Return the cycle whose step the owner takes next: the one in hand, or the one after it."""
    return record.progress.cycle + (record.progress.phase is Phase.SETTLED)
