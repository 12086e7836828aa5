"""Reading the journal back: its newest lines from the end, or all of it as a checked chain.

Owns the listing of segments and every read of them; takes no lock and writes nothing, so
that `status`, a report or an auditor may read while the owner appends. A line that has no
newline yet is not there yet.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from state.cycle_audit import CycleRange, CycleReport, audit_cycles
from state.errors import JournalBroken, JournalOvertaken
from state.journal_frames import (
    ABORTED,
    CHAIN_START,
    SEGMENT,
    Line,
    blamed_cycle,
    broken_rule,
    decode_first_line,
    decode_line,
    decode_unchecked,
    following_cycle,
    peek,
    why_broken,
)
from state.numbering import Place
from state.pruned import NAME, Pruned, PrunedRange, decode_pruned
from state.seal import SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

OVERTAKEN_MAX: Final = 8  # times that reading starts again; retention is far slower than that
SUFFIX: Final = ".jsonl"
_NAME: Final = re.compile(r"[0-9]{12,}\.jsonl")
SEARCHED_SEGMENTS_MAX: Final = 2  # for a record that is not where the journal ends
_BLOCK_BYTES: Final = 64 * 1024


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a segment.

    Attributes:
        lines: Its last complete lines, as many as were asked for at most, oldest first.
        size: Length in bytes up to the last newline.
        torn: Bytes behind the last newline: a line that never happened.
    """

    lines: tuple[bytes, ...]
    size: int
    torn: int


def segment_path(directory: Path, seq: int) -> Path:
    """Return the name of the segment whose first line has this number."""
    return directory / f"{seq:012d}{SUFFIX}"


def first_seq(segment: Path) -> int:
    """Return the number of a segment's first line, from its name."""
    return int(segment.name.removesuffix(SUFFIX))


def segments(directory: Path) -> list[Path]:
    """Return the segments, oldest first; none where the directory is missing."""
    if not directory.is_dir():
        return []
    found = (path for path in directory.iterdir() if is_segment(path.name))
    return sorted(found, key=first_seq)


def is_segment(name: str) -> bool:
    """Tell whether a file of this name is a segment."""
    return _NAME.fullmatch(name) is not None


def read_pruned(directory: Path) -> Pruned:
    """Read what retention left behind in a journal's directory.

    Raises:
        JournalBroken: The file is not what was written.
    """
    try:
        return decode_pruned((directory / NAME).read_bytes())
    except FileNotFoundError:
        return Pruned()


def unproven_cycles(directory: Path) -> tuple[CycleRange, ...]:
    """Return the cycles that a journal says nothing of because its host was not there.

    Raises:
        JournalBroken: `pruned.json` is not what was written.
    """
    newest = segments(directory)[-1:]
    last_seq = first_seq(newest[0]) if newest else 0
    pruned = read_pruned(directory)
    # A hole that nothing follows yet was noted by a writer that died before the next line.
    return tuple(
        CycleRange(first=each.first_cycle, last=each.last_cycle)
        for each in pruned.holes
        if pruned.last_seq < each.last_seq < last_seq and each.first_cycle <= each.last_cycle
    )


def read_tail(segment: Path, lines_max: int = 2) -> Tail:
    """Read a segment backwards until its last complete lines are there.

    Each byte is read and looked at once, whatever the length of a line; what is read is bounded
    by the segment, which is closed before it grows beyond its size or one line.
    """
    with segment.open("rb") as file:
        start = file.seek(0, 2)
        blocks: list[bytes] = []
        newlines = 0
        # One newline more than lines: the end of the line before them, and the end of each.
        while start > 0 and newlines <= lines_max:
            step = min(_BLOCK_BYTES, start)
            start = file.seek(start - step)
            blocks.append(file.read(step))
            newlines += blocks[-1].count(b"\n")
    data = b"".join(reversed(blocks))
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    return Tail(lines=tuple(lines[-lines_max:]), size=start + whole, torn=len(data) - whole)


def newest_lines(directory: Path, lines_max: int = 2) -> tuple[Line, ...]:
    """Return the newest segment's last lines, so many at most, oldest first, chain unchecked."""
    found = segments(directory)
    try:
        tail = read_tail(found[-1], lines_max).lines if found else ()
        return tuple(decode_unchecked(data) for data in tail)
    except (FileNotFoundError, SealBroken):
        return ()  # rotated away meanwhile, or not to be believed: nothing is known


