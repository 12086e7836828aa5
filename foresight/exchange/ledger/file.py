"""The ledger on disk: append-only JSON lines, durable before anyone is answered.

Owns the directory: its lock, its first line (the timeline, which refuses another one), appending
with fsync, and reading back after a crash. Only an unfinished last line is dropped: nobody was
answered for it.

Must never enter: what entries mean (see `predictions`, `spot`).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from foresight.exchange.errors import (
    DirectoryInUseError,
    LedgerDamagedError,
    TimelineMismatchError,
)
from foresight.exchange.ledger.prediction_entries import Entry
from foresight.exchange.ledger.spot import SpotEntry

FORMAT: Final = 4
"""Format of a new file; 1 has no rule, 2 no hold, 3 pays with the result: all go on as they are.
Others are refused."""

_NAME: Final = "ledger.jsonl"

AnyEntry = Entry | SpotEntry


class Identity(msgspec.Struct, frozen=True, tag="timeline"):
    """First line of the file: which market this ledger belongs to.

    Attributes:
        seed: Of every draw.
        origin_ns: Where wall and market time agree.
        speed: Market time per wall time.
        assets: Board order.
        source: ``synthetic``, or the name of the folder of recordings.
        format: Of the file.
        rule: How its windows are settled, ``last`` or ``average``; the first format knew ``last``.
        tick_micro: Smallest price step of its markets, micro-USDC; the first format knew a cent.
        hold_ms: Market milliseconds for which an order that would execute is held; the first two
            formats knew none.
        redeem_s: Market seconds from a window's result until its shares are redeemed; the first
            three formats paid with the result.
    """

    seed: int
    origin_ns: int
    speed: int
    assets: tuple[str, ...]
    source: str
    format: int = 1
    rule: str = "last"
    tick_micro: int = 10_000
    hold_ms: int = 0
    redeem_s: int = 0


_encode = msgspec.json.Encoder().encode
_decode_identity = msgspec.json.Decoder(Identity).decode
_decode_entry: "msgspec.json.Decoder[AnyEntry]" = msgspec.json.Decoder(AnyEntry)


class LedgerFile:
    """One open ledger. Holds an exclusive lock on its file until closed or killed."""

    def __init__(self, descriptor: int, folder: Path) -> None:
        """Use `open_ledger` instead."""
        self._descriptor = descriptor
        self._folder = folder

    def append(self, entries: Sequence[AnyEntry]) -> None:
        """Write entries and wait until they are on disk; only then may anyone be answered.

        Raises:
            OSError: The disk refused; nothing of them is kept.
        """
        if not entries:
            return
        data = b"".join(_encode(entry) + b"\n" for entry in entries)
        self._write(data)

    def close(self) -> None:
        """Release the lock and the file."""
        os.close(self._descriptor)

    def identity(self) -> Identity | None:
        """Return the timeline of an existing ledger, or None for a new one."""
        first = self._read().partition(b"\n")
        if not first[1]:
            return None
        try:
            return _decode_identity(first[0])
        except msgspec.MsgspecError as error:
            raise LedgerDamagedError(1, str(error)) from error

    def begin(self, identity: Identity) -> None:
        """Write the first line of a new ledger, durably."""
        os.ftruncate(self._descriptor, 0)
        self._write(_encode(identity) + b"\n")
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def entries(self) -> Iterator[AnyEntry]:
        """Yield every entry after the first line; cut an unfinished last line off."""
        data = self._read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)
        for number, line in enumerate(data[:whole].splitlines()[1:], start=2):
            try:
                yield _decode_entry.decode(line)
            except msgspec.MsgspecError as error:
                raise LedgerDamagedError(number, str(error)) from error

    def _read(self) -> bytes:
        parts = []
        offset = 0
        while part := os.pread(self._descriptor, 1 << 20, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        whole, view = os.fstat(self._descriptor).st_size, memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError:
            # Half a line would spoil the next one; a whole one would be read after a restart,
            # though it was never applied.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, whole)
                os.fsync(self._descriptor)
            raise


def open_ledger(folder: Path) -> LedgerFile:
    """Open or create the ledger of a directory and lock it.

    Args:
        folder: Created with mode 0700 if absent.

    Raises:
        DirectoryInUseError: Another process has it open.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(folder / _NAME, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DirectoryInUseError(str(folder)) from error
    return LedgerFile(descriptor, folder)


def rule_of_ledger(folder: Path) -> str | None:
    """Return by which rule a directory's ledger settles windows; None where none was begun.

    Whoever has it open may go on. A damaged one says nothing here: who opens it says what is wrong.
    """
    try:
        with (folder / _NAME).open("rb") as lines:
            return _decode_identity(lines.readline()).rule
    except (OSError, msgspec.MsgspecError):
        return None


def agree(kept: Identity, asked: Identity) -> None:
    """Refuse to continue a ledger on another timeline.

    Args:
        kept: First line of the ledger.
        asked: What this start would write.

    Raises:
        TimelineMismatchError: They differ; names the first field that does.
    """
    for field in Identity.__struct_fields__:
        if getattr(kept, field) != getattr(asked, field):
            raise TimelineMismatchError(
                field, kept=getattr(kept, field), asked=getattr(asked, field)
            )
