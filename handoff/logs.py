"""One JSON line per log event, on standard error; and what a program said last there.

Owns the shape of a log line, how a log is opened, and the reading of what a program that failed
has left there. The launcher and the workers write the same shape; the launcher keeps it in files
under `logs/`. No secret may be passed as a field.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time

from handoff.light_typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from handoff.log_events import LogEvent

LOG_MODE: Final = 0o600
WORDS_MAX: Final = 300  # of a program's last line, in a reason
PLACE_MAX: Final = 100  # of the name of a file in it
_TRACEBACK: Final = "Traceback (most recent call last):"
_FRAME: Final = '  File "'
_TREE: Final = "/tree/"  # of a release: what is beneath it is named as its author names it


class Log:
    """Writes events with the fields every line of this process carries."""

    def __init__(self, *, stream: TextIO | None = None, **fields: Any) -> None:  # noqa: ANN401
        """Keep the stream (standard error by default) and the constant fields."""
        self._stream = stream or sys.stderr
        self._fields = fields

    def write(self, event: LogEvent, **fields: Any) -> None:  # noqa: ANN401 - JSON members
        """Write one line; a log that cannot be written never stops a cycle."""
        now_s = time.time()  # noqa: TID251 - a log line says when it was written
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s))
            + f".{int(now_s * 1000) % 1000:03d}Z",
            "at_ms": round(now_s * 1000, 3),
            "event": event.value,
            "pid": os.getpid(),
            **self._fields,
            **fields,
        }
        try:
            self._stream.write(json.dumps(line, default=str) + "\n")
            self._stream.flush()
        except OSError:
            # A full disk takes the log first; the journal is what counts.
            return


def open_log(path: str | os.PathLike[str], flags: int = os.O_WRONLY | os.O_APPEND) -> int:
    """Open a log for writing, mode 0600 whatever the umask; return the descriptor.

    Args:
        path: The file; it is made if it is not there, and never through a link.
        flags: How it is written to.

    Raises:
        OSError: It cannot be opened, or is no plain file.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", os.fspath(path))
    if stat.S_IMODE(found.st_mode) != LOG_MODE and found.st_uid == os.geteuid():
        os.fchmod(descriptor, LOG_MODE)
    os.set_blocking(descriptor, True)
    return descriptor


def last_words(said: bytes) -> str:
    """Return the last line that a program wrote before it ended, in a reason's length.

    A hint says what to do next, not what went wrong: it is passed over. Of a traceback the last
    line says what, and the file and line where it happened follow it.

    Args:
        said: The end of its standard error or of its log.
    """
    lines = said.decode("utf-8", "replace").strip().splitlines()
    words = [line for line in lines if line.strip() and not line.startswith("hint: ")]
    if not words:
        return ""
    place = "" if _names_a_line(words[-1]) else _place_in(words)
    return words[-1].removeprefix("error: ")[: WORDS_MAX - len(place)] + place


def _names_a_line(said: str) -> bool:
    """Tell whether an error says itself where in a file it is: then nobody looks elsewhere."""
    return said.endswith(")") and ", line " in said.rpartition("(")[2]


def _place_in(words: list[str]) -> str:
    """Return where a traceback that ends here leads to, the release's own files before others."""
    begun = [number for number, line in enumerate(words) if line.startswith(_TRACEBACK)]
    if not begun or words[-1].startswith(" "):
        return ""
    frames = [line.strip() for line in words[begun[-1] :] if line.startswith(_FRAME)]
    own = [frame for frame in frames if _TREE in frame] or frames
    if not own:
        return ""
    _, path, line = own[-1].split('"', 2)
    number = line.removeprefix(", line ").split(",")[0]
    return f" ({_shortened(path.rpartition(_TREE)[2])}, line {number})"


def _shortened(path: str) -> str:
    """Return the end of a long path, from a folder on: half a name is none."""
    if len(path) <= PLACE_MAX:
        return path
    end = path[-PLACE_MAX:]
    return f".../{end.partition('/')[2]}" if "/" in end else end
