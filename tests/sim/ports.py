"""A worker's simulated ports: its clock, other processes, its log, the line to the launcher.

The line behaves as the real one: in order, with latency; when it breaks, what is under way is
lost, it is dialled again, and the last words that say what the worker is are said again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from handoff import wire
from handoff.believed_clock import Belief, Reading, believe, first_belief
from handoff.limits import CLOCK_AGREE_READINGS, CLOCK_DOUBT_POLL_S, MS, NS, RECONNECT_PAUSE_S
from handoff.liveness import Verdict
from handoff.logs import Log
from handoff.wire import Kind, Message
from handoff.worker.channel import RESAID, RETRACTS
from handoff.worker.hosts import copied
from tests.sim.application import pause
from tests.sim.homes import judged, side_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from handoff.liveness import Judgement
    from handoff.log_events import LogEvent
    from handoff.worker.ports import OtherWorker
    from state.record import WorkerId
    from tests.sim.clockwork import Clockwork, Process
    from tests.sim.faults import Faults
    from tests.sim.launcher import SimulatedLauncher
    from tests.sim.worker_process import WorkerProcess

_MISREAD_S: Final = (-100_000, -5, -1, 1, 5, 30, 3600, 100_000)


class SimulatedClock:
    """A `Clock`.

    Args:
        process: Whose clock it is.
        lag_s: How much later than asked a pause ends, on average: a loaded machine.
        faults: A reading of the wall clock may be wrong.
    """

    def __init__(self, process: Process, lag_s: float, faults: Faults) -> None:
        self._process = process
        self._clockwork = process.clockwork
        self._lag_s = lag_s
        self._faults = faults
        self._belief = first_belief([self._read() for _ in range(CLOCK_AGREE_READINGS)])

    def now_ns(self) -> int:
        return self.belief().wall_ns(self.boot_ns())

    def belief(self) -> Belief:
        self._belief = believe(self._belief, self._read())
        return self._belief

    def believed_ns(self) -> int:
        """Return the time that the worker believes, without another reading."""
        return self._belief.wall_ns(self.boot_ns())

    def boot_ns(self) -> int:
        return self._clockwork.now_ns

    def is_synchronised(self) -> bool:
        return self._clockwork.synchronised

    def _read(self) -> Reading:
        wall_ns = self._clockwork.wall_ns()
        if self._faults.strikes("misread", 0.002):
            wall_ns += self._clockwork.rng.choice(_MISREAD_S) * NS
        return Reading(wall_ns=wall_ns, boot_ns=self.boot_ns())

    def monotonic_ns(self) -> int:
        return self._clockwork.now_ns

    async def pause(self, seconds: float) -> None:
        await pause(self._process, seconds + self._clockwork.rng.uniform(0, 2 * self._lag_s))

    async def wait_until(self, wall_ns: int) -> None:
        clockwork, loop = self._clockwork, self._process.loop
        while (left_ns := wall_ns - self.now_ns()) > 0:
            woken: asyncio.Future[None] = loop.create_future()
            left_s = (left_ns + clockwork.rng.randrange(3 * MS)) / NS
            if self._belief.doubt is not None:
                left_s = min(left_s, CLOCK_DOUBT_POLL_S)
            timer = loop.call_later(left_s, _finish, woken)
            clockwork.waiters.add(woken)
            try:
                await woken
            finally:
                clockwork.waiters.discard(woken)
                timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Watched:
    """Another worker, judged by the engine's rule."""

    def __init__(
        self,
        watcher: WorkerProcess,
        worker: WorkerId,
        process: WorkerProcess | None,
        faults: Faults,
    ) -> None:
        self._watcher = watcher
        self._worker = worker
        self._process = process
        self._faults = faults
        self._look()

    def _look(self) -> Judgement:
        watcher = self._watcher
        here = side_of(watcher.identity)
        found = judged(self._worker, self._process, here, watcher.home)
        if found.verdict is Verdict.COPY:
            own = f"home-{watcher.home}"
            raise copied(own, found)
        return found

    def gone(self) -> bool:
        self._watcher.cross("watch")
        if self._look().is_dead:
            return True
        if self._faults.strikes("false_death", 0.01):
            self._faults.lied = True
            return True
        return False

    def kill(self) -> bool:
        if self._look().verdict is Verdict.HERE and self._process is not None:
            rng = self._watcher.clockwork.rng
            # A process in the middle of a write to a sick disk takes its time to die.
            slow = rng.random() < 0.1
            self._process.kill_soon(rng.randrange(3 * NS if slow else 20 * MS))
        return True

    def doubt(self) -> str:
        found = self._look()
        return found.reason if found.is_doubtful else ""

    def evidence(self) -> dict[str, str]:
        found = self._look()
        return {"moved": found.reason} if found.verdict is Verdict.MOVED else {}

    def close(self) -> None:
        """Do nothing: nothing is held."""


