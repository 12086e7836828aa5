"""The journal's files: appending under the store's lock, rotation, retention.

Owns the directory of segments, each named by the number of its first line. A segment is
only ever appended to; what a crash left behind its last newline never happened and is cut
off by the next writer. An append that failed is taken back, durably, before anybody hears of
it; where that fails too, nobody knows whether it happened until the journal is read again.
What a line says is the matter of `commit`, how it is read back
that of `journal_reader`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from state.atomic_file import NEW_FILE, Files, discard, replace_file, sync, write_all, write_new
from state.errors import JournalBroken
from state.journal_frames import (
    CHAIN_START,
    Line,
    chain_in,
    chain_lines,
    decode_first_line,
    decode_line,
    decode_unchecked,
    encode_line,
)
from state.journal_reader import Tail, first_seq, read_pruned, read_tail, segment_path, segments
from state.pruned import NAME, PrunedRange, encode_pruned, with_hole, with_ranges
from state.seal import SealBroken, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BROKEN_LINES_MAX: Final = 8  # more than a torn sector's worth is not a matter for a program
DAY_MS: Final = 86_400_000
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class AppendInDoubt(Exception):
    """An append failed and could not be taken back: the lines may be there and may not."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the journal is kept.

    Attributes:
        segment_bytes_max: A segment is closed before it grows beyond this.
        total_bytes_max: Oldest segments go while the journal is larger: 1 GiB is two years
            of a cycle every five minutes at 2.5 kB a line, two lines a cycle.
        age_days_max: Segments go when their newest line is older: a year and a month, so
            that a year can be reported on.
    """

    segment_bytes_max: int = 8 * 1024 * 1024
    total_bytes_max: int = 1024 * 1024 * 1024
    age_days_max: int = 400


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal ends.

    Attributes:
        segment: The newest segment.
        size: Its length in bytes.
        last: The newest line; it holds.
    """

    segment: Path
    size: int
    last: Line


