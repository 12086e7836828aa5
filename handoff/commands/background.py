"""A launcher in the background: started, and watched until a worker of it owns, or follows.

Owns the wait, and what is said where it came to nothing. Beside an etcd another host may own: then
it is enough that a warm worker here follows. From that moment whoever waited is not needed.
"""

from __future__ import annotations

import enum
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from handoff.commands.log_lines import LogLines
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.launcher.supervision import Role
from handoff.limits import DRAIN_TIMEOUT_S, FIRST_START_S_MAX
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.errors import StateError
from state.local_store import read_only_snapshot
from state.mirror import is_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

READY_S_MAX: Final = (
    FIRST_START_S_MAX + 2 * DRAIN_TIMEOUT_S
)  # the launcher says itself why it gives up
POLL_S: Final = 0.2
WORDS_MAX: Final = 500  # of a launcher that ended without an error of its own


class Part(enum.Enum):
    """What a launcher's workers do."""

    OWNS = "owns"
    FOLLOWS = "follows"  # another host owns, and a worker here is warm


class StartRefused(HandoffError):
    """The launcher gave up, in words of its own: the first release does not start."""

    def __init__(self, what: str, hint: str) -> None:
        """Keep what is wrong and what to do."""
        super().__init__(what)
        self.hint = hint


class LauncherEnded(HandoffError):
    """The launcher ended, and nobody owns."""


class StartLate(HandoffError):
    """Nobody owns after a long time; the launcher goes on trying."""

    hint = "`logs` says what it waits for, `down` stops it"


def log_of(home: Path) -> Path:
    """Return the log of a home's launcher."""
    return home / "logs" / "launcher.log"


class Start:
    """A start that is under way; make it before the launcher is started.

    Args:
        home: The state directory.
        detail: Told every line that the launcher logs.
    """

    def __init__(self, home: Path, detail: Callable[[str], None]) -> None:
        """Remember how long the log was: what was said before is not of this start."""
        self._home = home
        self._detail = detail
        self._lines = LogLines()
        self._lines.skip(log_of(home))
        self._said_before = log_of(home).stat().st_size if log_of(home).exists() else 0

    def await_part(self, pid: int) -> Part:
        """Wait until a worker owns, or follows another host's; return which.

        Args:
            pid: Of the launcher, a child of this process.

        Raises:
            StartRefused: The first release does not start.
            LauncherEnded: The launcher ended otherwise.
            StartLate: Nobody owns in time.
        """
        deadline_s = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline_s:
            for line in self._lines.new(log_of(self._home)):
                self._detail(line)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                raise self._why(os.waitstatus_to_exitcode(status))
            part = part_of(self._home)
            if part is not None:
                return part
            time.sleep(POLL_S)  # noqa: TID251 - nothing tells when somebody owns
        text = f"no worker owns after {READY_S_MAX:g} s; it goes on trying"
        raise StartLate(text)

    def _why(self, status: int) -> StartRefused | LauncherEnded:
        said = log_of(self._home).read_bytes()[self._said_before :].decode("utf-8", "replace")
        _, error, words = said.rpartition("\nerror: ")
        what, _, hint = words.strip().partition("\nhint: ")
        if status == ExitCode.REFUSED and error:
            return StartRefused(what, hint)
        if status == ExitCode.DONE:
            return LauncherEnded("it was stopped before a worker owned")
        return LauncherEnded(f"the launcher ended: {said.strip()[-WORDS_MAX:]}")


def part_of(home: Path) -> Part | None:
    """Return what the workers of a home do; None while none does anything, or nobody answers."""
    try:
        with LauncherClient(home) as client:
            children = client.ask(Kind.STATUS)["children"]
    except HandoffError:
        return None
    return part_in(children, is_elsewhere=_is_owned_elsewhere(home))


def part_in(children: Iterable[Mapping[str, Any]], *, is_elsewhere: bool) -> Part | None:
    """Return what a launcher's children do.

    Args:
        children: As a launcher tells them.
        is_elsewhere: Another host owns; else a warm worker is about to.
    """
    found = list(children)
    if any(each["owner"] for each in found):
        return Part.OWNS
    follows = any(each["warm"] and each["role"] == Role.STANDBY for each in found)
    return Part.FOLLOWS if is_elsewhere and follows else None


def _is_owned_elsewhere(home: Path) -> bool:
    """Tell whether another host owns, as far as this one knows."""
    if not is_mirrored(home / "state"):
        return False
    try:
        owner = read_only_snapshot(home / "state").ownership.owner
    except StateError:
        return False  # whoever looks at it next says what is wrong
    return owner is not None and owner.host != socket.gethostname()
