"""What a worker needs of the world, as protocols, and the bundle of all that it is made of.

Owns signatures only; real and simulated parts implement them, and a worker never asks which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, Protocol

import msgspec

from handoff.cadence import Schedule
from handoff.logs import Log
from handoff.worker.footing import Alone, Footing
from handoff.worker.settings import Settings
from handoff.workload import BodyT, InputsT, Workload
from state.heard import Heard
from state.journal_frames import Line
from state.numbering import Numbered
from state.record import WorkerId
from state.store import Store

if TYPE_CHECKING:
    from handoff.believed_clock import Belief
    from handoff.wire import Kind, Message


class Clock(Protocol):
    """Time in nanoseconds. Which clock is asked for what: `believed_clock`."""

    def now_ns(self) -> int:
        """Return the wall-clock time that is believed, UTC; it may step."""
        ...

    def belief(self) -> Belief:
        """Read the clocks once more and return what is believed of the wall clock."""
        ...

    def boot_ns(self) -> int:
        """Return time since boot: it never steps and counts suspension, the same for all."""
        ...

    def monotonic_ns(self) -> int:
        """Return time that never steps; it may stop while the host is suspended."""
        ...

    def is_synchronised(self) -> bool:
        """Return False if the kernel says that nothing has set the wall clock right yet."""
        ...

    async def wait_until(self, wall_ns: int) -> None:
        """Return once the believed time has reached an instant: never early, steps included."""
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

    def doubt(self) -> str:
        """Return why it may live in another home than this one; empty if it does not."""
        ...

    def evidence(self) -> dict[str, str]:
        """Return what its death was concluded from, where that is more than its process."""
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


def _no_lines() -> Sequence[Line]:
    return ()


def _nothing_numbered() -> Numbered | None:
    return None


def _nothing_heard() -> Iterator[Heard]:
    return iter(())


def _nothing_to_begin() -> None:
    return None


_ALONE = Alone()


class Parts(msgspec.Struct, Generic[BodyT, InputsT], frozen=True, kw_only=True):
    """What a worker is made of; real or simulated.

    Attributes:
        newest_lines: Returns the journal's last lines, oldest first, two at least where there
            are two: what a shadow decides again.
        newest_numbered: Returns what the journal says of the moments that cycle numbers mean;
            asked only where the record does not say it.
        heard: Returns the journal's lines from the newest back, without bodies.
        settings: What the installation says.
        footing: What an owner stands on besides the record.
        begin: Makes the record where there is none and this worker may.
    """

    workload: Workload[BodyT, InputsT]
    store: Store
    clock: Clock
    hosts: Hosts
    channel: Channel
    schedule: Schedule
    me: WorkerId
    log: Log
    newest_lines: Callable[[], Sequence[Line]] = _no_lines
    newest_numbered: Callable[[], Numbered | None] = _nothing_numbered
    heard: Callable[[], Iterator[Heard]] = _nothing_heard
    settings: Settings = Settings()
    footing: Footing = _ALONE
    begin: Callable[[], None] = _nothing_to_begin
