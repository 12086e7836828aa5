"""A simulated worker process: the real worker on simulated ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from typing_extensions import override

from handoff.cadence import Schedule
from handoff.launcher.supervision import Role
from handoff.limits import NS, TICKS_IN_SECOND
from handoff.wire import WIRE
from handoff.worker.life import Worker
from handoff.worker.ports import Parts
from state.record import WorkerId
from tests.sim.application import Application, Release, Traits, pause
from tests.sim.clockwork import Clockwork, Process
from tests.sim.homes import MACHINE
from tests.sim.ports import SimulatedClock, SimulatedHosts, SimulatedLine, SimulatedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.heard import Heard
    from state.record import Timeline
    from state.store import Store
    from tests.sim.faults import Faults
    from tests.sim.launcher import SimulatedLauncher
    from tests.sim.venue import Venue


FIRST_INODE: Final = 1000


class Surroundings(NamedTuple):
    """What every worker process of one simulation finds."""

    clockwork: Clockwork
    faults: Faults
    venue: Venue
    traits: Traits
    timeline: Timeline
    lag_s: float
    processes: dict[int, WorkerProcess]
    launcher: Callable[[], SimulatedLauncher | None]
    host: Callable[[], int]
    home: int
    store_of: Callable[[Process], Store]
    heard: Callable[[], Iterator[Heard]]
    trace: Callable[..., None]


class WorkerProcess(Process):
    """One worker process.

    Args:
        around: What it finds.
        release: The release that it runs.
        deploy_id: The deploy whose candidate it is, or an empty string.
        pid: Unique for ever.
    """

    def __init__(self, around: Surroundings, release: Release, *, deploy_id: str, pid: int) -> None:
        super().__init__(
            around.clockwork, name=f"{release.name}-{pid}", pid=pid, release=release.name
        )
        self.identity = WorkerId(
            worker=self.name,
            host=f"host-{around.host()}",
            boot_id=f"boot-{around.host()}",
            pid_namespace=str(around.host()),
            pid=pid,
            start_ticks=around.clockwork.now_ns * TICKS_IN_SECOND // NS,
            release=release.name,
            machine=MACHINE,
            lock=FIRST_INODE + pid,
        )
        self.home = around.home
        workload = Application(
            release, around.traits, process=self, venue=around.venue, faults=around.faults
        )
        self.clock = SimulatedClock(self, around.lag_s, around.faults)
        self.deploy_id = deploy_id
        self.role = Role.CANDIDATE if deploy_id else Role.STANDBY  # as the launcher wrote it down
        hello: dict[str, Any] = {"wire": WIRE, "pid": pid, "release": release.name}
        hello["deploy"] = deploy_id
        self.line = SimulatedLine(self, hello, around.launcher, around.faults)
        self._worker = Worker(
            Parts(
                workload=workload,
                store=around.store_of(self),
                clock=self.clock,
                hosts=SimulatedHosts(self, around.processes, around.faults),
                channel=self.line,
                schedule=Schedule(workload.cadence, around.timeline),
                me=self.identity,
                log=SimulatedLog(self, around.trace),
                heard=around.heard,
            ),
            deploy_id=deploy_id,
        )
        self._leaving_asked = False
        self.start(self._main(clockwork_import_s(around.clockwork)))

    async def _main(self, import_s: float) -> int:
        await pause(self, import_s)
        return (await self._worker.run()).value

    @override
    def believed_ns(self) -> int:
        return self.clock.believed_ns()

    @property
    def stands_aside_until_ns(self) -> int:
        """Until when it said that it would step aside for a candidate."""
        return self.line.stands_aside_until_ns

    def ask_to_leave(self) -> None:
        """Send SIGTERM: handled when the process is scheduled next."""
        self.loop.call_soon(self._worker.drain)


def clockwork_import_s(clockwork: Clockwork) -> float:
    """Draw how long the interpreter and the imports take."""
    return clockwork.rng.uniform(0.05, 0.6)
