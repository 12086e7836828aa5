"""What a worker needs of the world, as protocols; real and simulated ones implement them.

Owns signatures only. A worker built on these runs unchanged in a simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handoff.wire import Kind, Message
    from state.record import WorkerId


class Clock(Protocol):
    """Time. Wall-clock time may step, monotonic time may not; both in nanoseconds."""

    def now_ns(self) -> int:
        """Return wall-clock time, nanoseconds UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Return time that never steps; it may stop while the host is suspended."""
        ...

    async def wait_until(self, wall_ns: int) -> None:
        """Return once wall-clock time has reached an instant: never early, steps included."""
        ...

    async def pause(self, seconds: float) -> None:
        """Return after about so long."""
        ...


class OtherWorker(Protocol):
    """Another worker, watched."""

    def gone(self) -> bool:
        """Tell whether it is proven gone; False means that nothing is proven."""
        ...

    def kill(self) -> bool:
        """Ask the operating system to end it; that is not yet death.

        Returns:
            Whether this worker is allowed and able to: on one host it is.
        """
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


class Hosts(Protocol):
    """Where the processes are."""

    def watch(self, worker: WorkerId) -> OtherWorker:
        """Watch the process of a worker."""
        ...


class Channel(Protocol):
    """The line to the launcher. It may be down; no rule depends on it."""

    def tell(self, kind: Kind, **members: object) -> None:
        """Send a message if the line is up; never block, never raise."""
        ...

    def received_nowait(self) -> list[Message]:
        """Return what came since the last call."""
        ...
