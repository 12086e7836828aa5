"""Whether what runs gets its inputs: where nobody does, a bake waits, and a deploy is tried again.

Owns what a deployer concludes from the journal about the outside world, by the measure of the
workers. A bake that ended for want of inputs says nothing of its release, so the same deploy is
asked for again when some come; how often is bounded.
"""

from __future__ import annotations

import contextlib
import os
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, Final

from deploy.history import Entry, Outcome
from handoff.commands.promoting import lacks_inputs
from handoff.outside import BAKE_WORDS
from handoff.worker.glance import baseline, is_lacking
from handoff.worker.settings import settings_of
from state.errors import StateError
from state.heard import counting, newest_heard
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from state.heard import Heard

REPEATS_MAX: Final = 3  # of a deploy whose bakes had no inputs
_NEWEST_LINES: Final = 64  # among them the owner's newest cycle that asked for anything


def goes_again(entry: Entry, tries: int) -> bool:
    """Tell whether a deploy is tried again after a try that ended.

    Args:
        entry: How the try ended.
        tries: How many before it had no inputs.
    """
    is_outside = entry.outcome == Outcome.RETURNED and entry.reason.startswith(BAKE_WORDS)
    return is_outside and tries < REPEATS_MAX


def has_come(newest_first: Iterable[Heard], release: str, usual: float | None, drop: float) -> bool:
    """Tell whether the newest cycle of the release that runs got its inputs.

    A cycle in which nothing was asked is no evidence; one whose engine counts nothing is.

    Args:
        newest_first: The journal's lines.
        release: The release that runs.
        usual: Median share that it got before the bake, or None where nobody knows.
        drop: How far below it a share may lie, 0 to 1.
    """
    for line in counting(islice(newest_first, _NEWEST_LINES)):
        if line.kind != "decide":
            continue
        if line.release != release:
            return False
        if line.unavailable or line.health is None or line.health.asked:
            return not is_lacking(line, usual, drop)
    return False


def are_missing(home: Path, release: str) -> bool:
    """Tell whether a release that bakes waits for inputs."""
    record = read_only_snapshot(home / "state")
    return record.ownership.release == release and lacks_inputs(home, record)


class Waiting:
    """What a deploy that had no inputs waits for.

    Args:
        home: The state directory.
        failed: The release whose bake had none; what was usual was so before it.
    """

    def __init__(self, home: Path, failed: str) -> None:
        """Start without knowing what is usual."""
        self._home = home
        self._failed = failed
        self._usual: dict[str, float | None] = {}

    def is_over(self) -> bool:
        """Tell whether what runs gets its inputs."""
        with contextlib.suppress(StateError):
            owner = read_only_snapshot(self._home / "state").ownership.owner
            if owner is not None and owner.release != self._failed:
                usual = self._usual_of(owner.release)
                return has_come(self._lines(), owner.release, usual, _drop())
        return False

    def _usual_of(self, release: str) -> float | None:
        if release not in self._usual:
            before = dropwhile(lambda line: line.release != self._failed, counting(self._lines()))
            self._usual[release] = baseline(before, release)
        return self._usual[release]

    def _lines(self) -> Iterable[Heard]:
        return newest_heard(self._home / "journal")


def _drop() -> float:
    return settings_of(os.environ).health_drop
