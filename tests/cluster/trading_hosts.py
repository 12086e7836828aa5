"""Hosts with a trader: each has a checkout, a configuration, a home and a page of its own.

Owns what somebody does there, by the commands that are typed. Their configuration is one file: what
a host has of its own has the same name on each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from foresight.book import SCHEMA, Book
from foresight.demo.project import CONFIG, ENTRY_MINUTES, Project
from foresight.evidence.errors import CourseLeft
from foresight.evidence.git import run_git
from tests.cluster.hosts import Home
from tests.process.other_hosts import PATH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.members import Members
    from tests.cluster.network import Network

APP: Final = "foresight"
SPEED: Final = 12  # a cycle of a minute takes 5 s, a window of 15 minutes 75 s
PERIOD_S: Final = 60.0 / SPEED
ASSETS: Final = ("BTC", "ETH", "SOL")
MEANT: Final = "--allow-differences"  # a changed strategy decides recorded cycles otherwise
WHO: Final = "Operator"


class SharedProject(Project):
    """The project that all hosts have a checkout of."""

    def configure(self, state: str, credentials: Path, url: str) -> None:
        """Commit the configuration that all hosts have."""
        path = self.directory / CONFIG
        text = path.read_text(encoding="utf-8")
        engine = (
            f'state = "{state}"\ncluster_credentials = "{credentials}"\n'
            f'remote = "{self.directory}"\nbake = 1\ncatch_up_s = 360.0\n'
        )
        assets = ", ".join(f'"{each}"' for each in ASSETS)
        for pattern, wanted in (
            (r"^\[engine\]\n", f"[engine]\n{engine}"),
            (r"^speed = \d+", f"speed = {SPEED}"),
            (r"^assets = .*$", f"assets = [{assets}]"),
            (r'^kind = "local"', f'url = "{url}"\nkind = "local"'),
        ):
            text, times = re.subn(pattern, wanted, text, count=1, flags=re.MULTILINE)
            assert times == 1, pattern
        path.write_text(text, encoding="utf-8")
        for key, value in ENTRY_MINUTES.items():  # bought early: open across whatever comes
            self._configure("15m", key, value)
        self._commit("Trade on several hosts")


class TradingHome(Home):
    """The trader on one host.

    Args:
        place: A directory for what is its own.
        index: Which one it is.
        net: Where it is.
        members: The etcd.
        origin: The project that it has a checkout of.
    """

    def __init__(
        self, place: Path, index: int, net: Network, members: Members, origin: Project
    ) -> None:
        """Clone the project; nothing runs yet."""
        super().__init__(place, index, net, members, APP)
        self.checkout = self.directory / "project"
        self._origin = origin.directory
        run_git(
            self.directory,
            *("clone", "--quiet", str(self._origin), str(self.checkout)),
            who=WHO,
            hint="see git",
        )
        user = self.directory / "user"
        user.mkdir(exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if key in {"LANG", "LC_ALL"}}
        self._variables = kept | {
            "PATH": PATH,
            "HOME": str(user),
            "FORESIGHT_ENGINE_HOME": str(self.home),
        }

    def up(self) -> None:
        """Boot the host, and say `foresight up` there."""
        self.begin()
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                self.host.command(*self._words("up")),
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._begun.append(process)

    def again(self) -> None:
        """Say `foresight up` on a host that runs, where it was stopped."""
        self.typed("up", "-d")

    def pull_commits(self) -> None:
        """Bring the checkout up to the project, as whoever deploys there does."""
        run_git(self.checkout, "pull", "--quiet", "--ff-only", who=WHO, hint="see git")

    def typed(self, *words: str, code: int = 0) -> str:
        """Run a `foresight` command there; return what it wrote.

        Raises:
            CourseLeft: It ended with another code.
        """
        done = self.host.run(*self._words(*words), variables=self._variables)
        if done.returncode != code:
            said = f"{done.stderr}{done.stdout}".strip()[-800:]
            what = f"{self.name}: foresight {' '.join(words)} ended with {done.returncode}: {said}"
            raise CourseLeft(what)
        return done.stdout

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with `--json` there; return the objects, one a line."""
        return [json.loads(line) for line in self.typed(*words, "--json").splitlines()]

    def status(self) -> dict[str, Any]:
        """Return what `foresight status` says there."""
        return self.objects("status")[-1]

    def book(self) -> Book:
        """Return the book of its mirror."""
        record = self.record()
        if record is None:
            return Book()
        book: Book = SCHEMA.decode(record.body, record.schema)
        return book

    def _words(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-I", "-m", "foresight", "-C", str(self.checkout), *words)

    @override
    def progress(self) -> int:
        record = self.record()
        return record.progress.cycle if record is not None else 0
