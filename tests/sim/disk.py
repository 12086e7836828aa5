"""The simulated disk: one `MemoryStore`, reached by each process through calls that can fail.

Before each call, and at each moment of a commit, the process may be killed, stopped or told that
the disk is sick, and an operator may put an older record back. While a stopped process holds the
lock, nobody else gets it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from handoff.limits import NS
from state.errors import LockTimeout, OutcomeUnknown, RecordBehind, WriteFailed
from state.local_store import LOCK_TIMEOUT_NS
from state.memory_store import MemoryStore, Moment
from state.record import encode_record
from state.recovery import release_of, replayed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from state.commit import Commit, Generation
    from state.journal_frames import Line
    from state.record import Record
    from state.recovery import Found, Replay
    from state.store import Change, Note
    from tests.sim.clockwork import Process
    from tests.sim.faults import Faults

    Written = Callable[[Process, Note, int, Record], None]

_INPUT_OUTPUT_ERROR = 5  # EIO


class Helper:
    """A process that a worker forked.

    Attributes:
        alive: It runs.
        in_group: It is of its worker's process group.
        has_lock: It has the record's lock open: what its worker holds, it holds.
    """

    def __init__(self, *, in_group: bool) -> None:
        self.alive = True
        self.in_group = in_group
        self.has_lock = False  # closed in a child at its fork

    def die(self) -> None:
        self.alive = False


class Disk(MemoryStore):
    """The record and the journal of one home, and who holds the lock."""

    holder: Process | Helper | None = None
    history: tuple[tuple[bytes | None, bytes | None], ...] = ()
    _known: tuple[bytes | None, Generation] | None = None

    @override
    def generation(self) -> Generation:
        # What was written a moment ago need not be decoded to be known; `World` does it at the end.
        known, last = self._known, self.last
        if known and last and known[0] is self.data and known[1].digest == last.result:
            return known[1]
        found = super().generation()
        self._known = (self.data, found)
        return found

    @override
    def _write(self, commit: Commit, *, gap: Line | None) -> None:
        super()._write(commit, gap=gap)
        if self.data is commit.data:  # nobody has put another one there
            self._known = (commit.data, commit.generation)

    @override
    def _place(self, data: bytes) -> None:
        super()._place(data)
        self.history = (*self.history[-3:], (self.data, self.previous))

    @override
    def _bring_forward(self, found: Found) -> Generation:
        try:
            return super()._bring_forward(found)
        except RecordBehind:
            # More than one decision: an operator runs `state repair` with the release's code.
            target = replayed(self.journal(), found, self.replay)
            if target is None:
                raise
            self._place(encode_record(target.record)[0])
            return target

    def as_new(self) -> Disk:
        """Return an empty disk of the same application."""
        return Disk(app=self._app, timeline=self._timeline, now_ns=self._now_ns)

    def put_back(self, rng: random.Random) -> None:
        """Do what an operator may do to the record, in one of six ways."""
        record, previous = self.history[rng.randrange(len(self.history))]
        now = self.data, self.previous
        ways = [(record, now[1]), (record, previous), (record, None)]
        if now[1] is not None:
            ways += [(now[1], now[1]), (now[1], None), (now[1], now[0])]
        self.data, self.previous = ways[rng.randrange(len(ways))]

    def as_launched(self) -> dict[str, Any]:
        """Return what a launcher goes by: the record, or the newest line where that is ahead."""
        plain: dict[str, Any] = json.loads(self.data or b"{}")
        if self.last is None or plain.get("digest") == self.last.result:
            return plain
        header: dict[str, Any] = json.loads(bytes(self.last.header))
        return header

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
            and the time at which it was allowed, as the process believed it.
    """

    def __init__(
        self,
        disk: Disk,
        process: Process,
        faults: Faults,
        written: Written,
        replay: Replay,
    ) -> None:
        self._disk = disk
        self._process = process
        self._faults = faults
        self._written = written
        self._replay = replay

    def read(self) -> Record:
        self._process.cross("read")
        self._wait_for_lock()
        if self._faults.strikes("disk", 0.002):
            raise self._sick()
        if self._faults.strikes("put_back", 0.005):
            self._disk.put_back(self._process.clockwork.rng)
        self._lend_replay()
        return self._disk.read()

    def create(self, record: Record) -> Record:
        return self._disk.create(record)

    def transact(self, change: Change, note: Note) -> Record:
        self._process.cross("transact")
        self._wait_for_lock()
        disk, process = self._disk, self._process
        judged: list[tuple[Record, int]] = []  # what came out, and when it was allowed
        self._lend_replay()

        def noted(record: Record) -> Record:
            after = change(record)
            judged.append((after, process.believed_ns()))
            return after

        def interrupt(moment: Moment) -> None:
            after, wall_ns = judged[-1]
            if moment is Moment.BETWEEN:  # the line is the commit
                self._written(process, note, wall_ns, after)
            self._trouble(moment, after.attempt)

        disk.holder, outer = process, disk.interrupt
        disk.interrupt = interrupt
        try:
            return disk.transact(noted, note)
        finally:
            disk.interrupt, disk.holder = outer, self._left_with_lock()

    def token(self) -> object:
        return self._disk.token()

    def close(self) -> None:
        """Do nothing: the disk stays."""

    def _left_with_lock(self) -> Helper | None:
        """Return who still has the lock of a process that died in its commit."""
        if self._process.alive:
            return None  # it gave the lock up itself
        having = (each for each in self._process.helpers if each.alive and each.has_lock)
        return next(having, None)

    def _lend_replay(self) -> None:
        last = self._disk.last
        own = last is not None and release_of(last) == self._process.release
        self._disk.replay = self._replay if own else None

    def _wait_for_lock(self) -> None:
        holder = self._disk.holder
        if holder is not None and holder.alive and holder is not self._process:
            # Whoever is stopped with the lock in hand keeps it longer than anyone waits.
            self._process.stop(LOCK_TIMEOUT_NS)
            raise LockTimeout

    def _trouble(self, moment: Moment, attempt: str) -> None:
        process, faults = self._process, self._faults
        if faults.strikes("kill_in_call", 0.01):
            if faults.strikes("put_back", 0.4):
                self._disk.put_back(process.clockwork.rng)
            process.die()
        if process.helpers and faults.strikes("fork", 0.05):
            process.die()
        if faults.strikes("lock_stall", 0.005):
            rng = process.clockwork.rng
            process.clockwork.block(process, LOCK_TIMEOUT_NS + rng.randrange(30 * NS))
        process.require_alive()
        if faults.strikes("put_back", 0.03):
            self._disk.put_back(process.clockwork.rng)
        if not faults.strikes("disk", 0.02):
            return
        if moment is not Moment.BEFORE_JOURNAL or process.clockwork.rng.random() < 0.3:
            raise OutcomeUnknown(attempt)
        raise self._sick()

    @staticmethod
    def _sick() -> WriteFailed:
        return WriteFailed("record.json", OSError(_INPUT_OUTPUT_ERROR, "Input/output error"))
