"""The record's files: the newest generation, the one before it, and the spare.

Owns reading, replacing and restoring `record.json`, and the reserve of disk blocks that
lets the fate of a planned effect be written when the disk is full. Every call is made
under the store's lock but those that only read.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from state.atomic_file import Files, PlacedUnsynced, discard, replace_file, reserve, sync
from state.commit import Generation
from state.errors import DiskFull, OutcomeUnknown, RecordDamaged, RecordMissing, WriteFailed
from state.record import decode_record

if TYPE_CHECKING:
    from pathlib import Path

RECORD: Final = "record.json"
PREVIOUS: Final = "record.prev.json"
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
        self._damaged = directory / DAMAGED
        self._spare = directory / SPARE
        self._files = files
        self._unsynced = False  # a write of ours is in its place, its durability unknown

    def identity(self) -> Identity | None:
        """Return what tells this generation's file from another's; None where there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

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
        try:
            return read_generation(self._previous)
        except (RecordMissing, RecordDamaged):
            return None

    def make_durable(self, generation: Generation) -> None:
        """Make what was read survive a power cut: visible is not durable.

        Raises:
            OutcomeUnknown: It may survive and it may not.
        """
        try:
            if self._unsynced:
                # An fsync that failed once may lie the second time: the bytes go anew.
                replace_file(self._files, self.path, self.path.read_bytes())
            else:
                sync(self._files, self.path)
                sync(self._files, self.path.parent)
        except OSError as error:
            raise OutcomeUnknown(generation.record.attempt) from error
        self._unsynced = False

    def replace(self, data: bytes, *, attempt: str) -> None:
        """Put the next generation in place and keep the newest as the previous one.

        Raises:
            OutcomeUnknown: It is in place, but may not survive a power cut.
            OSError: Nothing changed.
        """
        try:
            replace_file(self._files, self.path, data, keep_previous=self._previous)
        except PlacedUnsynced as error:
            self._unsynced = True
            raise OutcomeUnknown(attempt) from error

    def restore(self, data: bytes) -> None:
        """Put a proven generation in the place of a damaged one, which is kept aside.

        Raises:
            OSError: The medium failed; the next call tries again.
        """
        if self.path.exists():
            self._files.replace(self.path, self._damaged)
        replace_file(self._files, self.path, data)

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


def translated(path: Path, error: OSError) -> WriteFailed:
    """Return this package's word for an error of the operating system."""
    return (DiskFull if is_full(error) else WriteFailed)(str(path), error)


def is_full(error: OSError) -> bool:
    """Return whether there was no room, on the disk or in a quota."""
    return error.errno in _FULL
