"""A bot that runs with overrides: what its owner was started with, and what it decided by."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff.commands.background import WORDS_MAX
from handoff.processes import KILL, identity_of, watch
from state.local_store import read_only_snapshot
from tests.process.cli_project import Project
from tests.shared_environment import share_environment

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from typing import Self

PATIENCE_S = 60.0
POLL_S = 0.1
STAKE = "FORESIGHT_RISK_STAKE_WINDOW_USDC"
OVERRIDES = "FORESIGHT_OVERRIDES"


class RunningProject:
    """A project whose bot runs until the context ends."""

    def __init__(self, place: Path) -> None:
        self.project = Project(place)
        share_environment(self.project.home, self.project.tree)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.project.run("down")

    def up(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start it; return what the command said."""
        done = self.project.run("up", "-d", **environment)
        assert done.returncode == 0, done.stderr
        return done

    def down(self) -> None:
        """Stop it."""
        done = self.project.run("down")
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        """Return what `status --json` shows."""
        found: dict[str, Any] = json.loads(self.project.run("status", "--json").stdout)
        return found

    def owner(self) -> int:
        """Return the pid of the worker that owns; 0 while nobody does."""
        owner = read_only_snapshot(self.project.home / "state").ownership.owner
        return owner.pid if owner is not None else 0

    def told(self) -> dict[str, str]:
        """Return the variables that the owner was started with."""
        return variables_of(self.owner())

    def kill_owner(self) -> None:
        """Kill the owner; return once another one owns."""
        before = self.owner()
        identity = identity_of(before)
        assert identity is not None
        watched = watch(identity)
        assert watched is not None
        watched.send(KILL)
        watched.close()
        self.wait(lambda: self.owner() not in {0, before}, "another owner")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, f"{what} did not come\n{self.last_words()}"
            time.sleep(POLL_S)

    def last_words(self) -> str:
        """Return the ends of the newest logs."""
        logs = sorted(
            (self.project.home / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime
        )
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-WORDS_MAX:]}"
            for path in logs[-3:]
        )


def variables_of(pid: int) -> dict[str, str]:
    """Return the variables that a process was started with."""
    data = Path(f"/proc/{pid}/environ").read_bytes()
    pairs = (os.fsdecode(each).partition("=") for each in data.split(b"\0") if each)
    return {name: value for name, _, value in pairs}


def logged(home: Path, words: str) -> bool:
    """Tell whether a log of this home says something."""
    return any(
        words in path.read_text("utf-8", "replace") for path in (home / "logs").rglob("*.log")
    )
