"""A record that is out of reach: who waits for it, and how it is said.

Owns that an etcd which does not answer ends no worker. It is said to the launcher, which counts
nothing against anybody until it is said that the record is back, and who asked to leave may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from handoff.limits import AWAY_POLL_S, MS, OWNER_POLL_S
from handoff.log_events import LogEvent
from handoff.wire import Kind
from handoff.workload import BodyT, InputsT
from state.errors import OutOfReach

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.worker.ports import Parts
    from state.record import Record


class Reach(Generic[BodyT, InputsT]):
    """Waits until the record can be written again.

    Args:
        parts: The world it lives in.
        leaving: Tells whether this worker was asked to leave; hears what it is told.
        due: Returns when an owner's next step is overdue if all of its limit begins now.
    """

    def __init__(
        self,
        parts: Parts[BodyT, InputsT],
        *,
        leaving: Callable[[], bool],
        due: Callable[[], dict[str, int]],
    ) -> None:
        """Start within reach."""
        self._me = parts.me
        self._store = parts.store
        self._footing = parts.footing
        self._clock = parts.clock
        self._channel = parts.channel
        self._log = parts.log
        self._leaving = leaving
        self._due = due
        self._since_ns = 0  # boot time from which on it is out of reach; 0 while it is not

    async def wait(self, reason: str) -> bool:
        """Return once the record can be written; False once this worker is asked to leave.

        Args:
            reason: Why it is taken to be out of reach.
        """
        self._lose(reason)
        while not self._leaving():
            if self._footing.time_counts():
                self._find()
                return True
            await self._clock.pause(AWAY_POLL_S)
        return False

    async def read_when_back(self, error: Exception) -> Record | None:
        """Return the record once it can be read; None once this worker is asked to leave.

        Args:
            error: Why it is taken to be out of reach.
        """
        while await self.wait(str(error)):
            try:
                return self._store.read()
            except OutOfReach as again:
                error = again
        return None

    async def read_further(self, before: Record) -> Record | None:
        """Return the record where this worker, which was refused, owns it as before and further on.

        A step that landed after its answer was given up is refused the next time, for it is taken,
        and was not heard of if somebody wrote on top of it.

        Args:
            before: The record that the refused step began with.
        """
        try:
            found: Record | None = self._store.read()
        except OutOfReach as error:
            found = await self.read_when_back(error)
        if found is None or found.ownership.owner != self._me:
            return None
        if found.ownership.epoch != before.ownership.epoch or found.progress == before.progress:
            return None  # it was refused for what it is, and would be again
        return found

    async def regain(self, epoch: int) -> None:
        """Bind an owner's key anew where its lease is over, and wait a moment for the lease.

        Raises:
            OutOfReach: The record is out of reach.
        """
        if self._footing.is_lost() and self._footing.regain(epoch):
            self._log.write(LogEvent.LEASE_LOST, epoch=epoch, bound=True)
        await self._clock.pause(OWNER_POLL_S)

    def _lose(self, reason: str) -> None:
        if self._since_ns:
            return
        self._since_ns = self._clock.boot_ns()
        since_ms = self._clock.now_ns() // MS
        self._log.write(LogEvent.RECORD_AWAY, reason=reason)
        self._channel.tell(Kind.AWAY, since_ms=since_ms, reason=reason)

    def _find(self) -> None:
        away_ms = (self._clock.boot_ns() - self._since_ns) // MS
        self._since_ns = 0
        self._log.write(LogEvent.RECORD_BACK, away_ms=away_ms)
        self._channel.tell(Kind.BACK, away_ms=away_ms, **self._due())
