"""The record in memory: a complete twin of the local store, for simulation and tests.

Owns nothing on any medium. It keeps the same order of writes, the same journal and the
same repair, and an interruption may be put between any two steps, so that what a crash
leaves behind can be tried without one. One thread at a time.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from state.commit import Commit, Generation, plan_commit, plan_genesis, repair_line
from state.errors import RecordMissing
from state.journal_frames import CHAIN_START, Line, chain_lines, decode_line
from state.record import Record, Timeline, check_identity, decode_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.store import Change, Note


class Moment(enum.Enum):
    """Where a commit can be interrupted."""

    BEFORE_JOURNAL = "before_journal"  # nothing is written yet
    BETWEEN = "between"  # the line is written, the record is not
    AFTER_RECORD = "after_record"  # both are; the caller has not heard of it


class MemoryStore:
    """A `Store` in memory; share the object to share the record.

    Args:
        app: Name of the application; another one's record is refused.
        timeline: Likewise.
        now_ns: Returns wall-clock time, nanoseconds UTC; for the journal's times only.
        interrupt: Called at each moment of each commit; whatever it raises goes through.

    Attributes:
        data: The bytes of the newest record; None before the first.
        lines: The journal's lines, oldest first, each with its newline.
    """

    def __init__(
        self,
        *,
        app: str,
        timeline: Timeline,
        now_ns: Callable[[], int],
        interrupt: Callable[[Moment], None] | None = None,
    ) -> None:
        """Start without a record."""
        self.data: bytes | None = None
        self.lines: list[bytes] = []
        self.interrupt: Callable[[Moment], None] = interrupt or (lambda _: None)
        self._app = app
        self._timeline = timeline
        self._now_ns = now_ns
        self._last: Line | None = None

    def read(self) -> Record:
        """See `Store.read`."""
        return self.generation().record

    def create(self, record: Record) -> Record:
        """See `Store.create`."""
        if self.data is not None:
            return self.read()
        check_identity(record, app=self._app, timeline=self._timeline)
        self._write(plan_genesis(record, now_ns=self._now_ns()), repair=None)
        return record

    def transact(self, change: Change, note: Note) -> Record:
        """See `Store.transact`."""
        before = self.generation()
        record = change(before.record)
        if record is before.record:
            return record
        repair = repair_line(self._last, before, now_ns=self._now_ns())
        commit = plan_commit(before, record, note, now_ns=self._now_ns())
        self._write(commit, repair=repair)
        return record

    def token(self) -> bytes | None:
        """Return the record's bytes, which differ after every change."""
        return self.data

    def close(self) -> None:
        """See `Store.close`; the record stays, for whoever shares it."""

    def journal(self) -> list[Line]:
        """Return the journal's lines, their chain checked."""
        found: list[Line] = []
        for data in self.lines:
            previous_chain = found[-1].chain if found else CHAIN_START
            found.append(decode_line(data, previous_chain=previous_chain))
        return found

    def generation(self) -> Generation:
        """Return the newest record with its digest.

        Raises:
            RecordMissing: There is none.
            RecordForeign: It belongs to another app or timeline.
        """
        if self.data is None:
            where = "memory"
            raise RecordMissing(where)
        record, digest = decode_record(self.data, where="memory")
        check_identity(record, app=self._app, timeline=self._timeline)
        return Generation(record, digest)

    def _write(self, commit: Commit, *, repair: Line | None) -> None:
        self.interrupt(Moment.BEFORE_JOURNAL)
        lines = [line for line in (repair, commit.line) if line is not None]
        data, placed = chain_lines(lines, self._last)
        self.lines.extend(data.splitlines(keepends=True))
        self._last = placed[-1]
        self.interrupt(Moment.BETWEEN)
        self.data = commit.data
        self.interrupt(Moment.AFTER_RECORD)
