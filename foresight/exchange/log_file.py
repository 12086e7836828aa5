"""The exchange's own log, opened again by its name where somebody else rotates it.

Owns which of the standard streams go to a log file. Its engine has the like of it for itself; the
exchange is a program of its own and shares nothing with whoever trades on it. Must never enter:
what is written, requests, the market.
"""

import os
import stat
from typing import Final

LOOK_S: Final = 10.0
_SUFFIX: Final = ".log"
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE: Final = 0o600


class LogFile:
    """The log that standard output and error go to, if they go to one."""

    def __init__(self) -> None:
        """Learn its name, as long as it has it."""
        self._named = [(path, stream) for stream in (1, 2) if (path := _name_behind(stream))]

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self._named)

    def look(self) -> None:
        """Open it again if it is not there by its name any more; where that fails, go on as is."""
        for path, stream in self._named:
            try:
                if not _is_behind(path, stream):
                    _open_into(path, stream)
            except OSError:
                continue  # a full disk, or a link in its place: the next look tries again


def _name_behind(stream: int) -> str:
    try:
        path = os.readlink(f"/proc/self/fd/{stream}")  # noqa: PTH115 - the system's own words
    except OSError:
        return ""
    # It may have been renamed, or deleted, before anybody asked: `a.log.1`, `a.log (deleted)`.
    directory, name = os.path.split(path)
    stem, suffix, _ = name.partition(_SUFFIX)
    return f"{directory}/{stem}{suffix}" if suffix else ""


def _is_behind(path: str, stream: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(stream))
    except FileNotFoundError:
        return False


def _open_into(path: str, stream: int) -> None:
    descriptor = os.open(path, _FLAGS | os.O_NONBLOCK, _MODE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.dup2(descriptor, stream)
    finally:
        os.close(descriptor)
