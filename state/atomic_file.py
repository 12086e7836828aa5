"""Files that are replaced as a whole and stay replaced when the power goes.

Owns every system call that changes the disk (`Files`, one port, so that a test can make
any of them fail) and the order of calls that makes a replacement atomic and durable.
What the bytes mean never matters here, and no lock is taken: the caller has one.

The order is: write a new file, fsync it, rename it into place, fsync the directory. A file
whose fsync failed is thrown away and never fsynced again: the kernel may have dropped its
pages and report success the second time (https://wiki.postgresql.org/wiki/Fsync_Errors).
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

try:
    from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined, unused-ignore]  # macOS
except ImportError:
    F_FULLFSYNC = None

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
GROWING_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class PlacedUnsynced(OSError):
    """The new file is in its place, but whether that survives a power cut is unknown."""


class Files(Protocol):
    """The system calls that change a disk. Every method raises OSError as the kernel does."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file, mode 0600 where it is created."""
        ...

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data; return how many bytes."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file off at `size` bytes."""
        ...

    def allocate(self, descriptor: int, size: int) -> None:
        """Give a file `size` bytes of real blocks."""
        ...

    def fsync(self, descriptor: int) -> None:
        """Return once the file, or the directory's entries, are on the medium."""
        ...

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Rename, in the place of what may be there."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        ...


class SystemFiles:
    """The real system calls."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file, mode 0600 where it is created, whatever the umask."""
        descriptor = os.open(path, flags, FILE_MODE)
        if flags & os.O_CREAT and stat.S_IMODE(os.fstat(descriptor).st_mode) != FILE_MODE:
            with contextlib.suppress(PermissionError):  # somebody else's, who let us write
                os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data; return how many bytes."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file off at `size` bytes."""
        os.ftruncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        """Give a file `size` bytes of real blocks."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS: blocks are real once they are written
            write_all(self, descriptor, bytes(size))

    def fsync(self, descriptor: int) -> None:
        """Return once the file, or the directory's entries, are on the medium."""
        if F_FULLFSYNC is None:
            os.fsync(descriptor)
        else:  # on macOS fsync alone leaves the data in the drive's cache
            fcntl(descriptor, F_FULLFSYNC)

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name."""
        os.link(source, target)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, in the place of what may be there."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()


def replace_file(files: Files, path: Path, data: bytes) -> None:
    """Put `data` in the place of a file: afterwards the old bytes are there or the new ones.

    Args:
        files: The system calls.
        path: The file; its directory must exist, and the caller alone may write to it.
        data: The whole new content.

    Raises:
        PlacedUnsynced: The new bytes are in place; a power cut may bring the old ones back.
        OSError: Nothing changed.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        write_new(files, fresh, data)
        files.replace(fresh, path)
    except OSError:
        discard(files, fresh)
        raise
    try:
        sync(files, path.parent)
    except OSError as error:
        raise PlacedUnsynced(error.errno, error.strerror) from error


def write_new(files: Files, path: Path, data: bytes) -> None:
    """Create a file with `data` in it, durable but for its name.

    Raises:
        OSError: It could not be written; what was written of it is the caller's to discard.
    """
    descriptor = create(files, path)
    try:
        write_all(files, descriptor, data)
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


def rewrite(files: Files, path: Path, data: bytes) -> None:
    """Give a file that is there other bytes, durably; its name stays as durable as it was.

    Raises:
        OSError: It may hold anything now; it is the caller's to discard.
    """
    descriptor = files.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_size:
            files.truncate(descriptor, 0)
        write_all(files, descriptor, data)
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


def write_all(files: Files, descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little one call takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[files.write(descriptor, rest) :]


def sync(files: Files, path: Path) -> None:
    """Make a file, or a directory's entries, durable whoever wrote them."""
    descriptor = files.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


def reserve(files: Files, path: Path, size: int) -> None:
    """Make sure that a file of at least `size` bytes of real blocks is there.

    Raises:
        OSError: There is no room for it; what was there before is kept.
    """
    begun = True
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size >= size:
            return
        begun = False  # it grows where it is: what is held already must not be let go
    descriptor = files.open(path, GROWING_FILE)
    try:
        files.allocate(descriptor, size)
    except OSError:
        if begun:
            discard(files, path)
        raise
    finally:
        files.close(descriptor)


def discard(files: Files, path: Path) -> bool:
    """Remove a file that nothing depends on; return whether there was one."""
    try:
        files.unlink(path)
    except OSError:
        return False  # the next writer of this name removes it first
    return True


def keep_as(files: Files, path: Path, second: Path) -> None:
    """Give a file a second name, in the place of what had it; nothing where it is missing.

    Raises:
        OSError: The second name may still be another file's.
    """
    # link() cannot replace, so the second name is made under a third and renamed. Renaming
    # one name of an inode to another does nothing and leaves both: hence the unlink.
    third = second.with_name(f"{second.name}.new")
    discard(files, third)
    try:
        files.link(path, third)
    except FileNotFoundError:
        return  # there is no generation before the first
    files.replace(third, second)
    discard(files, third)


def make_directory(files: Files, path: Path) -> None:
    """Create a directory, mode 0700, and its missing parents, durably."""
    missing = [path, *path.parents]
    missing = [each for each in missing if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        if stat.S_IMODE(each.lstat().st_mode) != DIRECTORY_MODE and not each.is_symlink():
            each.chmod(DIRECTORY_MODE)  # a umask took from it what we need ourselves
        sync(files, each.parent)


def create(files: Files, path: Path) -> int:
    """Open a file that was not there, through no link; what a dead writer left goes first."""
    try:
        return files.open(path, NEW_FILE)
    except FileExistsError:
        files.unlink(path)  # left behind by a writer that died
        return files.open(path, NEW_FILE)