def read_places(directory: Path) -> Iterator[Place]:
    """Yield what the newest segments say of cycles and their moments, oldest first.

    A line beyond reading says nothing; the chain is not looked at.
    """
    for segment in segments(directory)[-SEARCHED_SEGMENTS_MAX:]:
        try:
            with segment.open("rb") as file:
                for data in file:
                    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                        yield msgspec.json.decode(data, type=Place)
        except FileNotFoundError:
            continue  # pruned meanwhile


class _Left(msgspec.Struct):
    cycle: int = 0
    parent: str = ""
    result: str = ""


def was_left_earlier(directory: Path, digest: str, cycle: int) -> bool:
    """Tell whether some line left a record, or found it, whether that line happened or not.

    Args:
        directory: The journal's directory.
        digest: Of the record.
        cycle: Its newest cycle: what lies before the first line of it is not looked at.
    """
    for segment in reversed(segments(directory)[-SEARCHED_SEGMENTS_MAX:]):
        for data in reversed(segment.read_bytes().splitlines()):
            try:
                line = msgspec.json.decode(data, type=_Left)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if digest in {line.result, line.parent}:
                return True
            if line.cycle < cycle - 1:  # one that was taken back may stand before its parent's
                return False
    return False


def read_lines(directory: Path, since_cycle: int | None = None) -> Iterator[Line]:
    """Yield the journal's lines, oldest first, while the chain holds.

    Args:
        directory: The journal's directory.
        since_cycle: First cycle wanted; reading starts at the segment that may hold it,
            so the chain is proven from there on. None reads everything that is kept.

    Raises:
        JournalBroken: A line was removed, repeated or changed; says where.
    """
    last_seq = 0
    for _ in range(OVERTAKEN_MAX):
        try:
            for line in _wanted(_checked(directory, since_cycle), since_cycle):
                if line.seq > last_seq:
                    last_seq = line.seq
                    yield line
        except JournalOvertaken:
            continue  # on from what is kept: the pruned lines that were not read are gone
        return
    raise JournalOvertaken


def verify_chain(
    directory: Path, *, digest: str | None = None, cycle: int | None = None
) -> Line | None:
    """Check the whole chain; return its newest line, or None where there is no journal.

    Args:
        directory: The journal's directory.
        digest: Digest of the record, read before this call: the journal must lead to it.
            Without it, lines cut off at the very end cannot be noticed.
        cycle: Newest cycle of that record.

    Raises:
        JournalBroken: A line was removed, repeated or changed; says where.
    """

    def newest() -> Line | None:
        last: Line | None = None
        reached = digest is None
        for line in _checked(directory, None):
            last = line
            # A line ahead of the record has happened; the record follows.
            reached = reached or digest in {line.result, line.parent}
        if not reached:
            raise _cut_off(directory, last, cycle)
        return last

    return _unhurried(newest)


def verify_cycles(directory: Path, since_cycle: int | None = None) -> CycleReport:
    """Count the cycles in the journal.

    Args:
        directory: The journal's directory.
        since_cycle: First cycle wanted; None counts everything that is kept.

    Raises:
        JournalBroken: A line was removed, repeated or changed; says where.
    """

    def count() -> CycleReport:
        # Anew each time: what was pruned in the middle of a count would look lost.
        wanted = _wanted(_checked(directory, since_cycle), since_cycle)
        return audit_cycles(wanted)

    return _unhurried(count)


def _unhurried(read: Callable[[], T]) -> T:
    """Read again from what is kept if segments were pruned meanwhile."""
    for _ in range(OVERTAKEN_MAX - 1):
        try:
            return read()
        except JournalOvertaken:
            continue
    return read()


def _wanted(lines: Iterable[Line], since_cycle: int | None) -> Iterator[Line]:
    for line in lines:
        # What an `aborted` line takes back may be of a later cycle than its own.
        if since_cycle is None or line.cycle >= since_cycle or line.kind == ABORTED:
            yield line


def _checked(directory: Path, since_cycle: int | None) -> Iterator[Line]:
    """Yield the lines, chain checked.

    Raises:
        JournalBroken: A line was removed, repeated or changed.
        JournalOvertaken: Segments were pruned meanwhile.
    """
    pruned = read_pruned(directory)
    try:
        yield from _follow_all(directory, pruned, since_cycle)
    except (JournalBroken, FileNotFoundError) as error:
        # The file is written before the segments go: if it says nothing new, nothing went.
        if read_pruned(directory).last_seq != pruned.last_seq:
            raise JournalOvertaken from error
        if isinstance(error, JournalBroken):
            raise
        name = str(error.filename).rpartition("/")[2]
        reason = "the segment is gone, and not by retention"
        raise JournalBroken(name, 1, cycle=None, reason=reason) from error


