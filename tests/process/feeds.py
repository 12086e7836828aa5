"""Sixteen feeds that an outage can hit, and the installation of a worker that asks them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.chained import Settings
from bench.installation import Installation
from foresight.evidence.count import count_performed
from state.cycle_audit import audit_cycles, effective
from state.heard import counting, newest_heard
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Collection

MODULE: Final = Path(__file__).with_name("feed_worker.py")
ENTRY: Final = "feed_worker:create"
FEEDS: Final = 16


class FeedSettings(Settings, frozen=True, kw_only=True):
    """What a release asks, and what it does wrong.

    Attributes:
        feeds: Directory of the feeds.
        fault: `refused`, `missing`, `over budget`, `name` or `slow`; empty for none.
        work_s: How long observing takes.
        budget_s: The budget that it says; None for the default.
    """

    feeds: str
    fault: str = ""
    work_s: float = 0.0
    budget_s: float | None = None


def feed_files(directory: Path) -> list[Path]:
    """Return the files that stand for the feeds; one that is not there does not answer."""
    return [directory / f"feed-{number}" for number in range(FEEDS)]


class Fed(Installation):
    """An installation of that worker.

    Args:
        directory: Where everything goes.
        period_s: Length of a cycle.
    """

    def __init__(self, directory: Path, *, period_s: float = 1.0) -> None:
        super().__init__(directory)
        self.period_s = period_s
        self._feeds = directory / "feeds"
        self._feeds.mkdir(exist_ok=True)
        self.feed()

    def feed(self, answering: int = FEEDS) -> None:
        """Let so many feeds answer from now on."""
        for number, path in enumerate(feed_files(self._feeds)):
            if number < answering:
                path.touch()
            else:
                path.unlink(missing_ok=True)

    def release(
        self, version: str, *, fault: str = "", work_s: float = 0.0, budget_s: float | None = None
    ) -> Path:
        """Write the tree of a release; return it."""
        settings = FeedSettings(
            version=version,
            witness=str(self.witness),
            period_s=self.period_s,
            body_bytes=1024,
            feeds=str(self._feeds),
            fault=fault,
            work_s=work_s,
            budget_s=budget_s,
        )
        return self.tree(MODULE, settings, name=version)

    def up(self, *, work_s: float = 0.0, budget_s: float | None = None) -> None:
        """Start a sound version."""
        self.start(self.release("v0", work_s=work_s, budget_s=budget_s), ENTRY)

    def last_answered(self) -> int:
        """Return how many feeds the newest decided cycle got."""
        for line in counting(newest_heard(self.home / "journal")):
            if line.kind == "decide" and line.health is not None:
                return line.health.answered
        return -1

    def verify_nothing_lost(self, *, cycles: int = 2, bad: Collection[str] = ()) -> None:
        """Stop after more cycles; check witness and journal: none missed, none doubled.

        Args:
            cycles: How many more to wait for.
            bad: Releases that cannot carry out what they decide: their cycles do not count.
        """
        last = self.wait_cycles(cycles)
        assert self.down() == 0, self.last_words()
        reports = self.reports()
        first = min(report.cycle for report in reports)
        period_ns = round(self.period_s * 1e9)
        seen = count_performed(reports, first=first, last=last, period_ns=period_ns)
        lines = list(effective(read_lines(self.home / "journal")))
        theirs = {line.cycle for line in lines if line.kind == "decide" and line.release in bad}
        assert set(seen.missed) <= theirs, self.last_words()
        assert seen.doubled == (), self.last_words()
        audit = audit_cycles(lines)
        assert audit.is_complete, audit
        assert audit.missed == ()
