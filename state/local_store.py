"""The record on a local disk: one file, one lock, one journal beside it.

Owns the order of a commit, under the lock and after the fence has looked at the newest record:
the next record beside the newest one, then the journal line, then the rename, each durable before
the next. The line is the commit: a failure before it changed nothing, what fails after it is an
unknown outcome, and whoever reads next finishes it. Which change is allowed is in `transitions`,
what is written in `commit`, which record counts in `recovery` and `opening`, how the files are
kept in `record_file` and `journal`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from state.atomic_file import Files, SystemFiles, make_directory
from state.commit import (
    STARTING_KINDS,
    Commit,
    Generation,
    gap_line,
    plan_commit,
    plan_genesis,
    segment_line,
)
from state.errors import (
    HomeUnsuitable,
    LockTimeout,
    OutcomeUnknown,
    RecordDamaged,
    RecordMissing,
)
from state.journal import AppendInDoubt, Journal, Retention
from state.journal_frames import CHAIN_START, Line
from state.medium import refuse_unsuitable
from state.mirror import read_either, refuse_mirrored
from state.opening import Opening, Redeciding
from state.record import Record, Timeline, check_identity
from state.record_file import Identity, RecordFile, is_full, translated
from state.record_lock import RecordLock
from state.recovery import Replay, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.store import Change, Note

LOCK: Final = "record.lock"
LOCK_TIMEOUT_NS: Final = 5_000_000_000  # far above a handful of slow fsyncs
READ_PATIENCE_NS: Final = 500_000_000  # five of the slowest commits; then it is read beside it
_SYSTEM_FILES: Final = SystemFiles()
_RETENTION: Final = Retention()
_REDECIDED_MAX: Final = 3  # lines that others may put ahead while one is decided again
T = TypeVar("T")


class _Loaded(msgspec.Struct, frozen=True, kw_only=True):
    generation: Generation
    identity: Identity | None
    chain: str  # of the journal's newest line when the record was loaded
    gap: Line | None = None  # says what the journal lost; goes out with the next line


class LocalStore:
    """A `Store` in a local directory.

    Args:
        directory: Where the record is; created, mode 0700, if it is not there.
        app: Name of the application; another one's record is refused.
        timeline: Likewise.
        now_ns: Reads the wall clock, nanoseconds UTC; for the journal's times only.
        journal_directory: Where the journal is; by default `journal` beside `directory`.
        lock_timeout_ns: The longest wait for the lock, nanoseconds.
        force_filesystem: Accept a network or volatile file system.
        replay: Decides a recorded cycle again, where its record is nowhere.
        release: Whose decisions `replay` makes: only its own lines. None means any.
        attended: An operator looks on: a line may be decided again as often as it takes.
        files: The system calls that change the disk.
        retention: How much of the journal is kept.
    """

    def __init__(  # noqa: PLR0913 - the last eight are for the caller who needs another one
        self,
        directory: Path,
        *,
        app: str,
        timeline: Timeline,
        now_ns: Callable[[], int],
        journal_directory: Path | None = None,
        lock_timeout_ns: int = LOCK_TIMEOUT_NS,
        force_filesystem: bool = False,
        replay: Replay | None = None,
        release: str | None = None,
        attended: bool = False,
        files: Files = _SYSTEM_FILES,
        retention: Retention = _RETENTION,
    ) -> None:
        """Prepare the directories and open the lock file.

        Raises:
            HomeUnsuitable: A directory cannot be written or cannot carry state, or the record of
                this home is in an etcd.
        """
        refuse_mirrored(directory)
        journal_directory = journal_directory or directory.parent / "journal"
        for each in (directory, journal_directory):
            _prepare(files, each, force_filesystem=force_filesystem)
        self._directory = directory
        self._app = app
        self._timeline = timeline
        self._now_ns = now_ns
        self._file = RecordFile(directory, files=files)
        self._journal = Journal(journal_directory, files=files, retention=retention)
        self._opening = Opening(self._file, self._journal, journal_directory, self._check)
        self._redeciding = Redeciding(
            directory,
            journal_directory,
            files=files,
            replay=replay,
            release=release,
            attended=attended,
        )
        self._lock_timeout_ns = lock_timeout_ns
        self._lock = RecordLock(directory / LOCK, timeout_ns=lock_timeout_ns)
        self._loaded: _Loaded | None = None

    def read(self) -> Record:
        """See `Store.read`."""
        patience_ns = min(READ_PATIENCE_NS, self._lock_timeout_ns)
        try:
            return self._with_newest(lambda loaded: loaded.generation.record, patience_ns)
        except LockTimeout as timeout:
            return self._read_beside(timeout)

    def create(self, record: Record) -> Record:
        """See `Store.create`."""
        with contextlib.suppress(RecordMissing):
            return self._with_newest(lambda loaded: loaded.generation.record)
        with self._held():
            with contextlib.suppress(RecordMissing):  # somebody was faster
                return self._load().generation.record
            self._check(record)
            commit = plan_genesis(record, now_ns=self._now_ns())
            self._file.reserve(len(commit.data))
            self._write(commit, [commit.line], commit.generation, spend=False)
            return record

    def transact(self, change: Change, note: Note) -> Record:
        """See `Store.transact`."""
        return self._with_newest(lambda loaded: self._apply(loaded, change, note))

    def _apply(self, loaded: _Loaded, change: Change, note: Note) -> Record:
        before = loaded.generation
        record = change(before.record)
        if record is before.record:
            return record
        commit = plan_commit(before, record, note, now_ns=self._now_ns())
        starts = note.kind in STARTING_KINDS
        if starts:
            self._file.reserve(len(commit.data))
        lines = [line for line in (loaded.gap, commit.line) if line is not None]
        self._write(commit, lines, before, spend=not starts)
        return record

    def token(self) -> Identity | None:
        """Return inode, time and size of the record's file; None where there is none."""
        return self._file.identity()

    def close(self) -> None:
        """See `Store.close`."""
        self._lock.close()
        self._loaded = None

    @contextlib.contextmanager
    def _held(self, *, timeout_ns: int | None = None) -> Iterator[None]:
        try:
            with self._lock.held(timeout_ns=timeout_ns):
                yield
        except OSError as error:
            raise translated(self._directory, error) from error

    def _with_newest(self, use: Callable[[_Loaded], T], timeout_ns: int | None = None) -> T:
        """Use the newest record under the lock; what has to be decided again is so outside."""
        again: Generation | None = None
        for _ in range(_REDECIDED_MAX):
            with self._held(timeout_ns=timeout_ns):
                try:
                    loaded = self._load(again)
                except Undecided as undecided:
                    make = self._redeciding.begin(undecided, self._opening.found())
                else:
                    return use(loaded)
            again = make()
        raise LockTimeout  # others went on faster than a line can be decided again

    def _check(self, record: Record) -> None:
        check_identity(record, app=self._app, timeline=self._timeline)

    def _read_beside(self, timeout: LockTimeout) -> Record:
        """Read while another holds the lock, as a process that was stopped in a commit does.

        The record is replaced as a whole, so this one is whole, and it is made durable like
        any other. Whoever acts on it does so in `transact`, which looks again under the lock.
        """
        if not self._file.is_trusted():
            raise timeout  # to make it durable it would have to be written
        try:
            generation = self._file.read()
            self._file.make_durable(generation)
        except (RecordMissing, RecordDamaged) as error:
            raise timeout from error  # it cannot be brought back without the lock
        except OSError as error:
            raise translated(self._directory, error) from error
        self._check(generation.record)
        return generation.record

    def _load(self, again: Generation | None = None) -> _Loaded:
        known, head = self._loaded, self._journal.head()
        last = head.last if head else None
        chain = last.chain if last else CHAIN_START
        unchanged = known and (known.identity, known.chain) == (self._file.identity(), chain)
        if known and unchanged and self._file.is_trusted():
            return known
        self._loaded = None
        generation = self._opening.newest(again)
        if again is not None:
            self._redeciding.forget()
        self._loaded = _Loaded(
            generation=generation,
            identity=self._file.identity(),
            chain=chain,
            gap=gap_line(last, generation, now_ns=self._now_ns()),
        )
        return self._loaded

    def _write(
        self, commit: Commit, lines: list[Line], current: Generation, *, spend: bool
    ) -> None:
        self._loaded = None  # until all of it is written, only the disk knows
        attempt = commit.generation.record.attempt

        def append() -> Line:
            return self._journal.append(
                lines, opening=lambda: segment_line(current, now_ns=self._now_ns())
            )

        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)
        try:
            line = self._with_spare(append, spend=spend)
        except AppendInDoubt as doubt:
            raise OutcomeUnknown(attempt) from doubt
        # It has happened: what fails from here on must not pass for a failed write.
        try:
            self._with_spare(self._file.place, spend=spend)
        except OSError as error:
            raise OutcomeUnknown(attempt) from error
        with contextlib.suppress(OSError):
            identity = self._file.identity()
            generation = commit.generation
            self._loaded = _Loaded(generation=generation, identity=identity, chain=line.chain)

    def _with_spare(self, write: Callable[[], T], *, spend: bool) -> T:
        try:
            return write()
        except OSError as error:
            # What ends something planned earlier may use the room kept for it, once.
            if not (spend and is_full(error) and self._file.spend()):
                raise
        return write()


