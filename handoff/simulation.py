"""Trying a workload without processes, clocks and waiting: for an application's own tests.

Owns a run of cycles over a record in memory, on virtual time, with the engine's own cycle. What
is committed, what is recorded, what is asked of `perform` and `resolve` is what a worker would
do; only the process around it is missing. Every decision is made a second time from what was
recorded, so that a `decide` that is not pure fails here and not in a replay.
"""

from __future__ import annotations

import io
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handoff.cadence import Schedule
from handoff.deciding import replay_with
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.logs import Log
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.wish import BAKE_BY_HAND
from handoff.worker import gates
from handoff.worker.cycle import CycleRunner
from handoff.worker.fallback import as_owned_by
from state import transitions
from state.memory_store import MemoryStore
from state.open_struct import decode_open
from state.record import Control, Phase, Progress, Record, Rollout, Timeline, WorkerId, evidence_of
from state.replay import replay_lines
from state.store import Note
from state.transitions import Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.workload import Workload
    from state.journal_frames import Line
    from state.record import Effect, Receipt

APP: Final = "simulation"
START_NS: Final = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z


def simulate(
    workload: Workload[Any, Any],
    *,
    cycles: int,
    start_ns: int = START_NS,
    timeline: Timeline | None = None,
) -> Simulation:
    """Run a workload for some cycles and return what came of it.

    Its `observe`, `perform` and `resolve` are really called; give the application test doubles
    for what they talk to. Waiting on the event loop costs no time. Call it from a plain
    function, not from a running event loop.

    Args:
        workload: The application.
        cycles: How many cycles to run.
        start_ns: Wall-clock time, nanoseconds UTC; the first cycle is the next one from there.
        timeline: How wall-clock time maps to application time; by default they are the same.

    Raises:
        WorkloadFaulty: The application broke a rule of the engine, or is not pure.
    """
    simulation = Simulation(workload, start_ns=start_ns, timeline=timeline or Timeline())
    return simulation.run(cycles)


