"""Several workers over one record in memory, on virtual time: processes that stop, die and wake.

The launcher is played by the test: it starts workers, passes messages on and kills. Nothing is
random, so that a story comes out the same every time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from handoff.cadence import Schedule
from handoff.limits import NS
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.wire import Kind, decode, encode
from handoff.worker.footing import Alone
from handoff.worker.life import Worker
from handoff.worker.ports import Parts
from handoff.worker.settings import Settings
from state.heard import heard_in
from state.numbering import Place, newest_numbered
from tests.engine_world import (
    FIRST,
    START_NS,
    TIMELINE,
    Application,
    LogBook,
    Venue,
    memory_store,
    schedule,
    worker_id,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator

    from handoff.wire import Message
    from handoff.wish import Wish
    from handoff.worker.footing import Footing
    from handoff.worker.leaving import Leaving
    from handoff.worker.ports import Hosts
    from state.heard import Heard
    from state.journal_frames import Line
    from state.memory_store import MemoryStore
    from state.numbering import Numbered
    from state.record import Record, WorkerId
    from state.store import Store

STORY_S_MAX = 100_000  # of virtual time


class Freezable:
    """Runs a coroutine that can be frozen between any two of its steps, as SIGSTOP does.

    What was to wake it is kept: a time limit that passed meanwhile is met when it thaws.
    """

    def __init__(self, work: Coroutine[Any, Any, Leaving]) -> None:
        self._work = work
        self.running = asyncio.Event()
        self.running.set()
        self.dead = False

    def __await__(self) -> Generator[Any, Any, Leaving]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration as done:
                leaving: Leaving = done.value
                return leaving
            error = None
            try:
                yield waits_for
            except asyncio.CancelledError as cancelled:
                error = cancelled
            while not (self.running.is_set() or self.dead):
                try:
                    yield from self.running.wait().__await__()
                except asyncio.CancelledError as cancelled:
                    error = cancelled


class LauncherLine:
    """A worker's line: what it told, and what it is told."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self._received: list[Message] = []

    def tell(self, kind: Kind, **members: object) -> None:
        # Through the bytes: what cannot be a message must not pass in a test either.
        self.told.append(decode(encode(kind, **members).rstrip(b"\n")))

    def received_nowait(self) -> list[Message]:
        received, self._received = self._received, []
        return received

    def say(self, kind: Kind, **members: object) -> None:
        self._received.append(decode(encode(kind, **members).rstrip(b"\n")))


class Process:
    """One worker's process."""

    def __init__(
        self,
        world: World,
        me: WorkerId,
        app: Application,
        deploy_id: str,
        wish: Wish | None = None,
    ) -> None:
        self.me = me
        self.app = app
        self.line = LauncherLine()
        self.log = LogBook()
        self.gone = False
        parts = Parts(
            workload=app,
            store=world.store_of(self),
            clock=world.clock_of(self),
            hosts=world.hosts_of(me),
            channel=self.line,
            schedule=Schedule(app.cadence, TIMELINE, is_shared=world.is_shared),
            me=me,
            log=self.log.log,
            newest_lines=lambda: world.store.journal()[-2:],
            newest_numbered=world.newest_numbered,
            heard=world.heard,
            settings=world.settings,
            footing=world.footing_of(self),
        )
        self.worker = Worker(parts, deploy_id=deploy_id, wish=wish)
        self._life = Freezable(self.worker.run())
        self.task = asyncio.create_task(self._live(), name=me.worker)

    async def _live(self) -> Leaving:
        leaving = await self._life
        self.gone = True
        return leaving

    def stop(self) -> None:
        """SIGSTOP: it does nothing until `wake`, but it is not gone."""
        self._life.running.clear()

    def wake(self) -> None:
        """SIGCONT."""
        self._life.running.set()

    def die(self) -> None:
        """SIGKILL: it is gone at once and does nothing more."""
        self.gone = self._life.dead = True
        self.task.cancel()

    def stopped(self) -> bool:
        return not self._life.running.is_set()

    def told(self, kind: Kind) -> list[Message]:
        return [message for message in self.line.told if message["kind"] == kind.value]

    async def left(self) -> Leaving:
        """Wait until it left by itself; return why."""
        async with asyncio.timeout(STORY_S_MAX):
            return await self.task


