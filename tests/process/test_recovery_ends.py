"""Whatever became of a home, one command gets it going, with the code of the release that decided.

A home that nobody can start any more is lost together with its state.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import frozen_directory
from handoff.processes import HAS_PIDFD, identity_of, watch
from state.local_store import read_only_snapshot
from tests.process.own_project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not HAS_PIDFD, reason="processes are looked into"),
]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project that runs a release which is not its newest commit, and its state in a file."""
    made = Project(tmp_path)
    made.begin()
    started = made.run("up", "-d")
    assert started.returncode == 0, started.stderr
    strategy = made.tree / "strategy.py"
    strategy.write_text(strategy.read_text() + "# the newest commit, not deployed\n")
    made.commit("Change it")
    made.done("state", "export", str(tmp_path / "kept"))
    yield made
    made.run("down")


def crash(project: Project) -> None:
    """Kill everything that runs in a home, its launcher first."""
    table = json.loads((project.home / "run" / "launcher.json").read_bytes())
    found = [table["pid"], *(each["pid"] for each in table["children"])]
    for pid in found:
        identity = identity_of(pid)
        watched = watch(identity) if identity is not None else None
        if watched is not None:
            watched.send(signal.SIGKILL)
            watched.wait(30)
            watched.close()


def assert_comes_up(project: Project, release: str) -> None:
    done = project.run("up", "-d")
    assert done.returncode == 0, done.stderr
    owner = read_only_snapshot(project.home / "state").ownership.owner
    assert owner is not None
    assert owner.release == release
    started = Path(f"/proc/{owner.pid}/cwd").readlink()
    assert started == project.home / "releases" / release / "tree"


def test_no_recovery_has_a_dead_end(project: Project, tmp_path: Path) -> None:
    """Moved, damaged without a launcher, restored into nothing: each comes up by `up`."""
    release = project.done("status")["release"]
    assert project.run("down").returncode == 0
    former, project.state = project.state, tmp_path / "another place"
    former.rename(project.state)
    assert_comes_up(project, release)

    crash(project)
    (project.home / "state" / "record.json").write_bytes(b"{damaged")
    assert_comes_up(project, release)

    assert project.run("down").returncode == 0
    frozen_directory.remove(project.home / "environments")
    project.state = tmp_path / "nothing yet"
    restored = project.run("state", "restore", str(tmp_path / "kept"))
    assert restored.returncode == 0, restored.stderr
    assert_comes_up(project, release)
