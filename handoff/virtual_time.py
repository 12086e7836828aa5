"""Time that passes at once: an event loop whose waits cost nothing, and a clock on it.

Owns the loop's time and a `Clock` on it that can be set, put to sleep and misread. Code that
waits on the loop or on the clock runs in it unchanged, in the same order every time; ten days of
cycles take as long as their decisions do. What waits for another thread or a socket gets a moment
of real time, no more.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from typing_extensions import override

from handoff.believed_clock import Belief, Reading, believe, first_belief
from handoff.limits import NS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BOOTED_NS: Final = 86_400 * NS  # before the loop's zero
_REAL_WAIT_S_MAX: Final = 5.0  # for a thread or a socket while no timer is set
_LOOKS_SKIPPED_MAX: Final = 15  # in a row, at sockets, by a loop that has calls to make


class Stuck(RuntimeError):
    """Everything waits and nothing will ever happen."""


class _NoWait(selectors.DefaultSelector):
    """A selector that lets virtual time pass in the place of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.elsewhere = 0  # calls in other threads that have not returned
        self._skipped = 0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(_REAL_WAIT_S_MAX)
            if not ready:
                message = "every task waits, and there is no timer to wait for"
                raise Stuck(message)
            return ready
        if self._may_skip(timeout):
            return []
        ready = super().select(_REAL_WAIT_S_MAX if self.elsewhere and timeout > 0 else 0)
        if not ready and timeout > 0:
            self.now_s += timeout
        return ready

    def _may_skip(self, timeout: float) -> bool:
        """Tell whether a look can wait: asking the system takes longer than most calls do."""
        if timeout > 0 or self.elsewhere or self._skipped == _LOOKS_SKIPPED_MAX:
            self._skipped = 0
            return False
        self._skipped += 1
        return True


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time; it starts at 0 s."""

    def __init__(self) -> None:
        """Start at zero."""
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    @override
    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call a function in another thread; no virtual time passes while it runs."""
        future = super().run_in_executor(executor, func, *args)
        self._no_wait.elsewhere += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _future: asyncio.Future[Any]) -> None:
        self._no_wait.elsewhere -= 1

    @override
    def time(self) -> float:
        """Return virtual seconds."""
        return self._no_wait.now_s


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on virtual time and return what it returns.

    Raises:
        Stuck: It waits for something that can never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class VirtualClock:
    """A `Clock` on the running loop's time; it believes its readings as the real one does.

    Args:
        start_ns: Wall-clock time at the loop's zero, nanoseconds UTC.

    Attributes:
        synchronised: What the kernel says of the wall clock.
    """

    def __init__(self, start_ns: int) -> None:
        """Show the start at the loop's zero, on a host that booted long before."""
        self.synchronised = True
        self._start_ns = start_ns
        self._booted_ns = BOOTED_NS
        self._misread_ns: list[int] = []
        self._belief: Belief | None = None

    def step(self, by_ns: int) -> None:
        """Set the wall clock forward or back, as an administrator or a time server does."""
        self._start_ns += by_ns

    def misread(self, by_ns: int, *, readings: int = 1) -> None:
        """Let the next readings of the wall clock be wrong by so much."""
        self._misread_ns = [by_ns] * readings

    def suspend(self, for_ns: int) -> None:
        """Let the host have been asleep: the monotonic clock and every timer stood still."""
        self._start_ns += for_ns
        self._booted_ns += for_ns

    def boot(self, ago_ns: int) -> None:
        """Let the host have booted so long ago."""
        self._booted_ns = ago_ns - self.monotonic_ns()
        self._belief = None

    def now_ns(self) -> int:
        """Return the wall-clock time that is believed, nanoseconds UTC."""
        passed_ns = self.monotonic_ns()
        return self._believed(passed_ns).wall_ns(passed_ns + self._booted_ns)

    def belief(self) -> Belief:
        """Read the clocks once more and return what is believed of the wall clock."""
        return self._believed(self.monotonic_ns())

    def _believed(self, passed_ns: int) -> Belief:
        wrong_ns = self._misread_ns.pop() if self._misread_ns else 0
        wall_ns = self._start_ns + passed_ns + wrong_ns
        reading = Reading(wall_ns=wall_ns, boot_ns=passed_ns + self._booted_ns)
        if self._belief is None:
            self._belief = first_belief([reading])
        self._belief = believe(self._belief, reading)
        return self._belief

    def boot_ns(self) -> int:
        """Return time since the host booted."""
        return self.monotonic_ns() + self._booted_ns

    def monotonic_ns(self) -> int:
        """Return the loop's time, which never steps."""
        return round(asyncio.get_running_loop().time() * NS)

    def is_synchronised(self) -> bool:
        """Return what the kernel says of the wall clock."""
        return self.synchronised

    async def wait_until(self, wall_ns: int) -> None:
        """Return once the believed time has reached an instant: never early, steps included."""
        while (left_ns := wall_ns - self.now_ns()) > 0:
            # A step of the clock is seen by the next look, as a real timer reports it.
            await self.pause(min(left_ns / NS + 1e-9, 1.0))

    async def pause(self, seconds: float) -> None:
        """Return after about so long."""
        await asyncio.sleep(seconds)
