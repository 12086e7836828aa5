"""The demonstration's project: a clone of this one, and a commit for each release.

Owns the git side. The checkout that it is cloned from is only read. What a commit changes is
what a developer would change: a number in the configuration, a line of code.
"""

from __future__ import annotations

import re
from pathlib import Path

import foresight
from foresight.evidence.errors import CannotBegin
from foresight.evidence.git import run_git

TRADER = "demo_trader.py"
ENTRY = "demo_trader:create"
CONFIG = "foresight.toml"
PROJECT = "pyproject.toml"
WHO = "Demonstration"
HINT = "the demonstration needs git and a checkout of the project"

# Windows of 15 minutes are entered early, so that positions are open across every deploy.
ENTRY_MINUTES = {"minute": "4", "minute_last": "13"}
IMPORT_FAILS = "import a_library_that_nobody_installed\n"
FIRST_CYCLE_FAILS = """

def _decide(self, cycle, body, inputs, receipts):
    if cycle.release == self._release:  # recorded cycles of others are decided again all right
        return 1 / 0
    return trader.Trader.decide(self, cycle, body, inputs, receipts)


WitnessedTrader.decide = _decide
"""


class Project:
    """A clone of the project in a directory of its own.

    Args:
        directory: Where it is made.
    """

    def __init__(self, directory: Path) -> None:
        """Clone the checkout that this package runs from.

        Raises:
            CannotBegin: It is not a git checkout, or git refuses.
        """
        self.directory = directory
        self.origin = Path(foresight.__file__).resolve().parent.parent
        self._trader = Path(__file__).with_name(TRADER).read_text(encoding="utf-8")
        top = self._git("rev-parse", "--show-toplevel", at=self.origin)
        if Path(top).resolve() != self.origin:
            what = f"{self.origin} is not the root of a git checkout"
            raise CannotBegin(what, "run the demonstration from a clone of the project")
        self.changed = self._git("status", "--porcelain", at=self.origin).splitlines()
        clone = ("clone", "--quiet", "--local", str(self.origin), str(directory))
        self._git(*clone, at=self.origin)
        self.head = self._git("log", "-1", "--format=%h %s")

    def bring_witness(self) -> str:
        """Commit the demonstration's own trader; return what the commit is called."""
        (self.directory / TRADER).write_text(self._trader, encoding="utf-8")
        project = self.directory / PROJECT
        text = project.read_text(encoding="utf-8")
        if "[tool.foresight]" in text:
            what = f"{PROJECT} names an entry of its own"
            raise CannotBegin(what, "the demonstration needs the project's default entry")
        project.write_text(f'{text}\n[tool.foresight]\nentry = "{ENTRY}"\n', encoding="utf-8")
        for key, value in ENTRY_MINUTES.items():
            self._configure("15m", key, value)
        return self._commit("Report to the witness")

    def change_strategy(self, timeframe: str, sigmas: str) -> str:
        """Commit another threshold of a timeframe's strategy."""
        self._configure(timeframe, "threshold_sigmas", sigmas)
        return self._commit(f"Enter {timeframe} windows from {sigmas} sigmas on")

    def break_import(self) -> str:
        """Commit a trader that cannot be imported."""
        trader = self._trader.replace("import os\n", f"{IMPORT_FAILS}import os\n", 1)
        (self.directory / TRADER).write_text(trader, encoding="utf-8")
        return self._commit("Use a library that is not there")

    def break_first_cycle(self) -> str:
        """Commit a trader that starts well and fails in its first cycle."""
        trader = f"{self._trader}{FIRST_CYCLE_FAILS}"
        (self.directory / TRADER).write_text(trader, encoding="utf-8")
        return self._commit("Divide by zero when deciding")

    def mend(self, timeframe: str, sigmas: str) -> str:
        """Commit a sound trader again, with another threshold."""
        (self.directory / TRADER).write_text(self._trader, encoding="utf-8")
        return self.change_strategy(timeframe, sigmas)

    def _configure(self, timeframe: str, key: str, value: str) -> None:
        path = self.directory / CONFIG
        text = path.read_text(encoding="utf-8")
        pattern = rf"(\[strategy\.{timeframe}\][^\[]*?^{key} = )\S+"
        changed, times = re.subn(pattern, rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        if times != 1:
            what = f"{CONFIG} has no {key} in [strategy.{timeframe}]"
            raise CannotBegin(what, "the demonstration changes the strategy that comes with it")
        path.write_text(changed, encoding="utf-8")

    def _commit(self, subject: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self._git("log", "-1", "--format=%h %s")

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        return run_git(at or self.directory, *arguments, who=WHO, hint=HINT)
