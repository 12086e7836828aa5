"""The simulated disk: one `MemoryStore`, reached by each process through calls that can fail.

Before each call, and at each moment of a commit, the process may be killed, stopped or told that
the disk is sick. While a stopped process holds the lock, nobody else gets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from handoff.limits import NS
from state.errors import LockTimeout, OutcomeUnknown, WriteFailed
from state.local_store import LOCK_TIMEOUT_NS
from state.memory_store import MemoryStore, Moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.commit import Commit, Generation
    from state.journal_frames import Line
    from state.record import Record
    from state.store import Change, Note
    from tests.sim.clockwork import Process
    from tests.sim.faults import Faults

_INPUT_OUTPUT_ERROR = 5  # EIO


class Disk(MemoryStore):
    """The record and the journal of one host, and who holds the lock."""

    holder: Process | None = None
    _known: tuple[bytes, Generation] | None = None

    @override
    def generation(self) -> Generation:
        # What was written a moment ago need not be decoded to be known; `World` does it at the end.
        if self._known is not None and self._known[0] is self.data:
            return self._known[1]
        return super().generation()

    @override
    def _write(self, commit: Commit, *, repair: Line | None) -> None:
        known, self._known = self._known, (commit.data, commit.generation)
        try:
            super()._write(commit, repair=repair)
        finally:
            if self.data is not commit.data:  # interrupted before it was there
                self._known = known

    def decoded(self) -> Record:
        """Return what the bytes say."""
        return super().generation().record


class ProcessStore:
    """A `Store` as one process has it.

    Args:
        disk: What all processes share.
        process: Whose store it is.
        faults: What goes wrong.
        written: Called after each record that this process wrote, with what the journal says of it
            and the wall-clock time at which it was allowed.
    """

    def __init__(
        self,
        disk: Disk,
        process: Process,
        faults: Faults,
        written: Callable[[Process, Note, int], None],
    ) -> None:
        self._disk = disk
        self._process = process
        self._faults = faults
        self._written = written

    def read(self) -> Record:
        self._process.cross("read")
        self._wait_for_lock()
        if self._faults.strikes("disk", 0.002):
            raise self._sick()
        return self._disk.read()

    def create(self, record: Record) -> Record:
        return self._disk.create(record)

    def transact(self, change: Change, note: Note) -> Record:
        self._process.cross("transact")
        self._wait_for_lock()
        disk, process = self._disk, self._process
        judged: list[tuple[str, int]] = []  # the attempt, and when it was allowed

        def noted(record: Record) -> Record:
            after = change(record)
            judged.append((after.attempt, process.clockwork.wall_ns()))
            return after

        def interrupt(moment: Moment) -> None:
            attempt, wall_ns = judged[-1]
            if moment is Moment.AFTER_RECORD:
                self._written(process, note, wall_ns)
            self._trouble(moment, attempt)

        disk.holder, outer = process, disk.interrupt
        disk.interrupt = interrupt
        try:
            return disk.transact(noted, note)
        finally:
            disk.interrupt, disk.holder = outer, None

    def token(self) -> object:
        return self._disk.token()

    def close(self) -> None:
        """Do nothing: the disk stays."""

    def _wait_for_lock(self) -> None:
        holder = self._disk.holder
        if holder is not None and holder.alive and holder is not self._process:
            # Whoever is stopped with the lock in hand keeps it longer than anyone waits.
            self._process.stop(LOCK_TIMEOUT_NS)
            raise LockTimeout

    def _trouble(self, moment: Moment, attempt: str) -> None:
        process, faults = self._process, self._faults
        if faults.strikes("kill_in_call", 0.01):
            process.die()
        if faults.strikes("lock_stall", 0.005):
            rng = process.clockwork.rng
            process.clockwork.block(process, LOCK_TIMEOUT_NS + rng.randrange(30 * NS))
        process.require_alive()
        if not faults.strikes("disk", 0.02):
            return
        if moment is Moment.AFTER_RECORD or process.clockwork.rng.random() < 0.3:
            raise OutcomeUnknown(attempt)
        raise self._sick()

    @staticmethod
    def _sick() -> WriteFailed:
        return WriteFailed("record.json", OSError(_INPUT_OUTPUT_ERROR, "Input/output error"))
