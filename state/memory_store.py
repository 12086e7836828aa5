"""The record in memory: a complete twin of the local store, for simulation and tests.

Owns nothing on any medium. It keeps the same order of writes, the same journal and the
same rule of which record counts, and an interruption may be put between any two steps, so
that what a crash leaves behind can be tried without one. One thread at a time.
"""

from __future__ import annotations

import enum
import functools
from typing import TYPE_CHECKING

from state.commit import Commit, Generation, gap_line, plan_commit, plan_genesis
from state.errors import RecordBehind, RecordDamaged, RecordMissing
from state.journal_frames import CHAIN_START, Line, chain_lines, decode_line, decode_unchecked
from state.record import Record, Timeline, check_identity, decode_record, encode_record
from state.recovery import (
    Found,
    Replay,
    Standing,
    Undecided,
    brought_forward,
    decided_again,
    release_of,
    standing_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.store import Change, Note


class Moment(enum.Enum):
    """Where a commit can be interrupted."""

    BEFORE_JOURNAL = "before_journal"  # nothing is written yet
    BETWEEN = "between"  # the line is written: it has happened, the record has to follow
    AFTER_RECORD = "after_record"  # both are; the caller has not heard of it


class MemoryStore:
    """A `Store` in memory; share the object to share the record.

    Args:
        app: Name of the application; another one's record is refused.
        timeline: Likewise.
        now_ns: Returns wall-clock time, nanoseconds UTC; for the journal's times only.
        interrupt: Called at each moment of each commit; whatever it raises goes through.
        replay: Decides a recorded cycle again, where its record is nowhere.

    Attributes:
        data: The bytes of the newest record; None before the first.
        waiting: The bytes of the record that waits to take its place; None if there is none.
        previous: The bytes of the record before the newest; None before the second.
        lines: The journal's lines, oldest first, each with its newline.
        last: The newest of them, decoded.
    """

    def __init__(
        self,
        *,
        app: str,
        timeline: Timeline,
        now_ns: Callable[[], int],
        interrupt: Callable[[Moment], None] | None = None,
        replay: Replay | None = None,
    ) -> None:
        """Start without a record."""
        self.data: bytes | None = None
        self.waiting: bytes | None = None
        self.previous: bytes | None = None
        self.replay = replay
        self.lines: list[bytes] = []
        self.interrupt: Callable[[Moment], None] = interrupt or (lambda _: None)
        self._app = app
        self._timeline = timeline
        self._now_ns = now_ns
        self.last: Line | None = None

    def read(self) -> Record:
        """See `Store.read`."""
        return self.generation().record

    def create(self, record: Record) -> Record:
        """See `Store.create`."""
        if self.data is not None or self.lines:
            return self.read()
        check_identity(record, app=self._app, timeline=self._timeline)
        self._write(plan_genesis(record, now_ns=self._now_ns()), gap=None)
        return record

    def transact(self, change: Change, note: Note) -> Record:
        """See `Store.transact`."""
        before = self.generation()
        record = change(before.record)
        if record is before.record:
            return record
        gap = gap_line(self.last, before, now_ns=self._now_ns())
        commit = plan_commit(before, record, note, now_ns=self._now_ns())
        self._write(commit, gap=gap)
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
        """Return the record that counts, with its digest; it is in its place afterwards.

        Raises:
            RecordMissing: There is none.
            RecordForeign: It belongs to another app or timeline.
            RecordBehind: The journal has gone further, and nothing here can follow it.
        """
        found = Found(_decoded(self.data), _decoded(self.waiting), _decoded(self.previous))
        newest = found.newest
        if standing_of(found, self.last, self._is_earlier) is Standing.BEHIND:
            newest = self._bring_forward(found)
        if newest is None:
            where = "memory"
            raise RecordMissing(where)
        check_identity(newest.record, app=self._app, timeline=self._timeline)
        return newest

    def append(self, data: bytes, last: Line) -> None:
        """Append encoded lines; `last` is the newest of them, as it will be read."""
        self.lines.extend(data.splitlines(keepends=True))
        self.last = last

    def _is_earlier(self, newest: Generation) -> bool:
        lines = (decode_unchecked(data) for data in self.lines)
        return any(newest.digest in {line.result, line.parent} for line in lines)

    def _bring_forward(self, found: Found) -> Generation:
        assert self.last is not None, "a line is ahead"
        try:
            target = brought_forward(self.last, found)
        except Undecided as undecided:
            again = decided_again(undecided, self.replay) if self.replay else None
            if again is None:
                line, why = self.last, "its decision is nowhere"
                where = "memory"
                raise RecordBehind(
                    where, release=release_of(line), cycle=line.cycle, why=why
                ) from undecided
            target = again
        self._place(encode_record(target.record)[0])
        return target

    def _place(self, data: bytes) -> None:
        self.previous, self.data, self.waiting = self.data, data, None

    def _write(self, commit: Commit, *, gap: Line | None) -> None:
        self.interrupt(Moment.BEFORE_JOURNAL)
        self.waiting = commit.data
        lines = [line for line in (gap, commit.line) if line is not None]
        data, placed = chain_lines(lines, self.last)
        self.append(data, placed[-1])
        self.interrupt(Moment.BETWEEN)
        self._place(commit.data)
        self.interrupt(Moment.AFTER_RECORD)


@functools.lru_cache(maxsize=4)  # one store's three, and the next: who polls reads the same bytes
def _decoded(data: bytes | None) -> Generation | None:
    if data is None:
        return None
    try:
        return Generation(*decode_record(data, where="memory"))
    except RecordDamaged:
        return None
