"""The record's files: the newest generation, the ones before and after it, and the spare.

Owns the two halves of a commit that the journal line stands between: `prepare` writes the next
generation to `record.json.new`, durable with its name, `place` renames it. The name costs no
fsync of its own: it is created anew, empty, after each rename and before the directory's fsync.
Owns too the reserve of disk blocks that lets the fate of a planned effect be written when the
disk is full. Every call is made under the store's lock but those that only read.
"""

from __future__ import annotations

import contextlib
import errno
import stat
from typing import TYPE_CHECKING, Final

from state.atomic_file import (
    NEW_FILE,
    Files,
    discard,
    keep_as,
    reserve,
    rewrite,
    sync,
    write_new,
)
from state.commit import Generation
from state.errors import DiskFull, OutcomeUnknown, RecordDamaged, RecordMissing, WriteFailed
from state.record import decode_record

if TYPE_CHECKING:
    from pathlib import Path

RECORD: Final = "record.json"
PREVIOUS: Final = "record.prev.json"
NEXT: Final = "record.json.new"
DAMAGED: Final = "record.damaged.json"
SPARE: Final = "spare"
SPARE_RECORDS: Final = 2  # one new record and one line with its body
SPARE_EXTRA_BYTES: Final = 64 * 1024  # the rest of the line, and blocks of two directories
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

Identity = tuple[int, int, int]
"""Inode, modification time in nanoseconds, size in bytes."""


class RecordFile:
    """The files of one record.

    Args:
        directory: Where they are.
        files: The system calls that change the disk.
    """

    def __init__(self, directory: Path, *, files: Files) -> None:
        """Keep the names; nothing is read yet."""
        self.path = directory / RECORD
        self._previous = directory / PREVIOUS
        self._next = directory / NEXT
        self._damaged = directory / DAMAGED
        self._spare = directory / SPARE
        self._files = files
        self._unsynced = False  # a write of ours is in its place, its durability unknown
        self._named: int | None = None  # inode whose name `record.json.new` is on the medium

    def identity(self) -> Identity | None:
        """Return what tells this generation's file from another's; None where there is none."""
        return identity_of(self.path)

    def is_trusted(self) -> bool:
        """Return whether the newest write of this process is known to be durable."""
        return not self._unsynced

    def read(self) -> Generation:
        """Read the newest generation, which may not be durable yet.

        Raises:
            RecordMissing: There is none.
            RecordDamaged: It is not what was written.
            RecordForeign: A newer format wrote it.
        """
        return read_generation(self.path)

    def read_previous(self) -> Generation | None:
        """Read the generation before the newest; None where it is missing or damaged."""
        return _whole(self._previous)

    def read_next(self) -> Generation | None:
        """Read the generation that waits for its rename; None where there is no whole one."""
        return _whole(self._next)

    def make_durable(self, generation: Generation) -> None:
        """Make what was read survive a power cut: visible is not durable.

        Raises:
            OutcomeUnknown: It may survive and it may not.
        """
        try:
            if self._unsynced:
                # An fsync that failed once may lie the second time: the bytes go anew.
                self.prepare(self.path.read_bytes())
                self.place(keep_previous=False)
            else:
                named = self._inode_of_next()
                sync(self._files, self.path)
                sync(self._files, self.path.parent)
                self._named = named
        except OSError as error:
            raise OutcomeUnknown(generation.record.attempt) from error

    def prepare(self, data: bytes) -> None:
        """Write the next generation beside the newest one: it survives a power cut from now on.

        Raises:
            OSError: Nothing changed.
        """
        named, self._named = self._named, None
        try:
            if named is not None and named == self._inode_of_next():
                rewrite(self._files, self._next, data)
            else:
                write_new(self._files, self._next, data)
                sync(self._files, self.path.parent)
        except OSError:
            discard(self._files, self._next)
            raise
        self._named = self._inode_of_next()

    def prepare_found(self) -> None:
        """Make durable what a writer that died had prepared, its name included.

        Raises:
            OSError: It may not survive a power cut.
        """
        sync(self._files, self._next)
        sync(self._files, self.path.parent)

    def place(self, *, keep_previous: bool = True) -> None:
        """Put what was prepared in its place, durably.

        Args:
            keep_previous: Also keep the newest generation as the one before it, if possible.

        Raises:
            OSError: What was prepared waits still, or is in its place and may not survive.
        """
        if keep_previous:
            with contextlib.suppress(OSError):  # it is kept for people, and for a damaged record
                keep_as(self._files, self.path, self._previous)
        self._files.replace(self._next, self.path)
        self._unsynced, self._named = True, None
        named = self._create_next()
        sync(self._files, self.path.parent)
        self._unsynced, self._named = False, named

    def set_aside(self) -> None:
        """Keep a damaged record under another name.

        Raises:
            OSError: It is still in its place.
        """
        with contextlib.suppress(FileNotFoundError):
            self._files.replace(self.path, self._damaged)

    def reserve(self, record_size: int) -> None:
        """Make sure that the fate of what is about to start can be written on a full disk.

        Args:
            record_size: Bytes of the record that is about to be written.

        Raises:
            OSError: There is no room for it.
        """
        reserve(self._files, self._spare, SPARE_RECORDS * record_size + SPARE_EXTRA_BYTES)

    def spend(self) -> bool:
        """Give the reserved blocks back to the disk; return whether there were any."""
        return discard(self._files, self._spare)

    def _create_next(self) -> int | None:
        try:
            self._files.close(self._files.open(self._next, NEW_FILE))
        except OSError:
            return None  # the next commit creates it, and makes its name durable
        return self._inode_of_next()

    def _inode_of_next(self) -> int | None:
        """Return the inode that may be written in place; None where there is no such file."""
        try:
            status = self._next.lstat()
        except OSError:
            return None
        alone = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        return status.st_ino if alone else None


def identity_of(path: Path) -> Identity | None:
    """Return what tells one generation's file from another's; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_generation(path: Path) -> Generation:
    """Read a record's file.

    Raises:
        RecordMissing: There is none.
        RecordDamaged: It is not what was written.
        RecordForeign: A newer format wrote it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RecordMissing(str(path)) from error
    return Generation(*decode_record(data, where=str(path)))


def _whole(path: Path) -> Generation | None:
    try:
        return read_generation(path)
    except (RecordMissing, RecordDamaged):
        return None


def translated(path: Path, error: OSError) -> WriteFailed:
    """Return this package's word for an error of the operating system."""
    return (DiskFull if is_full(error) else WriteFailed)(str(path), error)


def is_full(error: OSError) -> bool:
    """Return whether there was no room, on the disk or in a quota."""
    return error.errno in _FULL
