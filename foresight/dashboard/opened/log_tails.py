"""The ends of the logs of owner and candidate, as lines for people.

Owns which logs these are and how much of each is read. What must not be shown of a line is
`secrets_hidden`'s matter, what a line says in words `handoff.commands.log_words`'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foresight.dashboard.opened.secrets_hidden import hidden
from foresight.page_link import METRICS_FILE, TOKEN_FILE
from handoff.commands.log_words import said_in, words_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from foresight.dashboard.snapshot import Child

READ_BYTES: Final = 64 << 10  # the end of each
LINES_MAX: Final = 200
LINE_CHARS_MAX: Final = 500
LOGS: Final = "logs"
CANDIDATE: Final = "candidate"
_SECRET_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """The end of one log.

    Attributes:
        name: Of the child that writes it.
        part: `owner` or `candidate`.
        release: Id of its release.
        pid: Its process.
        lines: The newest ones, oldest first.
        is_cut: There is more in the file.
        trouble: Why it cannot be shown; empty where it can.
    """

    name: str
    part: str
    release: str
    pid: int
    lines: tuple[str, ...] = ()
    is_cut: bool = False
    trouble: str = ""


def tails(home: Path, children: Sequence[Child], owner_pid: int) -> list[LogTail]:
    """Return the end of the owner's log and of each candidate's.

    Args:
        home: The state directory.
        children: Processes of the launcher.
        owner_pid: Of the owner; 0 where nobody owns.
    """
    owners = [child for child in children if owner_pid and child.pid == owner_pid]
    candidates = [child for child in children if child.role == CANDIDATE]
    known = secrets_of(home)
    return [
        _tail(home, child, part, known)
        for part, of in (("owner", owners), (CANDIDATE, candidates))
        for child in of
    ]


def _tail(home: Path, child: Child, part: str, known: Collection[str]) -> LogTail:
    shown = {"name": child.name, "part": part, "release": child.release, "pid": child.pid}
    if not _is_plain(child.name):
        return LogTail(**shown, trouble="its name is no name of a log")  # type: ignore[arg-type]  # as above
    try:
        lines, is_cut = end_of(home / LOGS / f"{child.name}.log")
    except OSError as error:
        return LogTail(**shown, trouble=f"it cannot be read: {error.strerror}")  # type: ignore[arg-type]  # as above
    said = said_in(child.name, lines)
    words = tuple(shortened(hidden(words_of(each), known)) for each in said)
    return LogTail(**shown, lines=words, is_cut=is_cut)  # type: ignore[arg-type]  # as above


def _is_plain(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


def end_of(path: Path) -> tuple[list[str], bool]:
    """Return the newest whole lines of a log, and whether there is more before them.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - READ_BYTES)
        file.seek(start)
        data = file.read(READ_BYTES)
    if start:
        data = data.partition(b"\n")[2]
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[-LINES_MAX:], bool(start) or len(lines) > LINES_MAX


def shortened(line: str) -> str:
    """Return a line that is not too long to be read."""
    return line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…"


def secrets_of(home: Path) -> frozenset[str]:
    """Return what the home keeps in files of its own and nobody must read on a page."""
    places = (home / TOKEN_FILE, home / METRICS_FILE, home / "exchange" / "control.token")
    found = (_content(place) for place in places)
    return frozenset(each for each in found if each)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SECRET_BYTES_MAX).decode("utf-8", "replace").strip()
    except OSError:
        return ""
