"""A stranger's own project, as `foresight init` makes it, and the commands given in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.shared_environment import share_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Project:
    """A project made by `init`, and a home of its own.

    Its commands run under whatever program is named before them.

    Args:
        place: Where the project and its home lie; several of one user share it.
        under: The program that its commands run under, and that program's words.
        name: Name of its directory.
        page: Where its page is wished to be; empty for where it is by default.
    """

    def __init__(
        self,
        place: Path,
        *,
        under: Sequence[str] = (),
        name: str = "my project",
        page: str = "127.0.0.1:0",
    ) -> None:
        self.under = under
        self.python = sys.executable
        self.tree = place / name
        self.page = page
        self.state = place / "state"
        self.config = place / "config"

    @property
    def home(self) -> Path:
        """Where its bot keeps its state; there once it was started."""
        return self.state / "foresight" / self.tree.name.replace(" ", "-")

    def begin(self) -> None:
        """Make the project, and let its home have the environment that all tests share."""
        done = self.run("init", str(self.tree))
        assert done.returncode == 0, done.stderr
        share_environment(self.home, self.tree)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        variables = os.environ | {
            "XDG_STATE_HOME": str(self.state),
            "XDG_CONFIG_HOME": str(self.config),
            "PYTHONPATH": "",
        }
        if self.page:
            variables["FORESIGHT_ENGINE_PAGE"] = self.page
        command = [*self.under, self.python, "-m", "foresight", *words]
        return subprocess.run(
            command,
            cwd=self.tree if self.tree.exists() else self.tree.parent,
            env=variables,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=200,
        )

    def done(self, *words: str) -> Any:  # noqa: ANN401 - whatever the command prints
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def hooks(self) -> list[str]:
        """Return the hooks in place, examples apart."""
        place = self.tree / ".git" / "hooks"
        return [path.name for path in place.iterdir() if path.suffix != ".sample"]

    def commit(self, message: str) -> None:
        self.git("commit", "-qam", message)

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        command = ["git", *identity, *words]
        subprocess.run(command, cwd=self.tree, check=True, timeout=30)