def _follow_all(directory: Path, pruned: Pruned, since_cycle: int | None) -> Iterator[Line]:
    kept = [path for path in segments(directory) if first_seq(path) > pruned.last_seq]
    begin = 0 if since_cycle is None else _begin(kept, since_cycle)
    # A later segment names the chain that it continues; only the first has to prove it.
    anchor = pruned if begin == 0 else None
    previous: Line | None = None
    for path in kept[begin:]:
        hole = pruned.hole_before(first_seq(path))
        if hole is not None:
            _require_before_hole(hole, previous, anchor, path.name)
            previous = None
        for number, data in _complete_lines(path, newest=path == kept[-1]):
            line = _follow(previous, data, path.name, number)
            if previous is None and hole is not None:
                _require_after_hole(line, hole, path.name)
            elif previous is None and anchor is not None:
                _require_anchor(line, anchor, path.name)
            previous, hole = line, None
            yield line


def _follow(previous: Line | None, data: bytes, segment: str, number: int) -> Line:
    try:
        line = _next_line(previous, data)
    except SealBroken as error:
        cycle, reason = blamed_cycle(previous, data), why_broken(previous, data, error)
        raise JournalBroken(segment, number, cycle=cycle, reason=reason) from error
    rule = broken_rule(previous, line) if previous else ""
    if rule:
        raise JournalBroken(segment, number, cycle=line.cycle, reason=rule)
    return line


def _next_line(previous: Line | None, data: bytes) -> Line:
    if not data.endswith(b"\n"):
        message = "it has no end"
        raise SealBroken(message)
    if previous is None:
        return decode_first_line(data)
    return decode_line(data, previous_chain=previous.chain)


def _require_anchor(line: Line, pruned: Pruned, segment: str) -> None:
    # The first line names its own chain; what retention left behind says if that is true.
    expected = pruned.last_chain
    starts = line.previous_chain == expected and line.seq == pruned.last_seq + 1
    if not starts or (line.kind == SEGMENT) != (expected != CHAIN_START):
        reason = f"lines {pruned.last_seq + 1} to {line.seq - 1} before it are missing"
        cycle = pruned.last_cycle + 1 if pruned.ranges else None
        raise JournalBroken(segment, 1, cycle=cycle, reason=reason)


def _require_before_hole(
    hole: PrunedRange, previous: Line | None, anchor: Pruned | None, segment: str
) -> None:
    """Require that a hole begins where the lines before it end, as far as they were read."""
    if previous is not None:
        before = (previous.seq, previous.chain)
    elif anchor is not None:
        before = (anchor.last_seq, anchor.last_chain)
    else:
        return  # what stands before is not asked for
    if before != (hole.first_seq - 1, hole.first_chain):
        reason = f"lines {before[0] + 1} to {hole.first_seq - 1} before it are missing"
        raise JournalBroken(segment, 1, cycle=hole.first_cycle, reason=reason)


def _require_after_hole(line: Line, hole: PrunedRange, segment: str) -> None:
    # As at retention: the first line names its own chain, and the file says which it is.
    if line.kind != SEGMENT or line.previous_chain != hole.last_chain:
        reason = f"it does not follow what the host lacks up to cycle {hole.last_cycle}"
        raise JournalBroken(segment, 1, cycle=line.cycle, reason=reason)


def _cut_off(directory: Path, last: Line | None, cycle: int | None) -> JournalBroken:
    reason = "the newest lines are missing: nothing leads to the record as it is"
    if last is None:
        return JournalBroken(segment_path(directory, 1).name, 1, cycle=cycle, reason=reason)
    expected = following_cycle(last)
    place = segments(directory)[-1]
    line_number = last.seq + 2 - first_seq(place)
    named = expected if cycle is None else min(expected, cycle)
    return JournalBroken(place.name, line_number, cycle=named, reason=reason)


def _begin(kept: list[Path], since_cycle: int) -> int:
    for index in range(len(kept) - 1, 0, -1):
        with kept[index].open("rb") as file:
            cycle = peek(file.readline()).cycle
        # Strictly before: the wanted cycle may have begun in the segment that ends with it.
        if cycle is not None and cycle < since_cycle:
            return index
    return 0


def _complete_lines(segment: Path, *, newest: bool) -> Iterator[tuple[int, bytes]]:
    with segment.open("rb") as file:
        for number, data in enumerate(file, start=1):
            if not data.endswith(b"\n") and newest:
                return
            yield number, data
