"""System calls that fail, or end the process, at a chosen moment."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from typing_extensions import override

from state.atomic_file import SystemFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Killed(BaseException):
    """The process ends here: no handler of an OSError may tidy up after it."""


class FaultyFiles(SystemFiles):
    """The real system calls, with a say before each.

    Attributes:
        calls: Every call so far, as (call, name of the file).
        before: Called before each call with both words; may raise in its place.
    """

    def __init__(self, before: Callable[[str, str], None] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = before or (lambda *_: None)
        self._names: dict[int, str] = {}

    def fail(self, call: str, name: str, number: int = errno.EIO, *, times: int = 1) -> None:
        """Let the next `times` calls on a file of this name fail."""
        left = [times]

        def before(called: str, on: str) -> None:
            if (called, on) == (call, name) and left[0] > 0:
                left[0] -= 1
                raise OSError(number, os.strerror(number), name)

        self.before = before

    def kill_at(self, count: int) -> None:
        """End the process in the place of the call with this number, from 0."""
        left = [count]

        def before(*_: str) -> None:
            if left[0] == 0:
                raise Killed
            left[0] -= 1

        self.before = before

    def _say(self, call: str, name: str) -> None:
        self.before(call, name)
        self.calls.append((call, name))

    @override
    def open(self, path: Path, flags: int) -> int:
        self._say("create" if flags & os.O_CREAT else "open", path.name)
        descriptor = super().open(path, flags)
        self._names[descriptor] = path.name
        return descriptor

    @override
    def write(self, descriptor: int, data: memoryview) -> int:
        self._say("write", self._names[descriptor])
        return super().write(descriptor, data)

    @override
    def truncate(self, descriptor: int, size: int) -> None:
        self._say("truncate", self._names[descriptor])
        super().truncate(descriptor, size)

    @override
    def allocate(self, descriptor: int, size: int) -> None:
        self._say("allocate", self._names[descriptor])
        super().allocate(descriptor, size)

    @override
    def fsync(self, descriptor: int) -> None:
        self._say("fsync", self._names[descriptor])
        super().fsync(descriptor)

    @override
    def link(self, source: Path, target: Path) -> None:
        self._say("link", target.name)
        super().link(source, target)

    @override
    def replace(self, source: Path, target: Path) -> None:
        self._say("replace", target.name)
        super().replace(source, target)

    @override
    def unlink(self, path: Path) -> None:
        self._say("unlink", path.name)
        super().unlink(path)


class FullDisk(FaultyFiles):
    """A disk on which nothing can be written while `full`, but for what a removed file frees.

    Attributes:
        full: Whether the disk is full.
        freed: Whether the spare was given back since.
    """

    SPARE = "spare"

    def __init__(self) -> None:
        super().__init__(self._refuse)
        self.full = False
        self.freed = False

    def fill(self) -> None:
        """Leave no room but what the spare holds."""
        self.full, self.freed = True, False

    @override
    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self.freed = self.freed or path.name == self.SPARE

    def _refuse(self, call: str, name: str) -> None:
        if not self.full or call not in {"create", "write", "allocate", "link"}:
            return
        if name == self.SPARE or not self.freed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


class ShortWrites(SystemFiles):
    """A kernel that never takes more than so many bytes at once, as it may."""

    def __init__(self, size: int) -> None:
        self._size = size

    @override
    def write(self, descriptor: int, data: memoryview) -> int:
        return super().write(descriptor, data[: self._size])
