"""The log of this process, opened again by its name where somebody else rotates it.

Owns which of the standard streams go to a log, and what is done once that file was renamed or
deleted: the name is what people and other programs read. A log that is cut in place needs nothing,
because it is appended to. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import stat

from handoff.light_typing import TYPE_CHECKING
from handoff.logs import open_log

if TYPE_CHECKING:
    from handoff.light_typing import Final

SUFFIX: Final = ".log"
_STREAMS: Final = (1, 2)


class OwnLog:
    """The logs that the standard streams of this process go to; often the same one twice."""

    def __init__(self) -> None:
        """Learn their names, as long as they have them."""
        self._streams: dict[str, list[int]] = {}
        for stream in _STREAMS:
            path = _log_behind(stream)
            if path:
                self._streams.setdefault(path, []).append(stream)

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self._streams)

    def look(self) -> bool:
        """Open those again that are not there by their name any more; return whether one was.

        Where that fails (a full disk, a link in its place) everything stays as it is until the
        next look: a log that cannot be opened never stops anybody.
        """
        gone = [path for path, streams in self._streams.items() if not _is(path, streams[0])]
        opened = [_open_again(path, self._streams[path]) for path in gone]
        return any(opened)


def named(path: str) -> str:
    """Return the name that a log had before somebody renamed or deleted it, or an empty string.

    Args:
        path: As the system says it: `a.log`, `a.log.1` or `a.log (deleted)`.
    """
    directory, name = os.path.split(path)
    stem, suffix, _ = name.partition(SUFFIX)
    return f"{directory}/{stem}{suffix}" if suffix else ""


def _log_behind(stream: int) -> str:
    try:
        is_file = stat.S_ISREG(os.fstat(stream).st_mode)
        appends = fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_APPEND
        path = os.readlink(f"/proc/self/fd/{stream}")  # noqa: PTH115 - no pathlib here
    except OSError:
        return ""  # closed, or a system that does not say
    return named(path) if is_file and appends else ""


def _is(path: str, stream: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(stream))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # whatever it is, opening it would fail as well


def _open_again(path: str, streams: list[int]) -> bool:
    try:
        descriptor = open_log(path)
    except OSError:
        return False
    try:
        for stream in streams:
            os.dup2(descriptor, stream)
    finally:
        os.close(descriptor)
    return True
