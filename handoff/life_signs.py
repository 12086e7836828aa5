"""What this host shows of a worker: its process, the lock it has open, the lock's file.

Owns the looking; `liveness` says what it means. One place reads boot id, pid namespace and
machine id, so that a test can be on any machine. Standard library only: the launcher looks too.
"""

from __future__ import annotations

import fcntl
import os

from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final, NamedTuple
from handoff.liveness import HOME, Lock, Process, Seen, Side
from handoff.processes import HAS_PIDFD, Identity, boot_id, pid_namespace, start_ticks, watch

if TYPE_CHECKING:
    from pathlib import Path

LIVES: Final = "lives"  # under `run/`: one file for each worker
NAME_LETTERS_MAX: Final = 64
CONTENT_BYTES_MAX: Final = 32
_MACHINE_ID_LETTERS: Final = 32
_DELETED: Final = " (deleted)"
_HELD_UNDER: Final = f"/run/{LIVES}"


class FileId(NamedTuple):
    """Which file it is, whatever it is called; a copy is another one."""

    device: int
    inode: int


def file_id_of(descriptor: int) -> FileId:
    """Return which file a descriptor has open."""
    found = os.fstat(descriptor)
    return FileId(found.st_dev, found.st_ino)


def machine_id(root: str = "/") -> str:
    """Return this machine's id, or an empty string where it is unknown.

    One that was made at this boot is unknown: the next boot has another.

    Args:
        root: Where `etc` and `run` are.
    """
    base = LightPath(root)
    if (base / "run/machine-id").exists():
        return ""
    try:
        text = (base / "etc/machine-id").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
    is_id = len(text) == _MACHINE_ID_LETTERS and not text.strip("0123456789abcdef")
    return text if is_id else ""


def this_side() -> Side:
    """Return where this process runs."""
    return Side(boot_id(), pid_namespace(), machine_id())


def look(
    home: Path, worker: str, identity: Identity, inode: int, here: Side, *, network: bool = False
) -> Seen:
    """Look at a worker from here.

    Args:
        home: The state directory.
        worker: Its name.
        identity: Its process, as the record names it.
        inode: Of its lock, as the record says; 0 if it does not.
        here: Where this process runs.
        network: Whether the home is on a network file system.
    """
    lock = lock_state(home, worker, inode)
    if here[:2] != (identity.boot_id, identity.pid_namespace):
        return Seen(lock=lock, network=network)
    process = _process(identity)
    holds = open_lock(home, identity.pid, worker) if process is Process.RUNS else ""
    if process is Process.RUNS and not holds and _process(identity) is Process.GONE:
        process = Process.GONE  # it ended while it was looked at
    return Seen(process, holds, lock, network)


def _process(identity: Identity) -> Process:
    # The descriptor first: what is seen afterwards is then of this process or of none.
    watched = watch(identity)
    if watched is None:
        return Process.GONE
    watched.close()
    return Process.RUNS if start_ticks(identity.pid) == identity.start_ticks else Process.HIDDEN


def open_lock(home: Path, pid: int, worker: str = "") -> str:
    """Return the home of the life lock that a process has open.

    Args:
        home: The state directory.
        pid: The process.
        worker: Whose lock; any worker's if empty.

    Returns:
        `HOME` if the lock lies in this home, the path of another home, or an empty string if
        the process has none or cannot be looked into.
    """
    if not HAS_PIDFD:
        return HOME  # nothing can be looked into here; a pid has to do
    directory, found = f"/proc/{pid}/fd", ""
    try:
        links = os.listdir(directory)  # noqa: PTH208 - no pathlib in the launcher
    except OSError:
        return ""
    for link in links:
        place = _home_of_lock(home, f"{directory}/{link}", worker)
        if place == HOME:
            return HOME
        found = found or place
    return found


def open_file(pid: int, wanted: FileId) -> str:
    """Return the path of a file that a process has open, or an empty string if it has it not.

    Args:
        pid: The process.
        wanted: The file, whatever its name is now.
    """
    directory = f"/proc/{pid}/fd"
    try:
        links = os.listdir(directory)  # noqa: PTH208 - no pathlib in the launcher
    except OSError:
        return ""  # it cannot be looked into
    for link in links:
        try:
            opened = os.stat(f"{directory}/{link}")  # noqa: PTH116 - as above
            if (opened.st_dev, opened.st_ino) == tuple(wanted):
                path = os.readlink(f"{directory}/{link}")  # noqa: PTH115 - as above
                return path.removesuffix(_DELETED)
        except OSError:
            continue  # closed meanwhile
    return ""


def _home_of_lock(home: Path, link: str, worker: str) -> str:
    try:
        path = os.readlink(link)  # noqa: PTH115 - as above
        directory, _, name = path.removesuffix(_DELETED).rpartition("/")
        if not directory.endswith(_HELD_UNDER) or (worker and name != worker):
            return ""
        opened = os.stat(link)  # noqa: PTH116 - as above
    except OSError:
        return ""  # closed meanwhile
    try:
        own = (LightPath(home) / "run" / LIVES / name).stat()
    except OSError:
        own = None
    if own is not None and (own.st_dev, own.st_ino) == (opened.st_dev, opened.st_ino):
        return HOME
    return directory.removesuffix(_HELD_UNDER) or "/"


def is_name(worker: str) -> bool:
    """Tell whether this is a name that a worker gives itself, and no path."""
    allowed = "0123456789abcdefghijklmnopqrstuvwxyz"
    return 0 < len(worker) <= NAME_LETTERS_MAX and not worker.strip(allowed)


def lock_state(home: Path, worker: str, inode: int = 0) -> Lock:
    """Return what this home's file of a worker's lock shows; in any doubt the worker lives.

    Args:
        home: The state directory.
        worker: Its name.
        inode: Of the file, as the record says; if 0, the file itself says which it was.
    """
    if not is_name(worker):
        return Lock.MISSING
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(LightPath(home) / "run" / LIVES / worker, flags)
    except OSError:
        return Lock.MISSING
    try:
        found = os.fstat(descriptor).st_ino
        written = os.pread(descriptor, CONTENT_BYTES_MAX, 0)
        if found != inode if inode else str(found).encode() != written:
            return Lock.OTHER
        return Lock.FREE if is_free(descriptor) else Lock.HELD
    except OSError:
        return Lock.HELD
    finally:
        os.close(descriptor)


def is_free(descriptor: int) -> bool:
    """Tell whether nobody holds the lock of a file; if so, this descriptor shares it now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
