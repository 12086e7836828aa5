"""What the machine has: memory, disk, and what may run from it; measured, never judged.

Owns every use of psutil in this package. In a container the host's memory is not ours: the
control group's limit counts where it is lower. Deciding on the numbers is `gates`' matter.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Final

import psutil

CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
OWN_GROUP: Final = Path("/proc/self/cgroup")

_NOEXEC: Final[int] = getattr(os, "ST_NOEXEC", 0)  # Linux alone says it


def memory_available_bytes() -> int:
    """Return what can be allocated without swapping, as far as the kernel can tell."""
    host = int(psutil.virtual_memory().available)
    return min([host, *control_group_rooms(CONTROL_GROUPS, OWN_GROUP)])


def resident_bytes(pid: int) -> int:
    """Return a process's resident size; 0 if it is gone or not ours to look at."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def disk_free_bytes(path: Path) -> int:
    """Return what this user may still write near a path, which need not exist yet."""
    return int(psutil.disk_usage(str(_existing(path))).free)


def files_free(path: Path) -> int | None:
    """Return how many more files this user may make near a path, which need not exist yet.

    Returns:
        The number of inodes; None where the file system makes them as they are needed.
    """
    found = os.statvfs(_existing(path))
    return found.f_favail if found.f_files else None


def is_noexec(path: Path) -> bool:
    """Tell whether no library near a path can be loaded, because of how its disk is mounted.

    The flag alone would not do: some file systems carry it and load all the same. So a file is
    made there for a moment, without a name where the system can, and mapped as code.
    """
    directory = _existing(path)
    return bool(os.statvfs(directory).f_flag & _NOEXEC) and _refuses_code(directory)


def temporary_directory() -> Path | None:
    """Return where programs put what is temporary; None where no such directory is usable."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _refuses_code(directory: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.truncate(mmap.PAGESIZE)
            return not _is_mapped(file.fileno())
    except OSError:
        return False  # nothing can be made there, so nothing is known


def _is_mapped(file: int) -> bool:
    as_code = mmap.PROT_READ | mmap.PROT_EXEC
    try:
        mmap.mmap(file, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=as_code).close()
    except PermissionError:
        return False
    return True


def control_group_rooms(groups: Path, own: Path) -> list[int]:
    """Return what each memory limit above this process leaves, in bytes (cgroup v2).

    Args:
        groups: Where the control groups are mounted.
        own: The file that names this process's group.
    """
    try:
        line = own.read_text(encoding="ascii").partition("::")[2].partition("\n")[0]
    except OSError:
        return []  # no control groups on this system
    group = groups / line.lstrip("/")
    rooms: list[int] = []
    for directory in (group, *group.parents):
        if not directory.is_relative_to(groups):
            break
        rooms += _room(directory)
    return rooms


def _room(group: Path) -> list[int]:
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        detail = (group / "memory.stat").read_text(encoding="ascii")
    except OSError:
        return []  # the root group, and groups without the memory controller
    if limit == "max":
        return []
    # What the page cache holds is given back before anything is refused.
    cached = dict(row.split() for row in detail.splitlines()).get("inactive_file", "0")
    return [max(0, int(limit) - used + int(cached))]
