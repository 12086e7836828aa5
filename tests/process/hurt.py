"""An installation that the tests hurt, and what must be true of it afterwards.

Small bodies and a period of half a second: the faults are the subject, not the size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.installation import Installation
from foresight.evidence.count import count_performed
from handoff.limits import NS
from handoff.release_files import release_directory
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines
from tests.process.faults import FaultySettings

if TYPE_CHECKING:
    import subprocess

    from handoff.rollout.driver import Limits, Watcher
    from handoff.rollout.table import Deploy
    from state.journal_frames import Line
    from state.record import WorkerId

MODULE: Final = Path(__file__).with_name("faulty_worker.py")
ENTRY: Final = "faulty_worker:create"
PERIOD_S: Final = 0.5
PERIOD_NS: Final = 500_000_000


class Hurt(Installation):
    """An installation of the faulty worker; version 0 has no fault unless it is given one."""

    period_s = PERIOD_S
    budget_s: float | None = None

    def release(
        self,
        version: str,
        *,
        place: str = "",
        fault: str = "",
        every: int = 0,
        once: bool = False,
        boot_s: float = 0.0,
        catch_up_s: float | None = None,
    ) -> Path:
        """Write the tree of a release; return it."""
        settings = FaultySettings(
            version=version,
            witness=str(self.witness),
            period_s=self.period_s,
            budget_s=self.budget_s,
            body_bytes=1024,
            boot_s=boot_s,
            catch_up_s=catch_up_s,
            place=place,
            fault=fault,
            every=every,
            once=str(self.directory / f"struck-{version}") if once else "",
        )
        return self.tree(MODULE, settings, name=version)

    def up(self, *options: str) -> None:
        """Start version v0."""
        self.start(self.release("v0"), ENTRY, *options)

    def wait_adopted(self, worker: WorkerId) -> None:
        """Wait until the launcher has a worker of the one before it; cycles go on without any."""
        self.wait(
            lambda: worker.pid in [int(child["pid"]) for child in self.children()], "an adoption"
        )

    def replace(self, tree: Path, *, bake: int = 1) -> subprocess.CompletedProcess[str]:
        """Deploy with the command, as a user would."""
        return self.call("replace", "--tree", str(tree), "--bake", str(bake))

    def put(
        self,
        tree: Path,
        *,
        bake: int = 1,
        limits: Limits | None = None,
        watcher: Watcher | None = None,
    ) -> Deploy:
        """Deploy with a driver in this process."""
        return self.deploy(tree, ENTRY, bake=bake, limits=limits, watcher=watcher)

    def lines(self) -> list[Line]:
        """Return what happened, by the journal, whose chain is checked on the way."""
        return list(effective(read_lines(self.home / "journal")))

    def kinds(self, kind: str) -> list[Line]:
        """Return the journal's lines of one kind."""
        return [line for line in self.lines() if line.kind == kind]

    def version(self) -> str:
        """Return the version that decided last."""
        record = self.record()
        assert record is not None
        return self.tree_version(record.progress.release)

    def tree_version(self, release: str) -> str:
        """Return the version that a release stamps."""
        settings = release_directory(self.home, release) / "tree" / "settings.json"
        return msgspec.json.decode(settings.read_bytes(), type=FaultySettings).version


def verify_nothing_lost(hurt: Hurt, *, cycles: int = 2) -> None:
    """Wait for more cycles, stop, and check witness and journal: none missed, none doubled."""
    last = hurt.wait_cycles(cycles)
    assert hurt.down() == 0, hurt.last_words()
    verify_counts(hurt, last=last)


def verify_counts(hurt: Hurt, *, last: int = 0) -> None:
    """Check witness and journal of what was carried out so far."""
    reports = hurt.reports()
    first = min(report.cycle for report in reports)
    period_ns = round(hurt.period_s * NS)
    seen = count_performed(reports, first=first, last=last or hurt.progress(), period_ns=period_ns)
    assert seen.missed == (), hurt.last_words()
    assert seen.doubled == (), hurt.last_words()
    audit = audit_cycles(hurt.lines())
    assert audit.is_complete, audit
    assert audit.missed == ()
