"""Simulated time and simulated processes: one heap of events, an event loop per process.

A process here is what the kernel sees: it is scheduled or not, it is killed between any two
steps or inside any call, and what it left half done stays half done. Each has an event loop of
its own, so that a killed one runs nothing more, not even a `finally`, and a stopped one resumes
where it was. What a process does inside a call may be interrupted: the others go on meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple

from typing_extensions import override

from handoff.limits import NS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from tests.sim.disk import Helper

Ts = TypeVarTuple("Ts")

START_NS: Final = 1_795_000_000 * NS  # wall-clock time at which every simulation begins
DISBELIEF_NS: Final = 120 * NS  # longer than anybody is stopped, and two seconds
NESTED_MAX: Final = 3  # processes interrupted inside a call at the same time
TURNS_MAX: Final = 20_000  # steps of one process at one instant: it spins


class Killed(BaseException):
    """The process was ended inside a call; no handler of its own may see that."""


class Clockwork:
    """Time, and what happens when.

    Args:
        rng: Drives everything that is left to chance.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_ns = 0  # monotonic
        self.step_ns = 0  # how far the host's wall clock was stepped
        self._steps: list[tuple[int, int]] = []  # until when it was stepped how far
        self.synchronised = True  # the kernel knows the wall clock to be right
        self.waiters: set[asyncio.Future[None]] = set()  # who waits for wall-clock time
        self.is_over: Callable[[], bool] = lambda: False  # the simulation need not go on
        self.violation = ""  # the first broken guarantee; it ends the simulation
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._nested = 0

    def wall_ns(self) -> int:
        """Return the host's wall-clock time."""
        return START_NS + self.now_ns + self.step_ns

    def true_ns(self) -> int:
        """Return the wall-clock time of everybody else: it never steps."""
        return START_NS + self.now_ns

    def latest_wall_ns(self) -> int:
        """Return the latest time that the wall clock may honestly be taken for.

        What it showed before it was set back is believed until that is sure, and a process that
        was stopped meanwhile has not even looked.
        """
        recent = [step for until, step in self._steps if self.now_ns - until < DISBELIEF_NS]
        return START_NS + self.now_ns + max([self.step_ns, *recent])

    def after(self, delay_ns: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now_ns + max(0, int(delay_ns)), self._count, call))

    def step_wall(self, by_ns: int) -> None:
        self._steps.append((self.now_ns, self.step_ns))
        self.step_ns += by_ns
        for waiter in list(self.waiters):
            if not waiter.done():
                waiter.set_result(None)

    def report(self, violation: str) -> None:
        """Note a broken guarantee."""
        self.violation = self.violation or violation

    def run(self, until_ns: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let things happen until an instant, until `stop` says so or until it is over."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            if self.violation or stop() or self.is_over():
                return
            self.now_ns, _, call = heapq.heappop(heap)
            call()
        self.now_ns = max(int(until_ns), self.now_ns)

    def block(self, process: Process, duration_ns: int) -> None:
        """Keep a process inside a call for a while; the others go on.

        Raises:
            Killed: It was ended meanwhile.
        """
        if self._nested >= NESTED_MAX:
            process.stop(duration_ns)  # as near as it gets: from its next step on
            return
        loop = process.loop
        task = asyncio.current_task(loop)
        if task is not None:
            asyncio.tasks._leave_task(loop, task)  # noqa: SLF001 - no public way to nest loops
        asyncio._set_running_loop(None)  # noqa: SLF001 - as above
        self._nested += 1
        process.inside += 1
        try:
            self.run(self.now_ns + duration_ns, lambda: not process.alive)
        finally:
            process.inside -= 1
            self._nested -= 1
            asyncio._set_running_loop(loop)  # noqa: SLF001 - as above
            if task is not None:
                asyncio.tasks._enter_task(loop, task)  # noqa: SLF001 - as above
        if self.violation or self.is_over():
            process.die()
        process.require_alive()


class Process:
    """One process: an event loop, and whether it is scheduled.

    Args:
        clockwork: Time.
        name: For humans.
        pid: Unique for ever in this simulation.
        release: The release that it runs.

    Attributes:
        alive: Its process exists.
        status: Its exit status once it exited by itself.
        hung: It does nothing any more, though it exists.
        crash: The exception that it died of, if it did.
        inside: How many of its calls are interrupted right now.
        helpers: What it forked.
    """

    def __init__(self, clockwork: Clockwork, *, name: str, pid: int, release: str) -> None:
        self.clockwork = clockwork
        self.name = name
        self.pid = pid
        self.release = release
        self.alive = True
        self.hung = False
        self.inside = 0
        self.status: int | None = None
        self.crash: BaseException | None = None
        self.helpers: list[Helper] = []
        self.on_death: Callable[[], None] = lambda: None
        self.on_call: Callable[[Process, str], None] = lambda *_: None
        self.loop = ProcessLoop(self)  # type: ignore[abstract]  # as much of a loop as is needed
        self._stopped_until_ns = 0
        self._scheduled = False
        self._instant = (0, 0)
        self._task: asyncio.Task[Any] | None = None

    def believed_ns(self) -> int:
        """Return the wall-clock time that this process believes."""
        return self.clockwork.wall_ns()

    def start(self, main: Coroutine[Any, Any, int]) -> None:
        self._task = self.loop.create_task(main)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[int]) -> None:
        self.crash = task.exception()
        self.status = 1 if self.crash else task.result()
        self.die()

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.loop.ready.clear()
            self.on_death()

    def die_with_helpers(self) -> None:
        for helper in self.helpers:
            helper.die()
        self.die()

    def kill_soon(self, delay_ns: int) -> None:
        """Send SIGKILL: death follows, it does not come at once."""
        self.clockwork.after(delay_ns, self.die)

    def stop(self, duration_ns: int) -> None:
        """Send SIGSTOP, and SIGCONT after a while."""
        self._stopped_until_ns = max(self._stopped_until_ns, self.clockwork.now_ns + duration_ns)

    @property
    def stopped(self) -> bool:
        return self._stopped_until_ns > self.clockwork.now_ns

    def hang(self) -> None:
        """Go on existing, and never do anything again.

        Raises:
            Killed: Always; what unwinds does nothing any more.
        """
        self.freeze()
        raise Killed

    def freeze(self) -> None:
        """Stop doing anything, for ever: a deadlock, a dead disk under it."""
        self.hung = True
        self.loop.ready.clear()

    def require_alive(self) -> None:
        if not self.alive or self.hung:
            raise Killed

    def cross(self, where: str) -> None:
        """Enter a call: the process may be killed or interrupted there.

        Raises:
            Killed: It does not come back.
        """
        self.require_alive()
        self.on_call(self, where)

    def wake(self) -> None:
        if not self._scheduled and self.alive and not self.hung:
            self._scheduled = True
            self.clockwork.after(self._stopped_until_ns - self.clockwork.now_ns, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self.alive or self.inside or self.hung:
            return  # an interrupted process goes on with what is ready once its call returns
        if self.stopped:
            self.wake()
            return
        outer = asyncio._get_running_loop()  # noqa: SLF001 - what an event loop has to do
        asyncio._set_running_loop(self.loop)  # noqa: SLF001 - as above
        try:
            self._run_ready()
        finally:
            asyncio._set_running_loop(outer)  # noqa: SLF001 - as above

    def _run_ready(self) -> None:
        ready = self.loop.ready
        while ready and self.alive and not self.hung:
            if self.stopped:
                self.wake()
                return
            self._count_turn()
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - what an event loop does with a handle

    def _count_turn(self) -> None:
        now_ns, turns = self._instant
        fresh = now_ns != self.clockwork.now_ns
        self._instant = (self.clockwork.now_ns, 1 if fresh else turns + 1)
        if turns > TURNS_MAX:
            self.clockwork.report(f"{self.name} spins without waiting")
            self.die()


class ProcessLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as code needs that waits for time and for other tasks."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.ready: deque[asyncio.Handle] = deque()
        self._coroutines: list[Coroutine[Any, Any, Any]] = []

    @override
    def time(self) -> float:
        return self._process.clockwork.now_ns / NS

    @override
    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if self._process.alive and not self._process.hung:
            self.ready.append(handle)
            self._process.wake()
        return handle

    @override
    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        clockwork, process = self._process.clockwork, self._process

        def due() -> None:
            if process.alive and not handle.cancelled():
                self.ready.append(handle)
                process.wake()

        # Rounded up: a timer that fires early would be set again for ever.
        clockwork.after(-((clockwork.now_ns - when * NS) // 1), due)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when it is due."""

    @override
    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    @override
    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        self._coroutines.append(coro)
        return asyncio.Task(coro, loop=self, **kwargs)

    def forget(self) -> None:
        """Close what a killed process left waiting, so that nobody complains about it."""
        for coroutine in self._coroutines:
            coroutine.close()

    @override
    def get_debug(self) -> bool:
        return False

    @override
    def is_running(self) -> bool:
        return True

    @override
    def is_closed(self) -> bool:
        return False

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Do nothing: what ends a process is seen by how it ended."""
