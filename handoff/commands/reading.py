"""Reading the logs of a home: the newest lines of all of them, and what comes.

Owns which files are read, and in which order lines of several of them are shown.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from handoff.commands.log_lines import LogLines
from handoff.commands.log_words import Said, is_of, said_in
from handoff.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLLOW_POLL_S = 0.3
SHOWN_MAX = 12  # names of logs in a sentence, those that were written to last


class WorkerUnheard(HandoffError):
    """No line of any log is of the worker that was named."""

    def __init__(self, worker: str, heard: list[str]) -> None:
        """Keep who was meant, and who is heard."""
        super().__init__(f"no log has a line of {worker!r}")
        self.hint = f"there are lines of {', '.join(heard)}" if heard else "there is no log yet"


class Wanted(NamedTuple):
    """Which lines somebody wants.

    Attributes:
        lines: The newest so many; at least 1.
        worker: Of this worker alone; empty for all.
        since: Of this moment or later, RFC 3339 in UTC; empty for all.
    """

    lines: int
    worker: str = ""
    since: str = ""

    def takes(self, said: Said) -> bool:
        """Tell whether a line is wanted."""
        return said.at >= self.since and (not self.worker or is_of(said, self.worker))


class Logs:
    """The logs of one home, each line read once.

    Args:
        home: The state directory.
        wanted: Which lines are shown.
    """

    def __init__(self, home: Path, wanted: Wanted) -> None:
        """Start before the first line."""
        self._directory = home / "logs"
        self._wanted = wanted
        self._read = LogLines()
        self._newest_at: dict[Path, str] = {}

    def newest(self) -> list[Said]:
        """Return the newest lines that are there, oldest first.

        Raises:
            WorkerUnheard: None is of the worker that is wanted, whenever it was written.
        """
        there, worker = self._come(), self._wanted.worker
        if worker and not any(is_of(said, worker) for said in there):
            raise WorkerUnheard(worker, _heard(there))
        found = [said for said in there if self._wanted.takes(said)]
        found.sort(
            key=lambda said: said.at
        )  # stable: what has no time stays behind what it follows
        return found[-self._wanted.lines :]

    def why_none(self) -> str:
        """Return why `newest` found nothing, as a sentence."""
        newest_at = max(self._newest_at.values(), default="")
        if not self._newest_at:
            return f"nothing was said yet: {self._directory} has no line"
        return f"nothing was said since {self._wanted.since}; the newest line is of {newest_at}"

    def follow(self, show: Callable[[Said], None], is_heard: Callable[[], bool]) -> None:
        """Show lines as they come, until nobody hears it."""
        while is_heard():
            time.sleep(FOLLOW_POLL_S)  # noqa: TID251 - a look at files; no boundary is waited for
            for said in self._come():
                if self._wanted.takes(said):
                    show(said)

    def _come(self) -> list[Said]:
        """Return what came to every log since the last look."""
        found: list[Said] = []
        for path in sorted(self._directory.glob("*.log"), key=_changed_ns):
            said = said_in(path.stem, self._read.new(path), self._newest_at.get(path, ""))
            if said:
                self._newest_at[path] = said[-1].at
            found += said
        return found


def _heard(there: list[Said]) -> list[str]:
    """Return whose lines there are, those that spoke last first: a log's name, and its worker's."""
    names: dict[str, str] = {}
    for said in reversed(there):  # the log that was written to last comes last
        worker = str(said.members.get("worker", ""))
        names[said.source] = names.get(said.source) or worker
    shown = [f"{source} ({worker})" if worker else source for source, worker in names.items()]
    return [*shown[:SHOWN_MAX], *([f"{len(shown) - SHOWN_MAX} more"] if shown[SHOWN_MAX:] else [])]


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0  # one that was pruned just now
