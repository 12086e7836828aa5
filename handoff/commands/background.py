"""A launcher in the background: started, and watched until somebody owns.

Owns the wait, and what is said where it came to nothing. From the moment that somebody owns,
whoever waited is not needed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from handoff.commands.log_lines import LogLines
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.limits import DRAIN_TIMEOUT_S, FIRST_START_S_MAX
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READY_S_MAX: Final = (
    FIRST_START_S_MAX + 2 * DRAIN_TIMEOUT_S
)  # the launcher says itself why it gives up
POLL_S: Final = 0.2
WORDS_MAX: Final = 500  # of a launcher that ended without an error of its own


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

    def await_owner(self, pid: int) -> None:
        """Wait until a worker owns.

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
            if has_owner(self._home):
                return
            time.sleep(POLL_S)  # noqa: TID251 - nothing tells when somebody owns
        text = f"no worker owns after {READY_S_MAX:g} s; it goes on trying"
        raise StartLate(text)

    def _why(self, status: int) -> StartRefused | LauncherEnded:
        said = log_of(self._home).read_bytes()[self._said_before :].decode("utf-8", "replace")
        _, error, words = said.rpartition("\nerror: ")
        what, _, hint = words.strip().partition("\nhint: ")
        if status == ExitCode.REFUSED and error:
            return StartRefused(what, hint)
        return LauncherEnded(f"the launcher ended: {said.strip()[-WORDS_MAX:]}")


def has_owner(home: Path) -> bool:
    """Tell whether a launcher answers that has an owner."""
    try:
        with LauncherClient(home) as client:
            return any(child["owner"] for child in client.ask(Kind.STATUS)["children"])
    except HandoffError:
        return False