class Simulation:
    """A record in memory and the workloads that owned it, one after another.

    Attributes:
        records: The record after each cycle, oldest first.
        bodies: The body after each cycle, as the workload that decided it reads it.
        release: Release that runs next: `r1`, then `r2` after the first deploy, and so on.
    """

    def __init__(self, workload: Workload[Any, Any], *, start_ns: int, timeline: Timeline) -> None:
        """Make the record; `run` does the rest."""
        self._workloads = {"r1": workload}
        self._timeline = timeline
        self._now_ns: Callable[[], int] = lambda: start_ns
        self._runs = 0
        self._bake = 0  # of the deploy that takes with the next run
        self.release = "r1"
        self.records: list[Record] = []
        self.bodies: list[Any] = []
        self._store = MemoryStore(app=APP, timeline=timeline, now_ns=self._time_ns)
        schedule = self._schedule(workload)
        progress = Progress(cycle=schedule.cycle_at(start_ns - 1))
        record = Record(app=APP, timeline=timeline, progress=progress, cadence=schedule.recorded())
        self._store.create(record)

    @property
    def body(self) -> Any:  # noqa: ANN401 - the application's own type
        """The body as it is now, as the release that runs next reads it."""
        record = as_owned_by(self._me(), self._store.read())
        return self._workload.body.decode(record.body, record.schema)

    @property
    def record(self) -> Record:
        """The record as it is now."""
        return self._store.read()

    @property
    def lines(self) -> list[Line]:
        """The journal, oldest first, its chain checked."""
        return self._store.journal()

    @property
    def effects(self) -> list[Effect]:
        """Every effect that was planned, in the order of the decisions."""
        decided = [line for line in self.lines if line.kind == "decide"]
        headers = [(line.cycle, decode_open(line.header, Record)) for line in decided]
        return [each for cycle, header in headers for each in header.outbox if each.cycle == cycle]

    @property
    def receipts(self) -> list[Receipt]:
        """How the effects ended, in the order in which that was known."""
        settled = [line for line in self.lines if line.kind == "settle"]
        return [each for line in settled for each in decode_open(line.header, Record).receipts]

    def run(self, cycles: int) -> Simulation:
        """Run so many more cycles; return this simulation.

        It is the life of one worker: warm up, own, run, close.

        Raises:
            WorkloadFaulty: The application broke a rule of the engine, or is not pure. The
                record is as it was before that cycle.
        """
        run_virtual(self._live(cycles))
        self._check_pure()
        return self

    def deploy(self, workload: Workload[Any, Any], *, bake: int = BAKE_BY_HAND) -> Simulation:
        """Let another version own from the next `run` on; return this simulation.

        Its gates are asked when it runs: a schema without the steps that it needs is refused.

        Args:
            workload: The new version.
            bake: For so many clean cycles the version before it can come back (`give_back`).

        Raises:
            ValueError: The version before it is still baking.
        """
        if self._store.read().rollout is not None:
            message = "a bake is under way: run it to its end, or give back"
            raise ValueError(message)
        self.release = f"r{len(self._workloads) + 1}"
        self._workloads[self.release] = workload
        self._bake = bake
        return self

    def give_back(self) -> Simulation:
        """Let the version before own again, as after a fault in a bake; return this simulation.

        Raises:
            ValueError: There is no bake under way.
        """
        previous = self._store.read().ownership.previous
        if previous is None:
            message = "nothing is baking: there is no way back but a new version"
            raise ValueError(message)
        self.release = previous.release
        return self

    def command(self, *, paused: bool = False, halted: bool = False) -> Simulation:
        """Pause or halt it as an operator does; return this simulation."""
        control = Control(paused=paused, halted=halted, by=APP)
        change = partial(transitions.command, control=control, attempt=secrets.token_hex(8))
        self._store.transact(change, Note(kind="command"))
        return self

    def _time_ns(self) -> int:
        return self._now_ns()  # of the run under way

    @property
    def _workload(self) -> Workload[Any, Any]:
        return self._workloads[self.release]

    def _schedule(self, workload: Workload[Any, Any]) -> Schedule:
        return Schedule(workload.cadence, self._timeline)

    def _me(self) -> WorkerId:
        return WorkerId(
            worker=self.release,
            host=APP,
            boot_id=APP,
            pid_namespace=APP,
            pid=self._runs,  # each run is a process of its own
            start_ticks=0,
            release=self.release,
        )

    async def _live(self, cycles: int) -> None:
        clock = VirtualClock(self._now_ns())
        self._now_ns = clock.now_ns
        self._runs += 1
        try:
            await self._warm(clock)
            self._own()
            await self._cycles(clock, cycles)
        finally:
            await self._workload.close()
            ended_ns = clock.now_ns()
            self._now_ns = lambda: ended_ns

    async def _warm(self, clock: VirtualClock) -> None:
        record = as_owned_by(self._me(), self._store.read())
        async for examined in gates.examine(self._workload, record, clock):
            verdict = examined.verdict
            if not verdict.allows:
                message = f"gate {verdict.name}: {verdict.reason}"
                raise WorkloadFaulty(message)

    def _own(self) -> None:
        record, attempt = self._store.read(), secrets.token_hex(8)
        owner = record.ownership.newest
        previous = record.ownership.previous
        known = {each.release for each in (owner, previous) if each is not None}
        seen = evidence_of(record)
        if owner is None or self.release in known:
            change = partial(transitions.seize, worker=self._me(), seen=seen, proof=Proof.DEAD)
            self._store.transact(partial(change, attempt=attempt), Note(kind="seize"))
            return
        take = partial(
            transitions.take,
            candidate=self._me(),
            seen=seen,
            now_ns=0,
            deadline_ns=1,
            rollout=Rollout(deploy_id=f"deploy-{self.release}", of=self._bake),
            attempt=attempt,
        )
        self._store.transact(take, Note(kind="take"))

    async def _cycles(self, clock: VirtualClock, cycles: int) -> None:
        workload, record = self._workload, self._store.read()
        schedule = self._schedule(workload)
        runner = CycleRunner(
            workload=workload,
            store=self._store,
            clock=clock,
            schedule=schedule,
            me=self._me(),
            record=record,
            log=Log(stream=io.StringIO()),
        )
        if record.progress.phase is Phase.DECIDED:
            record = await runner.finish(record, fresh=False)
        for _ in range(cycles):
            number = record.progress.cycle + 1
            await clock.wait_until(schedule.boundary_ns(number))
            record = await runner.run(self._store.read(), number)
            self.records.append(record)
            self.bodies.append(workload.body.decode(record.body, record.schema))

    def _check_pure(self) -> None:
        """Replay every cycle from its line in the journal and compare."""
        found = replay_lines(self.lines, self._replay)
        if found.deviations:
            cycles = ", ".join(str(each.cycle) for each in found.deviations)
            message = (
                f"decide is not pure: decided again, these cycles came out otherwise: {cycles}"
            )
            raise WorkloadFaulty(message)

    def _replay(self, before: Record, line: Line) -> Record:
        workload = self._workloads[line.release]
        return replay_with(workload, self._schedule(workload))(before, line)
