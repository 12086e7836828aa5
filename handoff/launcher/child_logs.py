"""What the launcher's children print: one file each, bounded while they run.

Owns the files under `logs/` that children write to. A child keeps its descriptor for as long as it
lives, so a file that grows too large is cut in place: its last words stay, at its beginning. What
is printed while it is cut may be lost; nothing that counts is only there. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import stat

from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final
from handoff.limits import (
    LOG_BYTES_CUT,
    LOG_BYTES_KEPT,
    LOG_GROWTH_BYTES,
    LOG_LOOK_S,
    LOG_LOOK_SOON_S,
    LOGS_OF_A_CHILD_MAX,
)
from handoff.logs import open_log
from handoff.own_log import SUFFIX, OwnLog, named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_BLOCK_BYTES: Final = 64 * 1024
_STANDARD_ERROR: Final = 2


class ChildLogs:
    """The logs of one home directory.

    Args:
        directory: Where they are; made if it is not there.
    """

    def __init__(self, directory: Path) -> None:
        """Make the directory."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._sizes: dict[Path, int] = {}
        self.next_look_s = 0.0
        self._own = OwnLog()

    def path_of(self, name: str) -> Path:
        """Return the log of a child by its name."""
        return self._directory / f"{name}{SUFFIX}"

    def path_of_process(self, pid: int, name: str) -> Path:
        """Return the log that a process writes to already, or the one of its name."""
        try:
            path = LightPath(f"/proc/{pid}/fd/1").readlink()
            if os.path.samefile(path.parent, self._directory):  # noqa: PTH121 - no pathlib here
                # One that was renamed or deleted is opened again by the name that it had.
                return self._directory / LightPath(named(str(path)) or path).name
        except OSError:
            pass  # it is gone, or prints into something without a name
        return self.path_of(name)

    def open(self, name: str, used: Collection[Path]) -> int:
        """Open the log of a child that is started; of those before it only the newest stay.

        Args:
            name: The child.
            used: Logs of living children: they stay, whatever their age.
        """
        path = self.path_of(name)
        self._prune(name.partition("-")[0], {os.fspath(each) for each in (*used, path)})
        try:
            return open_log(path)
        except OSError:
            # A worker without a log works; a log without a worker does not.
            return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def _prune(self, stem: str, used: Collection[str]) -> None:
        try:
            logs = [
                (each.stat().st_mtime_ns, os.fspath(each))
                for each in self._directory.glob(f"*{SUFFIX}")
                if each.name.removesuffix(SUFFIX).partition("-")[0] == stem
            ]
            old = [path for _, path in sorted(logs) if path not in used]
            for path in old[: max(0, len(logs) + 1 - LOGS_OF_A_CHILD_MAX)]:
                os.unlink(path)  # noqa: PTH108 - no pathlib here
        except OSError:
            return  # a disk that cannot be written: the next start tries again

    def look(self, logs: Iterable[Path], now_s: float) -> None:
        """Cut those that have grown too large; look again soon where one grows fast.

        Our own is opened again where somebody else renamed or deleted it.

        Args:
            logs: Those that somebody may be writing to.
            now_s: Monotonic time.
        """
        if now_s < self.next_look_s:
            return
        self._own.look()
        sizes = {path: cut(path) for path in (*logs, *_own_log())}
        grown = max((size - self._sizes.get(path, 0) for path, size in sizes.items()), default=0)
        self._sizes = sizes
        self.next_look_s = now_s + (LOG_LOOK_SOON_S if grown > LOG_GROWTH_BYTES else LOG_LOOK_S)


def cut(path: Path) -> int:
    """Cut a log that is too large to its last words; return its size then, 0 if it is not there."""
    try:
        size = path.stat().st_size
        return size if size <= LOG_BYTES_CUT else _cut(path, size)
    except OSError:
        return 0


def _cut(path: Path, size: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        source = size - LOG_BYTES_KEPT
        source += os.pread(descriptor, _BLOCK_BYTES, source).find(b"\n") + 1
        end, target = source + 2 * LOG_BYTES_KEPT, 0  # who prints faster than this is cut short
        while source < end and (block := os.pread(descriptor, _BLOCK_BYTES, source)):
            os.pwrite(descriptor, block, target)
            source, target = source + len(block), target + len(block)
        os.ftruncate(descriptor, target)
        return target
    finally:
        os.close(descriptor)


def _own_log() -> list[Path]:
    """Return the file that this process's own lines go to, if they go to one that can be cut."""
    try:
        is_file = stat.S_ISREG(os.fstat(_STANDARD_ERROR).st_mode)
        appends = fcntl.fcntl(_STANDARD_ERROR, fcntl.F_GETFL) & os.O_APPEND
        # Without appending the next line would be written where the end was, behind a hole.
        path = LightPath(f"/proc/self/fd/{_STANDARD_ERROR}").readlink()
    except OSError:
        return []
    return [path] if is_file and appends and path.exists() else []  # type: ignore[list-item]  # as everywhere here
