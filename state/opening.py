"""Finding, under the lock, the record that counts, and putting it in its place.

Owns what is done about each standing of the record to the journal: which files are read, what is
written in which order. The rule itself is in `recovery`. Every step may be the last one of a
process: whoever comes next finds the same line ahead, and what is written is durable before the
rename that makes it the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.atomic_file import Files, discard, replace_file
from state.errors import OutcomeUnknown, RecordBehind, RecordDamaged, RecordMissing
from state.journal_frames import CHECKPOINT_CYCLES
from state.journal_reader import read_lines, was_left_earlier
from state.record import encode_record
from state.record_file import RECORD
from state.recovery import (
    Found,
    Replay,
    Standing,
    Undecided,
    brought_forward,
    decided_again,
    release_of,
    replayed,
    standing_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.commit import Generation
    from state.journal import Journal
    from state.journal_frames import Line
    from state.record import Record
    from state.record_file import RecordFile

TRIES: Final = "record.again.json"
TRIES_MAX: Final = 3  # of deciding one line again with nobody looking on


class Opening:
    """What reads and mends the files of one store; every call is made under its lock.

    Args:
        file: The record's files.
        journal: The journal.
        directory: Where the journal is.
        check: Raises where a record belongs elsewhere; nothing is written for such a one.
    """

    def __init__(
        self, file: RecordFile, journal: Journal, directory: Path, check: Callable[[Record], None]
    ) -> None:
        """Keep the parts; nothing is read yet."""
        self._file = file
        self._journal = journal
        self._directory = directory
        self._check = check

    def newest(self, again: Generation | None = None) -> Generation:
        """Return the record that counts, in its place and durable.

        Args:
            again: What came out when the newest line was decided again.

        Raises:
            RecordMissing: There is none.
            RecordDamaged: There was one, and nothing says what it was.
            Undecided: The newest line has to be decided again.
            OutcomeUnknown: It may survive a power cut and it may not.
        """
        head = self._journal.head()
        last = head.last if head else None
        found = self.found()
        standing = standing_of(found, last, self._is_earlier)
        if last is not None and standing is Standing.BEHIND:
            return self._bring_forward(last, found, again)
        if found.newest is None:
            raise self._why_missing()
        self._check(found.newest.record)
        self._file.make_durable(found.newest)
        return found.newest

    def found(self) -> Found:
        """Return the generations that are at hand."""
        try:
            newest: Generation | None = self._file.read()
        except (RecordMissing, RecordDamaged):
            newest = None
        return Found(newest, self._file.read_next(), self._file.read_previous())

    def _why_missing(self) -> RecordMissing | RecordDamaged:
        try:
            self._file.read()
        except RecordMissing as missing:
            if self._file.read_previous() is None:
                return missing
            return RecordDamaged(str(missing), "it is missing, what came before it is not")
        except RecordDamaged as damaged:
            return damaged
        message = "a record that can be read is not missing"
        raise AssertionError(message)

    def _is_earlier(self, newest: Generation) -> bool:
        return was_left_earlier(self._directory, newest.digest, newest.record.progress.cycle)

    def _bring_forward(self, line: Line, found: Found, again: Generation | None) -> Generation:
        if again is not None and again.digest == line.result:
            target = again
        else:
            target = brought_forward(line, found)
        self._check(target.record)
        # The line is what proves the record; its writer may have died before its fsync.
        self._journal.sync()
        if target is found.waiting:
            self._file.prepare_found()
        else:
            self._file.prepare(encode_record(target.record)[0])
        try:
            if found.newest is None:
                self._file.set_aside()
            self._file.place(keep_previous=found.newest is not None)
        except OSError as error:
            raise OutcomeUnknown(line.attempt) from error
        return target


class _Tries(msgspec.Struct):
    chain: str = ""
    tries: int = 0


class Redeciding:
    """Who may decide the newest line again, how often, and where that is noted.

    Args:
        directory: Where the record is.
        journal: Where the journal is.
        files: The system calls.
        replay: Decides a recorded cycle again; None where there is no application.
        release: Whose decisions those are; None where that does not matter.
        attended: Somebody looks on: the number of tries is not limited.
    """

    def __init__(
        self,
        directory: Path,
        journal: Path,
        *,
        files: Files,
        replay: Replay | None,
        release: str | None,
        attended: bool,
    ) -> None:
        """Keep the parts."""
        self._path = directory / TRIES
        self._record = directory / RECORD
        self._journal = journal
        self._files = files
        self._replay = replay
        self._release = release
        self._attended = attended

    def begin(self, undecided: Undecided, found: Found) -> Callable[[], Generation]:
        """Note a try before it is made, under the lock; return what makes it, outside of it.

        Args:
            undecided: The newest line, and what it changed.
            found: The generations at hand: with somebody looking on, more lines than one may be
                decided again from any of them.

        Raises:
            RecordBehind: It is for somebody else, or there were too many.
            OSError: It cannot be noted.
        """
        line, replay = undecided.line, self._replay
        walked = replayed(self._lines_to(line), found, None)
        if walked is not None:  # a line between carries the body: nothing has to be decided
            return lambda: walked
        if replay is None or self._release not in {None, release_of(line)}:
            raise self._behind(line, "that release has to decide it again")
        if self._attended:
            return lambda: self._made(line, replayed(self._lines_to(line), found, replay))
        if undecided.parent is None:
            raise self._behind(line, "more than its decision is missing")
        tries = self._tried(line)
        if tries >= TRIES_MAX:
            raise self._behind(line, f"{tries} tries to decide it again ended otherwise")
        plain = msgspec.json.encode(_Tries(line.chain, tries + 1))
        replace_file(self._files, self._path, plain)
        return lambda: self._made(line, decided_again(undecided, replay))

    def forget(self) -> None:
        """Forget the tries: it came out well."""
        discard(self._files, self._path)

    def _made(self, line: Line, found: Generation | None) -> Generation:
        if found is None:
            raise self._behind(line, "the recorded inputs lead to another record now")
        return found

    def _lines_to(self, last: Line) -> Iterator[Line]:
        since_cycle = max(0, last.cycle - 2 * CHECKPOINT_CYCLES)  # a body is in one of them
        for line in read_lines(self._journal, since_cycle):
            if line.seq <= last.seq:  # whoever came after it could follow it
                yield line

    def _tried(self, line: Line) -> int:
        try:
            noted = msgspec.json.decode(self._path.read_bytes(), type=_Tries)
        except (FileNotFoundError, msgspec.DecodeError):
            return 0
        return noted.tries if noted.chain == line.chain else 0

    def _behind(self, line: Line, why: str) -> RecordBehind:
        return RecordBehind(str(self._record), release=release_of(line), cycle=line.cycle, why=why)
