"""One worker's life: warm up, follow, own, leave. The role is in the record, not in the code.

Owns the order of these and what an owner does: wait for the boundary, run the cycle, give way,
leave when it is asked to. How a worker becomes owner is in `follower`, what a cycle is in
`cycle`; the rules themselves are `state.transitions`, and this file only asks them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

from handoff.believed_clock import has_just_booted
from handoff.errors import WorkloadFaulty
from handoff.gate_verdict import GateName
from handoff.limits import (
    CLOSE_S_MAX,
    DECIDE_ATTEMPTS_MAX,
    FOLLOW_POLL_S,
    NS,
    OWNER_POLL_S,
    WRITE_RETRY_S_MAX,
    YIELD_CYCLES_MIN,
    YIELD_NS,
)
from handoff.log_events import LogEvent
from handoff.outside import words_of
from handoff.wire import Kind
from handoff.wish import Wish
from handoff.worker import gates
from handoff.worker.bake_health import BakeHealth
from handoff.worker.cycle import CycleRunner
from handoff.worker.follower import Follower
from handoff.worker.glance import baseline
from handoff.worker.leaving import Leaving, leaving_for
from handoff.worker.reach import Reach
from handoff.worker.told import Told
from handoff.worker.warming import Warming
from handoff.workload import BodyT, InputsT
from state.attempts import GIVEN_UP, attempts_spent
from state.errors import (
    OutcomeUnknown,
    OutOfReach,
    Refusal,
    Refused,
    StateError,
    StateUnusable,
)
from state.hosts_seen import Role
from state.moments import milliseconds
from state.planned_stop import ASKED, CATCH_UP, Stop, Stops, stops_before
from state.record import Phase, Record

if TYPE_CHECKING:
    from handoff.worker.ports import Parts


class Worker(Generic[BodyT, InputsT]):
    """Runs one worker until it leaves.

    Args:
        parts: The world it lives in.
        deploy_id: The deploy whose candidate it is, or an empty string for a standby.
        wish: What is wished of a candidate beyond the gates that every worker passes.
    """

    def __init__(
        self, parts: Parts[BodyT, InputsT], *, deploy_id: str = "", wish: Wish | None = None
    ) -> None:
        """Start as a follower; the record says what else."""
        self._parts = parts
        self._wish = wish or Wish()
        self._told = Told(parts)
        due = self._told.due_from_now
        self._reach = Reach(parts, leaving=self._asked_to_leave, due=due)
        self._follower = Follower(parts, deploy_id=deploy_id, wait_reach=self._reach.wait)
        self._is_warm = False
        self._leave = False
        self._asked_ns = 0  # when it was asked to leave
        self._stops = Stops()  # whose cycles may have to be given up
        self._candidate_waits = False
        self._asked_back = ""  # the deploy whose bake somebody wants to end
        self._bake: BakeHealth | None = None  # while this worker owns in one
        self._yielded_cycle = -YIELD_CYCLES_MIN
        self._failures = 0  # of the next cycle, in a row
        self._refused_writes = 0  # by the disk, in a row
        self._reason = ""
        self._numbers_fault = ""  # how its cycle numbers differ from those of the record

    def drain(self) -> None:
        """Ask the worker to finish what it has in hand and leave."""
        self._asked_ns = self._asked_ns or self._parts.clock.now_ns()
        self._leave = True

    async def run(self) -> Leaving:
        """Live until there is no part left."""
        parts = self._parts
        try:
            leaving = await self._live()
        except WorkloadFaulty as error:
            leaving, self._reason = Leaving.FAILED, error.reason
        except StateError as error:
            leaving, self._reason = leaving_for(error), str(error)
        finally:
            self._follower.forget_owner()
            await self._close()
        parts.footing.stand(Role.LEFT, self._reason)
        parts.log.write(LogEvent.WORKER_LEAVING, leaving=leaving.name, reason=self._reason)
        parts.channel.tell(
            Kind.LEAVING,
            leaving=leaving.name,
            reason=self._reason,
            deploy=self._follower.deploy_id,
        )
        return leaving

    async def _close(self) -> None:
        """Let the application give back its connections; it is left without them if need be."""
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._parts.workload.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, this worker leaves
            self._reason = f"{self._reason}; close raised {words_of(error)}"

    async def _live(self) -> Leaving:
        while True:
            try:
                return await self._live_on()
            except (OutOfReach, OutcomeUnknown) as error:
                # No fault of anybody here: the record stands where it is.
                if not self._parts.footing.is_shared:
                    raise
                if not await self._reach.wait(str(error)):
                    return self._leaves_out_of_reach()

    async def _live_on(self) -> Leaving:
        if not self._is_warm:
            self._parts.begin()
            refused = await self._warm()
            if refused is not None:
                return refused
            self._is_warm = True
        while True:
            record = self._parts.store.read()
            if self._owns(record):
                leaving = await self._own(record)
            else:
                leaving = await self._follow()
            if leaving is not None:
                return leaving

    async def _warm(self) -> Leaving | None:
        """Pass the gates that only the release's own code can answer; say why it leaves if not."""
        warming = Warming(self._parts, self._follower, self._wish, self._asked_to_leave)
        cold = await warming.run()
        self._reason = warming.reason
        return None if cold is None else Leaving[cold.name]

    def _asked_to_leave(self) -> bool:
        self._listen()
        return self._leave

    async def _follow(self) -> Leaving | None:
        """Follow the record until this worker owns it (None) or leaves."""
        parts, follower = self._parts, self._follower
        parts.footing.stand(Role.CANDIDATE if follower.deploy_id else Role.STANDBY)
        # The token first: what changes between the two is then seen as a change, not missed.
        token = parts.store.token()
        record = parts.store.read()
        while True:
            self._listen()
            follower.look(record)
            self._told.elsewhere(record)
            if self._leave or not follower.has_part(record):
                self._reason = self._reason or (ASKED if self._leave else "no part left")
                return Leaving.DRAINED
            fault = gates.cadence_fault(parts.schedule, record)
            if fault:  # said by an owner that came after this worker's gates
                self._reason = f"{GateName.CADENCE}: {fault}"
                return Leaving.REFUSED
            if await follower.become_owner(record):
                return None
            if follower.spent:
                self._reason = f"{GIVEN_UP}, in the bake of this release"
                return Leaving.FAULTY
            await parts.clock.pause(FOLLOW_POLL_S)
            newest = parts.store.token()
            if newest != token:
                token = newest
                record = parts.store.read()

    async def _own(self, record: Record) -> Leaving | None:
        """Run cycles until ownership is lost (None) or this worker leaves."""
        parts = self._parts
        parts.footing.stand(Role.OWNER)
        self._follower.forget_owner()
        self._failures = 0
        self._stops = stops_before(parts.newest_lines())
        # Again, for it may have been an owner of another cadence that was here since the gates.
        known = record.cadence or parts.newest_numbered()
        numbers = gates.cadence(parts.schedule, record, parts.newest_numbered)
        self._numbers_fault = "" if numbers.allows else f"{numbers.name}: {numbers.reason}"
        self._bake = self._bake_health(record)
        runner = CycleRunner(
            workload=parts.workload,
            store=parts.store,
            clock=parts.clock,
            schedule=parts.schedule,
            me=parts.me,
            record=record,
            log=parts.log,
            # An owner says what its numbers mean only if the journal proves it.
            cadence=parts.schedule.recorded() if known else None,
            bake=self._bake,
            footing=parts.footing,
        )
        leaving: Leaving | None = None
        while leaving is None:
            try:
                leaving, record = await self._own_step(runner, record)
            except Refused:
                found = await self._reach.read_further(record)
                if found is None:
                    # Another worker owns by now; whatever was in hand is its to finish.
                    self._lost()
                    return None
                record = found
                self._told.due(record.progress.cycle + (record.progress.phase is Phase.SETTLED))
            except StateUnusable:
                raise
            except StateError as error:
                # A full or failing disk: the old record stands, the cycle is tried again.
                parts.log.write(LogEvent.COMMIT_FAILED, reason=str(error))
                found = await self._read_when_back(error)
                if found is None:
                    return self._leaves_out_of_reach()
                record = found
            else:
                self._refused_writes = 0
        return leaving

    async def _read_when_back(self, error: StateError) -> Record | None:
        """Return the record once the medium takes writes again; None where this worker leaves."""
        parts = self._parts
        if not parts.footing.is_shared:
            await self._pause_refused()
            return parts.store.read()
        return await self._reach.read_when_back(error)

    def _leaves_out_of_reach(self) -> Leaving:
        """Leave without a word in the record, which names this worker still; its end is seen."""
        self._reason = f"{ASKED}, with the record out of reach"
        return Leaving.DRAINED

    def _bake_health(self, record: Record) -> BakeHealth | None:
        parts, previous = self._parts, record.ownership.previous
        if record.rollout is None or previous is None:
            return None
        return BakeHealth(baseline(parts.heard(), previous.release), parts.settings)

    async def _pause_refused(self) -> None:
        """Wait before the next try, longer each time: every one observes afresh."""
        pause_s = min(OWNER_POLL_S * 2**self._refused_writes, WRITE_RETRY_S_MAX)
        self._refused_writes = min(self._refused_writes + 1, 16)
        await self._parts.clock.pause(pause_s)

    async def _own_step(
        self, runner: CycleRunner[BodyT, InputsT], record: Record
    ) -> tuple[Leaving | None, Record]:
        """Go one cycle further; say whether this worker leaves, and the record as it is."""
        if not self._owns(record):
            # While this worker waited for the record somebody else may have come to own.
            raise Refused(Refusal.NOT_OWNER, "another worker owns it")
        if self._parts.footing.is_lost():
            return None, await self._stand_anew(record)
        try:
            if record.progress.phase is Phase.DECIDED:
                record = await runner.finish(record, fresh=runner.is_unsent(record))
                self._told.settled(record, self._parts.clock.now_ns())
            if self._numbers_fault:
                self._reason = self._numbers_fault
                return Leaving.FAULTY, runner.release(self._reason)
            record = await self._wait_due(record)
            if not self._owns(record):
                raise Refused(Refusal.NOT_OWNER, "another worker owns it")
            if self._leave:
                self._reason = ASKED
                return Leaving.DRAINED, runner.release(ASKED, asked_ns=self._asked_ns)
            if not self._parts.footing.may_begin():
                return None, await self._stand_anew(record)
            record = await self._run_next(runner, record)
        except WorkloadFaulty as fault:
            return await self._after_fault(runner, fault)
        self._failures = 0
        return None, record

    async def _stand_anew(self, record: Record) -> Record:
        await self._reach.regain(record.ownership.epoch)
        return self._parts.store.read()

    async def _after_fault(
        self, runner: CycleRunner[BodyT, InputsT], fault: WorkloadFaulty
    ) -> tuple[Leaving | None, Record]:
        """Leave if this release bakes; otherwise try again, and give the cycle up at last."""
        parts = self._parts
        record = parts.store.read()
        number = record.progress.cycle + 1
        self._failures += 1
        parts.log.write(LogEvent.CYCLE_FAULTY, cycle=number, reason=fault.reason)
        if record.rollout is not None:
            self._reason = fault.reason
            return Leaving.FAULTY, runner.release(fault.reason)
        if self._failures >= DECIDE_ATTEMPTS_MAX:
            record = runner.miss(number, f"failed: {fault.reason}")
            self._failures = 0
        await parts.clock.pause(FOLLOW_POLL_S * self._failures)
        return None, record

    async def _run_next(self, runner: CycleRunner[BodyT, InputsT], record: Record) -> Record:
        parts = self._parts
        number = record.progress.cycle + 1
        started_ns = parts.clock.now_ns()
        if parts.schedule.too_old(number, started_ns):
            return await self._give_up(runner, record, started_ns)
        if attempts_spent(record):
            return self._miss(runner, number, GIVEN_UP)
        record = await runner.run(record, number)
        self._told.settled(record, started_ns)
        await self._give_way(record)
        return record

    def _miss(
        self,
        runner: CycleRunner[BodyT, InputsT],
        number: int,
        reason: str,
        stop: Stop | None = None,
    ) -> Record:
        record = runner.miss(number, reason, stop)
        self._parts.channel.tell(Kind.MISSED, cycle=number)
        return record

    async def _give_up(
        self, runner: CycleRunner[BodyT, InputsT], record: Record, now_ns: int
    ) -> Record:
        """Give the next cycle up, or let a moment pass if the clock is not to be relied on.

        One cycle, one commit: who asks again reads the clock again.
        """
        parts = self._parts
        number = record.progress.cycle + 1
        if self._clock_may_be_wrong():
            if attempts_spent(record):
                return self._miss(runner, number, GIVEN_UP)  # whatever time it is
            self._told.due(number, every_ns=NS)
            await parts.clock.pause(OWNER_POLL_S)
            return record
        boundary_ns = parts.schedule.boundary_ns(number)
        stop = self._stops.covering(milliseconds(boundary_ns))
        reason = f"{(now_ns - boundary_ns) / NS:.1f} s late, {CATCH_UP}"
        return self._miss(runner, number, reason, stop)

    def _clock_may_be_wrong(self) -> bool:
        clock = self._parts.clock
        if clock.belief().doubt is not None:
            return True
        fresh = has_just_booted(self._parts.me.start_ticks, clock.boot_ns())
        return fresh and not clock.is_synchronised()

    async def _wait_due(self, record: Record) -> Record:
        """Wait for the next boundary, for the loss of ownership or for the wish to leave."""
        parts = self._parts
        boundary_ns = parts.schedule.boundary_ns(record.progress.cycle + 1)
        token = parts.store.token()
        while True:
            self._listen()
            self._told.due_if_moved(record.progress.cycle + 1)
            if parts.footing.is_lost():  # others wait for no owner's cycle
                await self._reach.regain(record.ownership.epoch)
            left_ns = boundary_ns - parts.clock.now_ns()
            if left_ns <= 0 or self._leave:
                break
            if parts.store.token() != token:
                token = parts.store.token()
                if not self._owns(parts.store.read()):
                    break
            # The last stretch is one absolute timer, so that a boundary is met, not polled.
            if left_ns > 2 * OWNER_POLL_S * NS:
                await parts.clock.pause(OWNER_POLL_S)
            else:
                await parts.clock.wait_until(boundary_ns)
        # Read under the lock: a take in flight has landed now, a later one is too late.
        return parts.store.read()

    def _lost(self) -> None:
        self._parts.log.write(LogEvent.OWNERSHIP_LOST)
        self._parts.channel.tell(Kind.LOST)
        self._follower.lost()

    async def _give_way(self, record: Record) -> None:
        """Step aside for a moment if somebody waits and no gap is left to take in."""
        parts = self._parts
        number = record.progress.cycle + 1
        gap = parts.clock.now_ns() < parts.schedule.take_deadline_ns(number)
        if gap or not self._is_awaited(record, number):
            return
        self._yielded_cycle, self._candidate_waits = number, False
        until_ns = parts.clock.now_ns() + YIELD_NS
        parts.channel.tell(Kind.YIELDING, cycle=number, until_ns=until_ns)
        while parts.clock.now_ns() < until_ns and self._owns(parts.store.read()):
            await parts.clock.pause(FOLLOW_POLL_S)

    def _is_awaited(self, record: Record, number: int) -> bool:
        """Tell whether a candidate, or the way back, is to be let in before a cycle."""
        rollout = record.rollout
        if rollout is not None and self._asked_back == rollout.deploy_id:
            return True  # the end of this owner's bake is wanted: at each boundary until it is
        blind = rollout is not None and self._bake is not None and self._bake.makes_way
        waits = self._candidate_waits or blind
        return waits and number >= self._yielded_cycle + YIELD_CYCLES_MIN

    def _listen(self) -> None:
        for message in self._parts.channel.received_nowait():
            match message.get("kind"):
                case Kind.GO.value:
                    approval = int(message.get("approval", 0))
                    self._follower.approve(int(message.get("bake", 0)), approval)
                case Kind.VOID.value:
                    self._follower.disapprove()
                case Kind.RETURN.value:
                    self._asked_back = str(message.get("deploy", ""))
                    self._follower.ask_back(self._asked_back)
                case Kind.DRAIN.value:
                    self.drain()
                case Kind.WAITING.value:
                    self._candidate_waits = True
                case Kind.YIELDING.value:
                    self._follower.gap_until(int(message.get("until_ns", 0)))
                case _:
                    continue  # a newer launcher may say more than this worker knows

    def _owns(self, record: Record) -> bool:
        return record.ownership.owner == self._parts.me