def read_only_snapshot(directory: Path) -> Record:
    """Return the newest record without a lock and without write access; see `read_only_generation`.

    Raises:
        RecordMissing: There is none.
        RecordDamaged: It is not what was written.
        RecordForeign: A newer format wrote it.
        HomeUnsuitable: It cannot be read.
    """
    return read_only_generation(directory).record


def read_only_generation(directory: Path) -> Generation:
    """Return the newest record and its digest without a lock and without write access.

    It is whole, but may be newer than what a power cut would leave, and older than what an etcd
    holds, so nothing may be done on the strength of it.

    Args:
        directory: Where the record is, or the mirror of one elsewhere.

    Raises:
        RecordMissing: There is none.
        RecordDamaged: It is not what was written.
        RecordForeign: A newer format wrote it.
        HomeUnsuitable: It cannot be read.
    """
    try:
        return read_either(directory)
    except OSError as error:
        hint = "run as the user who owns the home directory"
        raise HomeUnsuitable(str(directory), f"cannot be read: {error.strerror}", hint) from error


def _prepare(files: Files, directory: Path, *, force_filesystem: bool) -> None:
    try:
        make_directory(files, directory)
        if not force_filesystem:
            refuse_unsuitable(directory)
    except OSError as error:
        reason = f"cannot be prepared: {error.strerror}"
        hint = "check who owns the home directory and whether its disk is read-only"
        raise HomeUnsuitable(str(directory), reason, hint) from error
