"""The project that a trading series deploys from: the demonstration's, and a commit a deploy.

Owns what each commit changes: a number in the configuration, or what breaks the release.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from bench.broken_release import BROKEN_TEXT
from bench.fault_plan import Fault
from foresight.demo.demo_trader import __file__ as trader_file
from foresight.demo.project import CONFIG, TRADER, Project

if TYPE_CHECKING:
    from pathlib import Path

# Every cycle is run, however late: an installation that lost its launcher catches up.
CATCH_UP_ALL: Final = "[engine]\ncatch_up_s = 0.0\n"


class TradingProject(Project):
    """A clone of the project that outlives the process that made it.

    Args:
        directory: Where it is, or is made.
    """

    def __init__(self, directory: Path) -> None:
        """Open the clone; make it, with the witness in it, if it is not there."""
        ready = directory.with_suffix(".ready")
        if not ready.exists():
            shutil.rmtree(directory, ignore_errors=True)
            super().__init__(directory)
            config = self.directory / CONFIG
            text = self.configured(config.read_text(encoding="utf-8"))
            config.write_text(text, encoding="utf-8")
            self.bring_witness()
            ready.touch()
        self.directory = directory
        with open(trader_file, encoding="utf-8") as file:  # noqa: PTH123 - a name, not a path
            self._trader = file.read()

    def configured(self, text: str) -> str:
        """Return the configuration of the series: the demonstration's, but nothing is skipped."""
        return text.replace("[engine]\n", CATCH_UP_ALL, 1)

    def release(self, number: int, fault: Fault) -> str:
        """Commit a release: another threshold, and what its fault breaks."""
        if fault is Fault.FIRST_CYCLE_FAILS:
            return self.break_first_cycle()
        if fault in BROKEN_TEXT:
            (self.directory / TRADER).write_text(self._trader + BROKEN_TEXT[fault], "utf-8")
            return self._commit(f"Break it: {fault}")
        sigmas = 0.45 + 0.05 * (number % 2) + 0.0001 * number
        return self.mend("5m", f"{sigmas:.4f}")
