"""Reports to a witness: who did what for which cycle, by the worker's own account.

Owns the shape of a report, the worker's side that sends it, and the file that keeps all of them.
Each report is one write, to a pipe or to a file in append mode, so that reports of several
processes never mix and one of a process that is killed is there as a whole or not at all. The
engine neither reads nor writes this file, so a cycle that the engine loses, or runs twice, shows
here whatever the engine believes. What the reports add up to is `count`'s matter.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

TAIL_BYTES = 64 * 1024  # hundreds of reports; cycles rise


class Report(NamedTuple):
    """One thing that a worker says it does now.

    Attributes:
        kind: `observe` (a cycle begins), `decide`, `decided`, `perform` (an effect is carried
            out), `performed` or `resolve` (the venue is asked what became of an effect).
        cycle: Number of the cycle.
        pid: Of the process that says so.
        release: Of the code that says so.
        at_ns: Wall-clock time, nanoseconds UTC: of its arrival where a witness listens, else of
            the report.
        effect: Id of the effect that is carried out or asked about, if that matters.
    """

    kind: str
    cycle: int
    pid: int
    release: str
    at_ns: int
    effect: str = ""


class Reporter:
    """The reporting side, held by a worker.

    Args:
        path: A pipe that a witness listens at, or the file itself.
        must_listen: Whether it is a pipe: nothing is made, and somebody has to listen.
    """

    def __init__(self, path: Path, *, must_listen: bool = False) -> None:
        """Open it.

        Raises:
            OSError: Nobody listens.
        """
        how = os.O_NONBLOCK if must_listen else os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | how, 0o600)

    def report(self, report: Report) -> None:
        """Send one report in one write."""
        line = json.dumps(report._asdict(), separators=(",", ":")).encode() + b"\n"
        written = os.write(self._descriptor, line)
        assert written == len(line), "a report is written whole"

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def reports_in(path: Path) -> list[Report]:
    """Return the reports that are written whole, oldest first; none without a file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    return [Report(**json.loads(line)) for line in whole.splitlines()]


def newest_performed(path: Path) -> int:
    """Return the newest cycle that was carried out, by the end of the file; 0 before the first."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            # The first line may be cut in two, a last one without its end is not there yet.
            lines = file.read().splitlines(keepends=True)[size > TAIL_BYTES :]
    except FileNotFoundError:
        return 0
    said = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return max((each["cycle"] for each in said if each["kind"] == "perform"), default=0)


def was_performed(path: Path, cycle: int) -> bool:
    """Tell whether a cycle was carried out, whoever did it."""
    return f'{{"kind":"perform","cycle":{cycle},'.encode() in path.read_bytes()
