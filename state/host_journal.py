"""What a host keeps of a record in an etcd: a journal of its own, and the mirror of the newest.

Owns the order, under the home's lock: what the journal lacks, then the mirror, so that the journal
always leads to what is mirrored. Lines are numbered and chained here, as on one host; in etcd they
have neither. What is lacking follows the line whose `result` is that of the newest line here. Where
etcd has that line no more, or where there is none here, a segment begins with the newest line that
has a body, and what lies before it stays open on this host, back to what it has told etcd that it
has.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from state.atomic_file import SystemFiles, make_directory
from state.commit import segment_line
from state.coverage import Covered
from state.cycle_audit import CycleRange
from state.errors import RecordDamaged, RecordMissing
from state.journal import Journal, Retention
from state.journal_frames import SEGMENT, Line, following_cycle
from state.journal_reader import read_pruned
from state.mirror import MIRROR, refuse_kept, write_mirror
from state.place import Place
from state.record import EMPTY_BODY
from state.record_file import identity_of, read_generation
from state.record_lock import RecordLock
from state.sighting import Seen, Sighting, read_seen, write_seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from state.atomic_file import Files
    from state.commit import Generation
    from state.errors import StateError

LOCK: Final = "record.lock"  # as of a record that is kept here
LOCK_TIMEOUT_NS: Final = 5_000_000_000
LINES_AT_ONCE: Final = 32
_SYSTEM_FILES: Final = SystemFiles()
_RETENTION: Final = Retention()
_NOTHING: Final = msgspec.Raw(EMPTY_BODY)


class Source(Protocol):
    """Lines as etcd has them, by the numbers that they have there."""

    def line(self, number: int) -> Line:
        """Return a line.

        Raises:
            RecordMissing: It is not there, or not any more.
        """
        ...

    def number_of(self, result: str) -> int | None:
        """Return the number of the line that led to a record; None where it is not there."""
        ...

    def oldest_line(self) -> Line:
        """Return the oldest line that is there."""
        ...

    def said_of(self, home: str) -> int:
        """Return the newest settled cycle that a home has said it has; -1 for none."""
        ...

    def older(self, fact: str) -> StateError:
        """Return the refusal of an etcd that knows less than was seen of it."""
        ...


class Newest(NamedTuple):
    """The record in etcd: its bytes, what they say, and the number of the line that led to it.

    Beside it how far etcd had gone when it was read.
    """

    generation: Generation
    data: bytes
    number: int
    sighting: Sighting = Sighting()


class HostJournal:
    """The journal and the mirror of one home.

    Args:
        home: The state directory.
        now_ns: Reads the wall clock, nanoseconds UTC; for the lines' times only.
        files: The system calls that change the disk.
        retention: How much of the journal is kept.
        place: The host that the home is on.
    """

    def __init__(
        self,
        home: Path,
        *,
        now_ns: Callable[[], int],
        place: Place = Place(),  # noqa: B008 - a value that nobody can change
        files: Files = _SYSTEM_FILES,
        retention: Retention = _RETENTION,
    ) -> None:
        """Make the directories and open the lock file.

        Raises:
            HomeUnsuitable: This home keeps a record of its own, or cannot be written.
        """
        self._state = home / "state"
        self.place = place
        refuse_kept(self._state)
        for each in (self._state, home / "journal"):
            make_directory(files, each)
        self._files = files
        self._now_ns = now_ns
        self._directory = home / "journal"
        self._journal = Journal(self._directory, files=files, retention=retention)
        self._lock = RecordLock(self._state / LOCK, timeout_ns=LOCK_TIMEOUT_NS)
        self._known: tuple[str, int] = ("", 0)  # a record, and the number of its line in etcd
        self._mirrored: tuple[object, Generation | None] = (None, None)  # a file, and its record

    def follow(self, newest: Newest, source: Source, *, written: Line | None = None) -> None:
        """Append what the journal lacks up to a record, and mirror that record.

        Args:
            newest: The record.
            source: Where its line is, and others.
            written: Its line, where the caller has it.

        Raises:
            OSError: The disk failed; the next call goes on.
            AppendInDoubt: Likewise.
            StateError: A line could not be read, the lock was not free, what lies here is no
                journal, or etcd knows less than this host.
        """
        digest = newest.generation.digest
        with self._lock.held():
            head = self._journal.head()
            last = head.last if head is not None else None
            if last is None or last.result != digest:
                last = self._append(last, newest, source, written)
            if last.result != digest:
                return  # another worker of this home is ahead
            self._known = (digest, newest.number)
            mirrored = self._read_mirror()
            if mirrored is None or mirrored.digest != digest:
                write_mirror(self._files, self._state, newest.data)
                self._mirrored = (identity_of(self._state / MIRROR), newest.generation)
            write_seen(self._files, self._state, newest.sighting)

    def sighting(self) -> Sighting:
        """Return how far this host has seen its etcd.

        Raises:
            HomeUnsuitable: What it keeps of that is not what was written.
        """
        seen = self.seen()
        return seen.sighting if seen is not None else Sighting()

    def seen(self) -> Seen | None:
        """Return what this home keeps of its etcd; None where it has not followed one yet.

        Raises:
            HomeUnsuitable: It is not what was written.
        """
        return read_seen(self._state)

    def covered(self) -> Covered:
        """Return which cycles this home's journal has.

        Raises:
            LockTimeout: Somebody writes for too long.
            JournalBroken: What is known of its holes is not what was written.
        """
        with self._lock.held():
            head = self._journal.head()
        last = head.last if head is not None else None
        holes = read_pruned(self._directory).holes
        return Covered(
            last=following_cycle(last) - 1 if last is not None else -1,
            holes=tuple(
                CycleRange(first=each.first_cycle, last=each.last_cycle)
                for each in holes
                if each.first_cycle <= each.last_cycle
            ),
        )

    def require_nothing_followed(self, source: Source) -> None:
        """Refuse an etcd without a record where this host has followed one there.

        Raises:
            EtcdOlder: It has.
        """
        with self._lock.held():
            head = self._journal.head()
        if head is not None and head.last is not None:
            fact = f"it has no record, and this host followed one to cycle {head.last.cycle}"
            raise source.older(fact)

    def close(self) -> None:
        """Give the lock file back."""
        self._lock.close()

    def _append(
        self, last: Line | None, newest: Newest, source: Source, written: Line | None
    ) -> Line:
        """Append the lines up to the newest; return the newest line that is here then."""
        if last is not None and written is not None and written.parent == last.result:
            return self._extend(last, [written])
        at, lines = self._following(last, newest.number, source)
        if lines is None:
            last, at = self._begin(last, newest, source)
            lines = _some(source, at, newest.number)
        while lines:
            last, at = self._extend(last, lines), at + len(lines)
            lines = _some(source, at, newest.number)
        assert last is not None, "one was there, or was begun"
        return last

    def _following(
        self, last: Line | None, newest: int, source: Source
    ) -> tuple[int, list[Line] | None]:
        """Return the number of the newest line here and the first lines that it lacks.

        None in their place where etcd has not, or not any more, what comes next.
        """
        at: int | None = 0  # from the very first line on, as long as etcd has all of them
        if last is not None:
            is_known = last.result == self._known[0]
            at = self._known[1] if is_known else source.number_of(last.result)
        if at is None:
            return 0, None
        try:
            return at, _some(source, at, newest)
        except RecordMissing:
            return at, None

    def _begin(self, last: Line | None, newest: Newest, source: Source) -> tuple[Line, int]:
        """Begin a segment at the newest line with a body; return its first line and the number."""
        if last is not None and not _is_before(last, source.oldest_line()):
            fact = f"it does not know the newest line of this host's journal, of cycle {last.cycle}"
            raise source.older(fact)
        first, at = segment_line(newest.generation, now_ns=self._now_ns()), newest.number
        with contextlib.suppress(RecordMissing):  # etcd keeps no older ones
            for each in range(newest.number, 0, -1):
                line = source.line(each)
                if line.body != _NOTHING:
                    first, at = _opening(line), each
                    break
        return self._journal.begin_after(first, since_cycle=self._proven(last, source) + 1), at

    def _proven(self, last: Line | None, source: Source) -> int:
        """Return the newest cycle of which this journal surely tells what happened; -1 for none.

        A host may come back when etcd has no line any more that its own could be compared with.
        What it followed after a copy was made that was put back meanwhile happened otherwise.
        """
        seen = self.seen()
        if last is None or seen is None:
            return -1
        return min(following_cycle(last) - 1, source.said_of(seen.home))

    def _extend(self, last: Line | None, lines: list[Line]) -> Line:
        mirrored = self._read_mirror()
        if mirrored is None or last is None or mirrored.digest != last.result:
            return self._journal.append(lines, opening=None)
        current = mirrored
        return self._journal.append(
            lines, opening=lambda: segment_line(current, now_ns=self._now_ns())
        )

    def _read_mirror(self) -> Generation | None:
        """Return what is mirrored; None where that cannot be read: it is written anew then."""
        path = self._state / MIRROR
        identity = identity_of(path)
        if identity is None or identity != self._mirrored[0]:
            try:
                self._mirrored = (identity, read_generation(path))
            except (RecordMissing, RecordDamaged):
                return None
        return self._mirrored[1]


def _some(source: Source, at: int, newest: int) -> list[Line]:
    """Return some lines after one, the newest at most."""
    return [source.line(each) for each in range(at + 1, min(at + LINES_AT_ONCE, newest) + 1)]


def _is_before(last: Line, oldest: Line) -> bool:
    """Tell whether a line stands before the oldest one that etcd has."""
    return (last.epoch, last.cycle) < (oldest.epoch, oldest.cycle) or last.result == oldest.parent


def _opening(line: Line) -> Line:
    """Return the line that begins a segment with the record that another line led to."""
    return replace(
        line,
        kind=SEGMENT,
        parent=line.result,
        inputs=_NOTHING,
        inputs_schema=0,
        unavailable="",
        evidence={},
        health=None,
        scheduled_ms=None,
        started_ms=None,
        committed_ms=None,
    )
