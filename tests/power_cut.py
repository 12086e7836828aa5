"""What a power cut may leave of a home: a model of a medium that keeps only what was synced.

Owns two things: files that note what of every call is on the medium, and the enumeration of all
states in which the medium can be found. Until a file is fsynced its new bytes may be there, be
missing, be torn or be zeros; until its directory is fsynced each creation, link, rename and
removal in it may be undone, whatever happens to the others. That is more than ext4 or xfs allow
themselves, and all that POSIX promises.
"""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from state.atomic_file import SystemFiles
from tests.faulty_files import FaultyFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Inode:
    """One file's bytes: what is on the medium, and every state since.

    Attributes:
        durable: What is on the medium for certain.
        since: What it was after each call since then, oldest first.
    """

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = durable
        self.since: list[bytes] = []

    @property
    def newest(self) -> bytes:
        return self.since[-1] if self.since else self.durable

    def change(self, data: bytes) -> None:
        self.since.append(data)

    def sync(self) -> None:
        self.durable, self.since = self.newest, []

    def possible(self) -> set[bytes]:
        """Return all that may be found on the medium."""
        found = {self.durable}
        for data in self.since:
            same = _same_bytes(self.durable, data)
            fresh = len(data) - same
            torn = data[: same + fresh // 2]
            found |= {data, torn, data[:same] + bytes(fresh), torn + bytes(fresh - fresh // 2)}
        return found


Names = dict[str, Inode]
Step = dict[str, Inode | None]
"""What one call did to names; None where one went away."""


class Image(NamedTuple):
    """One state of the medium: for each path its bytes, and which paths are one file."""

    files: tuple[tuple[str, bytes, int], ...]

    def lay_out(self, target: Path) -> None:
        """Make a directory that looks like this."""
        shutil.rmtree(target, ignore_errors=True)
        first: dict[int, Path] = {}
        for name in ("state", "journal"):
            (target / name).mkdir(parents=True)
        for name, data, inode in self.files:
            path = target / name
            if inode in first:
                path.hardlink_to(first[inode])
            else:
                path.write_bytes(data)
                first[inode] = path


class UnsyncedFiles(FaultyFiles):
    """The real calls on a home, and the medium under it.

    Args:
        home: The home; all that is in it now is durable.
    """

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home
        self._durable: Names = {}
        self._newest: Names = {}
        self._pending: dict[str, list[Step]] = {}
        self._opened: dict[int, tuple[str, Inode | None]] = {}
        by_number: dict[int, Inode] = {}
        for path in sorted(home.rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                number = path.stat().st_ino
                inode = by_number.setdefault(number, Inode(path.read_bytes()))
                self._durable[self._name(path)] = inode
        self._newest = dict(self._durable)

    def images(self) -> Iterator[Image]:
        """Yield every state in which the medium can be found now, each once."""
        steps = [step for steps in self._pending.values() for step in steps]
        seen: set[Image] = set()
        for kept in _subsets(steps):
            names = dict(self._durable)
            for step in kept:
                _apply(names, step)
            for image in _contents(names):
                if image not in seen:
                    seen.add(image)
                    yield image

    @override
    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        if flags & os.O_CREAT and self._name(path) not in self._newest:
            self._step(path, {self._name(path): Inode()})
        name = self._name(path)
        self._opened[descriptor] = (name, self._newest.get(name))
        return descriptor

    @override
    def write(self, descriptor: int, data: memoryview) -> int:
        written = super().write(descriptor, data)
        inode = self._inode(descriptor)
        inode.change(inode.newest + bytes(data[:written]))
        return written

    @override
    def truncate(self, descriptor: int, size: int) -> None:
        super().truncate(descriptor, size)
        inode = self._inode(descriptor)
        inode.change(inode.newest[:size])

    @override
    def allocate(self, descriptor: int, size: int) -> None:
        super().allocate(descriptor, size)
        self._inode(descriptor).durable = bytes(size)  # room, not content: nobody reads it

    @override
    def fsync(self, descriptor: int) -> None:
        self._say("fsync", self._names[descriptor])
        name, inode = self._opened[descriptor]
        if inode is not None:
            inode.sync()
        for step in self._pending.pop(name, []):
            _apply(self._durable, step)

    @override
    def link(self, source: Path, target: Path) -> None:
        super().link(source, target)
        self._step(target, {self._name(target): self._newest[self._name(source)]})

    @override
    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        old, new = self._name(source), self._name(target)
        if self._newest.get(new) is not self._newest[old]:  # two names of one file both stay
            self._step(target, {old: None, new: self._newest[old]})

    @override
    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._step(path, {self._name(path): None})

    def _step(self, path: Path, step: Step) -> None:
        _apply(self._newest, step)
        self._pending.setdefault(self._name(path.parent), []).append(step)

    def _inode(self, descriptor: int) -> Inode:
        inode = self._opened[descriptor][1]
        assert inode is not None, "it is a file"
        return inode

    def _name(self, path: Path) -> str:
        return path.relative_to(self._home).as_posix()


class QuickFiles(SystemFiles):
    """The real calls without waiting for the medium: for a home that is looked at once."""

    @override
    def fsync(self, descriptor: int) -> None:
        return


def _same_bytes(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _apply(names: Names, step: Step) -> None:
    for name, inode in step.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def _subsets(steps: list[Step]) -> Iterable[tuple[Step, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(steps, size) for size in range(len(steps) + 1)
    )


def _contents(names: Names) -> Iterator[Image]:
    inodes = list({id(inode): inode for inode in names.values()}.values())
    for found in itertools.product(*(sorted(inode.possible()) for inode in inodes)):
        data = {id(inode): each for inode, each in zip(inodes, found, strict=True)}
        numbers = {id(inode): number for number, inode in enumerate(inodes)}
        files = ((name, data[id(node)], numbers[id(node)]) for name, node in sorted(names.items()))
        yield Image(tuple(files))
