"""What is known of companions' editions: which is wanted, which was ready, which is given up.

Owns that knowledge, the failures that lead to it, and when it is written down for others
(`edition_file`); what follows from it is `edition_rules`'. Standard library only.
"""

from __future__ import annotations

import contextlib
import time

from handoff.launcher.edition_file import read_editions, write_editions
from handoff.launcher.edition_rules import Known, given_up, with_ready, with_wanted
from handoff.launcher.restart_policy import Failures, Starts
from handoff.light_typing import TYPE_CHECKING
from handoff.limits import COMPANION_ENDS_MAX
from handoff.log_events import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from handoff.launcher.engine_config import Companion
    from handoff.logs import Log

Key = tuple[str, str]  # a companion's name, and a release; empty for the installation's own


class Editions:
    """What is known, by companion.

    Args:
        home: The state directory.
        log: Where it is said that an edition is used no more.
    """

    def __init__(self, home: Path, log: Log) -> None:
        """Know nothing; `begin` reads what the launcher before this one knew."""
        self._home = home
        self._log = log
        self._failures: dict[Key, Failures] = {}
        self._starts: dict[Key, Starts] = {}
        self._known: dict[str, Known] = {}
        self._written: dict[str, Known] = {}

    def begin(self, companion: Companion, adopted: Iterable[tuple[str, bool]]) -> None:
        """Learn which edition was ready last; adopted ones know it best.

        Args:
            companion: Of the installation.
            adopted: Of its editions that live: the release, and whether it serves. The
                installation's own may be older than that word.
        """
        self._written = read_editions(self._home)
        ready = self._written.get(companion.name, Known()).ready
        for release, serves in adopted:
            ready = release if serves or not release else ready
        self._known[companion.name] = Known(ready=ready)

    def of(self, companion: Companion) -> Known:
        """Return what is known of a companion."""
        return self._known.get(companion.name, Known())

    def want(self, companion: Companion, release: str) -> None:
        """Note which release is permanent; another one begins without failures."""
        known = self.of(companion)
        brought = release if companion.in_release else ""
        if brought != known.wanted:
            for key in {*self._failures, *self._starts}:
                if key[0] == companion.name and key[1] not in ("", known.ready):
                    self._failures.pop(key, None)
                    self._starts.pop(key, None)
        self._change(companion, with_wanted(known, brought))

    def ready(self, companion: Companion, release: str) -> None:
        """Note that the edition of a release serves."""
        self._failures.pop((companion.name, release), None)
        self._change(companion, with_ready(self.of(companion), release))

    def give_up(self, companion: Companion, release: str, why: str) -> None:
        """Note that the edition of a release is used no more."""
        name = companion.name
        self._log.write(LogEvent.COMPANION_REFUSED, child=name, release=release, reason=why)
        self._change(companion, given_up(self.of(companion), release, why))

    def started(self, companion: Companion, release: str, now_s: float) -> None:
        """Note a start: there are so many in a while, and no more."""
        key = (companion.name, release)
        self._starts[key] = self._starts.get(key, Starts()).after_start(now_s)

    def failed(
        self, companion: Companion, release: str, why: str, *, is_fault: bool, at_once: bool = False
    ) -> None:
        """Note an end that nobody asked for, or a start that failed.

        Args:
            companion: Of the installation.
            release: Whose edition.
            why: What is said where it is used no more.
            is_fault: It may be its release's fault.
            at_once: It will never be ready.
        """
        key = (companion.name, release)
        failures = self._failures.get(key, Failures()).after_failure(time.monotonic())
        self._failures[key] = failures
        too_often = failures.in_a_row >= COMPANION_ENDS_MAX
        if release and is_fault and (at_once or too_often):
            self.give_up(companion, release, why)

    def pauses(self, companion: Companion) -> dict[str, float]:
        """Return the earliest monotonic time of the next start, by release."""
        known = self.of(companion)
        releases = {"", known.ready, known.wanted}
        return {each: self._next_start_s((companion.name, each)) for each in releases}

    def next_start_s(self) -> float | None:
        """Return the next monotonic time at which a pause is over, if there is one."""
        times = [self._next_start_s(key) for key in {*self._failures, *self._starts}]
        return min((each for each in times if each > time.monotonic()), default=None)

    def _next_start_s(self, key: Key) -> float:
        failures, starts = self._failures.get(key, Failures()), self._starts.get(key, Starts())
        return max(failures.next_start_s, starts.next_start_s)

    def _change(self, companion: Companion, known: Known) -> None:
        name = companion.name
        self._known[name] = known
        if companion.in_release and self._written.get(name) != known:
            self._written[name] = known
            with contextlib.suppress(OSError):  # a full disk: whoever reads it knows less
                write_editions(self._home, self._written)