class Journal:
    """The writer's side of one journal; every call is made under the store's lock.

    Args:
        directory: Where the segments are; must exist.
        files: The system calls that change the disk.
        retention: When a segment is closed, and when it goes.
    """

    def __init__(self, directory: Path, *, files: Files, retention: Retention) -> None:
        """Keep the parts; nothing is read yet."""
        self._directory = directory
        self._files = files
        self._retention = retention
        self._head: Head | None = None
        self._unsynced = False  # an append of ours failed and could not be taken back

    def head(self) -> Head | None:
        """Return where the journal ends, after cutting off what never happened.

        Raises:
            JournalBroken: More lines at the end are broken than a crash explains.
            OSError: The medium failed.
        """
        for segment in reversed(segments(self._directory)):
            head = self._head_in(segment)
            if head is not None:
                self._head = head
                return head
            discard(self._files, segment)  # created by a writer that died before its first line
        self._head = None
        return None

    def append(self, lines: Sequence[Line], *, opening: Callable[[], Line] | None) -> Line:
        """Append lines durably, all in one write; return the last one, numbered and chained.

        Args:
            lines: What to append, oldest first.
            opening: Makes the line that opens a new segment, if one is due; None where the record
                before these lines is not at hand: then none is opened.

        Raises:
            OSError: Nothing was appended.
            AppendInDoubt: The lines may be there and may not; read the journal again.
        """
        head = self.head()
        data, placed = chain_lines(lines, head.last if head else None)
        if head is None:
            self._create(placed, data)
        elif opening is None or head.size + len(data) <= self._retention.segment_bytes_max:
            self._extend(head, placed, data)
        else:
            opened = replace(opening(), previous_chain=head.last.chain)
            data, placed = chain_lines([opened, *lines], head.last)
            self._create(placed, data)
            # What was to be appended is; the next segment tries again to remove old ones.
            with contextlib.suppress(OSError, JournalBroken, SealBroken):
                self.prune(now_ms=placed[-1].at_ms)
        return placed[-1]

    def begin_after(self, first: Line, *, since_cycle: int) -> Line:
        """Begin a segment behind lines that this host never had; return its first line, placed.

        Args:
            first: Says what the record was there, bodies included.
            since_cycle: The first cycle of which nothing is known.

        Raises:
            OSError: Nothing was begun; a hole may be noted that the next call puts right.
            AppendInDoubt: The line may be there and may not; read the journal again.
        """
        head = self.head()
        seq, chain = (head.last.seq, head.last.chain) if head else (0, CHAIN_START)
        resumed = digest_of(f"{chain}{first.result}".encode())
        hole = PrunedRange(
            first_seq=seq + 1,
            last_seq=seq + 1,
            first_cycle=since_cycle,
            last_cycle=first.cycle,
            first_chain=chain,
            last_chain=resumed,
        )
        pruned = with_hole(read_pruned(self._directory), hole)
        # First the file: a segment that nothing explains would look like a broken chain.
        replace_file(self._files, self._directory / NAME, encode_pruned(pruned))
        line = replace(first, seq=seq + 2, previous_chain=resumed)
        data, chain = encode_line(line, previous_chain=resumed)
        placed = replace(line, chain=chain)
        self._create((placed,), data)
        return placed

    def sync(self) -> None:
        """Make durable what was appended and may not have been fsynced.

        Raises:
            OSError: It may not survive a power cut.
        """
        if self._head is None:
            return
        if self._unsynced:
            # An fsync that failed once may lie the second time: the bytes go anew.
            replace_file(self._files, self._head.segment, self._head.segment.read_bytes())
            self._unsynced = False
        else:
            sync(self._files, self._head.segment)
            sync(self._files, self._directory)

    def prune(self, *, now_ms: float) -> int:
        """Remove segments beyond the retention; return how many. The newest one always stays.

        Raises:
            OSError: Nothing was removed, or not all of it; the next call goes on.
        """
        pruned = read_pruned(self._directory)
        found = segments(self._directory)
        # Left over where a crash came between the two steps below.
        leftover = [path for path in found if first_seq(path) <= pruned.last_seq]
        kept = found[len(leftover) :]
        surplus = self._surplus(kept, now_ms)
        if surplus:
            pruned = with_ranges(pruned, [_range_of(path) for path in surplus])
            replace_file(self._files, self._directory / NAME, encode_pruned(pruned))
        for path in [*leftover, *surplus]:
            self._files.unlink(path)
        return len(surplus)

    def _head_in(self, segment: Path) -> Head | None:
        for _ in range(BROKEN_LINES_MAX):
            known = self._head
            size = segment.stat().st_size
            if known is not None and (known.segment, known.size) == (segment, size):
                return known
            tail = read_tail(segment)
            if tail.torn:
                self._cut(segment, tail.size)
            if not tail.lines:
                return None
            try:
                return Head(segment=segment, size=tail.size, last=_sound_line(tail))
            except SealBroken:
                self._put_aside(segment, tail)
        reason = f"its last {BROKEN_LINES_MAX} lines are broken"
        raise JournalBroken(segment.name, 1, cycle=None, reason=reason)

    def _put_aside(self, segment: Path, tail: Tail) -> None:
        # The record is the authority: it goes on, and the journal says what it lost.
        whole = tail.size - len(tail.lines[-1]) - 1
        aside = segment.with_name(f"{segment.stem}-{whole}.broken")
        discard(self._files, aside)
        write_new(self._files, aside, tail.lines[-1])
        self._cut(segment, whole)

    def _cut(self, segment: Path, size: int) -> None:
        descriptor = self._files.open(segment, os.O_WRONLY | os.O_CLOEXEC)
        try:
            self._files.truncate(descriptor, size)
            self._files.fsync(descriptor)
        finally:
            self._files.close(descriptor)

    def _extend(self, head: Head, placed: tuple[Line, ...], data: bytes) -> None:
        self._head = None
        descriptor = self._files.open(head.segment, _APPEND)
        try:
            self._write(descriptor, data)
        except OSError:
            self._take_back(lambda: self._cut(head.segment, head.size))
            raise
        finally:
            self._close(descriptor)
        self._remember(head.segment, head.size + len(data), placed[-1])

    def _create(self, placed: tuple[Line, ...], data: bytes) -> None:
        self._head = None
        segment = segment_path(self._directory, placed[0].seq)
        descriptor = self._files.open(segment, NEW_FILE)
        try:
            self._write(descriptor, data)
            sync(self._files, self._directory)
        except OSError:
            self._take_back(lambda: self._remove(segment))
            raise
        finally:
            self._close(descriptor)
        self._remember(segment, len(data), placed[-1])

    def _close(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):  # what counts is what the fsync said
            self._files.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> None:
        write_all(self._files, descriptor, data)
        self._files.fsync(descriptor)

    def _remove(self, segment: Path) -> None:
        # Empty first: should its name come back with the power, there is no line under it.
        self._cut(segment, 0)
        self._files.unlink(segment)
        sync(self._files, self._directory)

    def _take_back(self, undo: Callable[[], None]) -> None:
        # Pages whose fsync failed are dropped, so that a later fsync cannot pass them off as
        # written; and durably so, for whoever is told that nothing changed.
        try:
            undo()
        except OSError as error:
            self._unsynced = True
            raise AppendInDoubt from error

    def _remember(self, segment: Path, size: int, last: Line) -> None:
        self._head = Head(segment=segment, size=size, last=last)
        self._unsynced = False

    def _surplus(self, kept: list[Path], now_ms: float) -> list[Path]:
        sizes = [path.stat().st_size for path in kept]
        oldest_ms = now_ms - self._retention.age_days_max * DAY_MS
        total, count = sum(sizes), 0
        for path, size in zip(kept[:-1], sizes, strict=False):
            too_old = _newest_line(path).at_ms < oldest_ms
            if total <= self._retention.total_bytes_max and not too_old:
                break
            total, count = total - size, count + 1
        return kept[:count]


def _sound_line(tail: Tail) -> Line:
    *before, last = tail.lines
    return (
        decode_line(last, previous_chain=chain_in(before[0])) if before else decode_first_line(last)
    )


def _newest_line(segment: Path) -> Line:
    return decode_unchecked(read_tail(segment).lines[-1])


def _range_of(segment: Path) -> PrunedRange:
    with segment.open("rb") as file:
        first = decode_unchecked(file.readline())
    last = _newest_line(segment)
    return PrunedRange(
        first_seq=first.seq,
        last_seq=last.seq,
        first_cycle=first.cycle,
        last_cycle=last.cycle,
        first_chain=first.chain,
        last_chain=last.chain,
    )