class SimulatedHosts:
    """One host: who lives is known for certain, once it is looked at."""

    def __init__(
        self, watcher: WorkerProcess, processes: Mapping[int, WorkerProcess], faults: Faults
    ) -> None:
        self._watcher = watcher
        self._faults = faults
        self._processes = processes

    def watch(self, worker: WorkerId) -> OtherWorker:
        return _Watched(self._watcher, worker, self._processes.get(worker.pid), self._faults)


class SimulatedLine:
    """A `Channel`: the worker's line to whichever launcher there is.

    Args:
        process: The worker's process.
        hello: What is said first on every new connection.
        launcher: Returns the launcher that listens, or None.
        faults: What goes wrong.
    """

    def __init__(
        self,
        process: Process,
        hello: dict[str, Any],
        launcher: Callable[[], SimulatedLauncher | None],
        faults: Faults,
    ) -> None:
        self._process = process
        self._clockwork: Clockwork = process.clockwork
        self._hello = hello
        self._launcher = launcher
        self._faults = faults
        self._peer: SimulatedLauncher | None = None
        self._connection = 0
        self._was_up = False
        self._early: list[bytes] = []
        self._last: dict[Kind, bytes] = {}
        self._received: list[Message] = []
        self._free_ns = [0, 0]  # when the last message of each direction arrives
        self.stands_aside_until_ns = 0
        self._dial()

    def tell(self, kind: Kind, **members: object) -> None:
        if kind is Kind.YIELDING:
            self.stands_aside_until_ns = int(str(members["until_ns"]))
        line = wire.encode(kind, **members)
        for old in RETRACTS.get(kind, ()):
            self._last.pop(old, None)
        if kind in RESAID:
            self._last[kind] = line
        if self._peer is not None:
            self._send(line)
        elif not self._was_up:
            self._early.append(line)

    def received_nowait(self) -> list[Message]:
        messages, self._received = self._received, []
        return messages

    def deliver(self, kind: Kind, **members: object) -> None:
        """Bring a message from the launcher to the worker."""
        message = wire.decode(wire.encode(kind, **members))
        self._travel(1, lambda: self._received.append(message))

    def hang_up(self) -> None:
        """Break the line: what is under way in either direction is lost."""
        if self._peer is not None:
            self._peer.line_closed(self)
            self._peer = None
        self._connection += 1
        self._clockwork.after(RECONNECT_PAUSE_S * NS, self._dial)

    def _dial(self) -> None:
        if not self._process.alive or self._peer is not None:
            return
        launcher = self._launcher()
        if launcher is None or self._process.stopped or self._process.inside or self._process.hung:
            self._clockwork.after(RECONNECT_PAUSE_S * NS, self._dial)
            return
        self._peer = launcher
        self._connection += 1
        self._send(wire.encode(Kind.HELLO, **self._hello))
        for line in list(self._last.values()) if self._was_up else self._early:
            self._send(line)
        self._early.clear()
        self._was_up = True

    def _send(self, line: bytes) -> None:
        if self._faults.strikes("line", 0.03):
            self.hang_up()
            return
        peer, message = self._peer, wire.decode(line)
        if peer is None:
            return
        self._travel(0, lambda: peer.hear(self, message))

    def _travel(self, direction: int, arrive: Callable[[], None]) -> None:
        clockwork, connection = self._clockwork, self._connection
        latency_ns = clockwork.rng.randrange(5 * MS)
        if self._faults.strikes("line", 0.1):
            latency_ns = clockwork.rng.randrange(3 * NS)
        # One after another, as on a socket.
        arrival_ns = max(clockwork.now_ns + latency_ns, self._free_ns[direction])
        self._free_ns[direction] = arrival_ns

        def due() -> None:
            if connection == self._connection:
                arrive()

        clockwork.after(arrival_ns - clockwork.now_ns, due)


class SimulatedLog(Log):
    """A log that goes to the trace of the simulation."""

    def __init__(self, process: Process, trace: Callable[..., None]) -> None:
        super().__init__()
        self._process = process
        self._trace = trace

    @override
    def write(self, event: LogEvent, **fields: Any) -> None:
        self._trace(self._process.name, event.value, **fields)