class _Watched:
    def __init__(self, world: World, process: Process | None) -> None:
        self._world = world
        self._process = process

    def gone(self) -> bool:
        return self._process is None or self._process.gone

    def kill(self) -> bool:
        if self._process is None:
            return True
        self._world.killed.append(self._process.me.worker)
        if self._world.kills:
            self._world.kills(self._process)
        return True

    def doubt(self) -> str:
        return self._world.doubt

    def evidence(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        return


class World:
    """One record, its workers and an outside world that they share.

    Attributes:
        kills: What a kill by another worker does; None where it does nothing.
        counts: Whether lines say how much was answered; an older engine's do not.
        killed: Names of the workers that another worker killed, in order.
        journal_says: What the moments of cycle numbers are read from.
        doubt: Why whoever is watched may live in another home, or empty.
        is_shared: Whether workers of several hosts have the record.
    """

    is_shared = False

    def __init__(self) -> None:
        self.clock = VirtualClock(START_NS)
        self.store: MemoryStore = memory_store(self.clock)
        self.venue = Venue()
        self.settings = Settings()
        self.counts = True
        self.processes: list[Process] = []
        self.killed: list[str] = []
        self.journal_says: Callable[[], Numbered | None] = self._numbered
        self.kills: Callable[[Process], None] | None = Process.die
        self.doubt = ""

    def watch(self, worker: WorkerId) -> _Watched:
        found = [each for each in self.processes if each.me == worker]
        return _Watched(self, found[0] if found else None)

    def store_of(self, process: Process) -> Store:  # noqa: ARG002 - all have the same
        """Return what a process has of the record."""
        return self.store

    def footing_of(self, process: Process) -> Footing:  # noqa: ARG002 - all have the same
        """Return what a process stands on as an owner."""
        return Alone()

    def clock_of(self, process: Process) -> VirtualClock:  # noqa: ARG002 - all have the same
        """Return what a process reads the time from."""
        return self.clock

    def hosts_of(self, me: WorkerId) -> Hosts:  # noqa: ARG002 - all have the same
        """Return who shows a worker the others."""
        return self

    def start(
        self,
        name: str,
        release: str = "r1",
        *,
        app: Application | None = None,
        deploy_id: str = "",
        wish: Wish | None = None,
    ) -> Process:
        app = app or Application()
        app.venue = self.venue
        process = Process(self, self.identity(name, release), app, deploy_id, wish)
        self.processes.append(process)
        return process

    def identity(self, name: str, release: str) -> WorkerId:
        """Return who a process is; all are of one host."""
        return worker_id(name, release)

    def heard(self) -> Iterator[Heard]:
        """Return the journal from its newest line back."""
        lines = heard_in(reversed(self.store.lines))
        return lines if self.counts else (replace(line, health=None) for line in lines)

    async def candidate(
        self,
        name: str,
        release: str = "r2",
        *,
        bake: int | None = 3,
        app: Application | None = None,
    ) -> Process:
        """Start a candidate, wait until it is ready and approve it, unless `bake` is None."""
        process = self.start(name, release, app=app, deploy_id=f"deploy-{name}")
        await self.until(lambda: bool(process.told(Kind.READY)))
        if bake is not None:
            process.line.say(Kind.GO, bake=bake)
        return process

    async def until(self, condition: Callable[[], bool], *, limit_s: float = STORY_S_MAX) -> None:
        """Let time pass until something is true."""
        deadline_ns = self.clock.monotonic_ns() + round(limit_s * NS)
        while not condition():
            assert self.clock.monotonic_ns() < deadline_ns, "it never came true"
            await self.clock.pause(0.01)

    async def settled(self, cycle: int) -> Record:
        """Let time pass until a cycle is settled."""
        await self.until(lambda: self.done() >= cycle)
        return self.store.read()

    async def after(self, cycle: int, seconds: float) -> None:
        """Let time pass until so long after a boundary; negative is before it."""
        await self.clock.wait_until(schedule().boundary_ns(cycle) + round(seconds * NS))

    def done(self) -> int:
        record = self.store.read()
        return record.progress.cycle - (record.progress.phase.value != "settled")

    def owner(self) -> str:
        owner = self.store.read().ownership.owner
        return owner.worker if owner else ""

    def body(self) -> Any:  # noqa: ANN401 - plain JSON
        return msgspec.json.decode(self.store.read().body)

    def newest_numbered(self) -> Numbered | None:
        """What the journal says of the moments that cycle numbers mean."""
        return self.journal_says()

    def _numbered(self) -> Numbered | None:
        return newest_numbered(msgspec.json.decode(data, type=Place) for data in self.store.lines)

    def lines(self, kind: str) -> list[Line]:
        return [line for line in self.store.journal() if line.kind == kind]

    def deciders(self) -> dict[int, str]:
        """Return who decided each cycle; more than one would be the end of the world."""
        decided = self.lines("decide")
        assert len({line.cycle for line in decided}) == len(decided), "a cycle is decided twice"
        return {line.cycle: line.worker for line in decided}

    async def end(self) -> None:
        """Kill everybody who is left."""
        for process in self.processes:
            process.die()
        await asyncio.gather(*(each.task for each in self.processes), return_exceptions=True)


WorldT = TypeVar("WorldT", bound=World)


def told(story: Callable[[World], Awaitable[None]]) -> World:
    """Tell a story on virtual time, and check what must hold in every one of them."""
    return told_in(World, story)


def told_in(made: Callable[[], WorldT], story: Callable[[WorldT], Awaitable[None]]) -> WorldT:
    """Tell a story in a world of another kind."""

    async def main() -> WorldT:
        world = made()
        try:
            async with asyncio.timeout(STORY_S_MAX):
                await story(world)
        finally:
            await world.end()
        return world

    world = run_virtual(main())
    check_order(world)
    return world


def check_order(world: World) -> None:
    """No cycle is decided twice or out of order, and no effect executed twice."""
    accounted = [line.cycle for line in world.store.journal() if line.kind in ("decide", "miss")]
    assert accounted == list(range(FIRST + 1, FIRST + 1 + len(accounted)))
    assert len(set(world.venue.executed)) == len(world.venue.executed)
