"""Which record counts, and how it comes back: the journal line is the commit.

Owns the rule. From its line on a change has happened, whatever became of the record: a newest
line that is ahead of it always counts, and so it does over a record that is missing, damaged or
older. Nothing is ever decided from where such a record stands. It is brought to exactly the
digest that the line promised, or not at all, from the generation that waits for its rename, or
from the line's header and a body that is at hand: in the line, the record, the generation before
it. A decision whose body is nowhere is made again on its parent from the recorded inputs. Only a
record that no line leads to, and that has gone at least as far as the newest one, wins over the
journal, which then lost lines. What is read from where, and what is written, is a store's matter.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from state.commit import Generation
from state.cycle_audit import effective
from state.journal_frames import Line
from state.open_struct import decode_open
from state.record import Phase, Record, encode_record
from state.seal import digest_of

Replay = Callable[[Record, Line], Record]
"""Decides a recorded cycle again: the record before it and its line give the record after it."""


class Standing(enum.Enum):
    """How the record and the newest line of the journal stand to each other."""

    NEWEST = "newest"  # the record is what the line left
    BEHIND = "behind"  # the line counts, and the record has to follow
    BEYOND = "beyond"  # no line leads to the record and it went as far: the journal lost lines


class Found(msgspec.Struct, frozen=True):
    """The generations that are at hand; None for each that is missing or damaged.

    Attributes:
        newest: The one in the record's place.
        waiting: The one that waits for its rename.
        previous: The one before the newest.
    """

    newest: Generation | None = None
    waiting: Generation | None = None
    previous: Generation | None = None

    @property
    def generations(self) -> tuple[Generation, ...]:
        """All that there are."""
        every = (self.newest, self.waiting, self.previous)
        return tuple(each for each in every if each is not None)


class Undecided(Exception):
    """The newest line counts and its body is nowhere: it has to be decided again.

    Attributes:
        line: The line.
        parent: The generation that it changed; None where that is not at hand either.
    """

    def __init__(self, line: Line, parent: Generation | None) -> None:
        """Keep both."""
        super().__init__(f"line {line.seq} has no body")
        self.line = line
        self.parent = parent


def standing_of(
    found: Found, last: Line | None, is_earlier: Callable[[Generation], bool]
) -> Standing:
    """Return how the record stands to the newest line.

    Args:
        found: The generations that are at hand.
        last: The newest line; None where there is no journal.
        is_earlier: Tells whether an earlier line, happened or not, left this record.
    """
    newest, waiting = found.newest, found.waiting
    if last is None:
        return Standing.BEYOND
    if newest is not None and newest.digest == last.result:
        return Standing.NEWEST
    if newest is None or newest.digest == last.parent:
        return Standing.BEHIND
    if waiting is not None and waiting.digest == last.result:
        return Standing.BEHIND  # a restore that died had put the journal in its place
    behind = _reached(newest.record) < (last.cycle, last.phase is Phase.SETTLED)
    return Standing.BEHIND if behind or is_earlier(newest) else Standing.BEYOND


def brought_forward(line: Line, found: Found) -> Generation:
    """Return the record that the newest line left, from what is at hand.

    Raises:
        Undecided: Its body is nowhere.
    """
    for each in found.generations:
        if each.digest == line.result:
            return each
    record = assemble(line, *(each.record for each in found.generations))
    if record is None:
        parents = (each for each in found.generations if each.digest == line.parent)
        raise Undecided(line, next(parents, None) if line.kind == "decide" else None)
    return Generation(record, line.result)


def decided_again(undecided: Undecided, replay: Replay) -> Generation | None:
    """Decide a line again on its parent; return None unless exactly its record comes out."""
    if undecided.parent is None:
        return None
    record = replay(undecided.parent.record, undecided.line)
    promised = undecided.line.result
    # Decided is decided: the same inputs once more, and nothing but the same result.
    return Generation(record, promised) if encode_record(record)[1] == promised else None


def release_of(line: Line) -> str:
    """Return the release whose code led to a line: the owner's, or between owners the last one's.

    Args:
        line: The line.
    """
    return line.release or decode_open(line.header, Record).ownership.release


def replayed(lines: Iterable[Line], found: Found, replay: Replay | None) -> Generation | None:
    """Return the record that the last of many lines left, or None where nothing leads to it.

    Args:
        lines: A run of lines up to the newest one, oldest first, their chain checked.
        found: What is at hand: the walk may begin at any of them.
        replay: Decides a recorded cycle again; None where no code is at hand.
    """
    known = {each.digest: each.record for each in found.generations}
    record: Record | None = None
    line: Line | None = None
    for line in effective(lines):
        record = known.get(line.result) or assemble(line, record) or _again(line, record, replay)
    return Generation(record, line.result) if record is not None and line is not None else None


def _again(line: Line, before: Record | None, replay: Replay | None) -> Record | None:
    if before is None or replay is None or line.kind != "decide":
        return None
    found = decided_again(Undecided(line, Generation(before, line.parent)), replay)
    return found.record if found is not None else None


def assemble(line: Line, *sources: Record | None) -> Record | None:
    """Return the record that a line describes, or None if its body is not at hand.

    Args:
        line: The line.
        sources: Records whose bodies may be the ones that the line speaks of.
    """
    header = decode_open(line.header, Record)
    body = _matching(line.body_digest, _bodies(line.body, sources))
    if body is None:
        return None
    record = replace(header, body=body)
    if header.fallback is not None:
        fallback = _matching(line.fallback_digest, _bodies(line.fallback, sources))
        if fallback is None:
            return None
        record = replace(record, fallback=replace(header.fallback, body=fallback))
    return record if encode_record(record)[1] == line.result else None


def _bodies(carried: msgspec.Raw, sources: Sequence[Record | None]) -> Iterator[msgspec.Raw]:
    yield carried
    for source in sources:
        if source is not None:
            yield source.body
            if source.fallback is not None:
                yield source.fallback.body


def _matching(digest: str, bodies: Iterator[msgspec.Raw]) -> msgspec.Raw | None:
    return next((body for body in bodies if digest_of(bytes(body)) == digest), None)


def _reached(record: Record) -> tuple[int, bool]:
    return record.progress.cycle, record.progress.phase is Phase.SETTLED
