"""`foresight init` to `uninstall`: a stranger's own project, from nothing to nothing.

Somebody who never saw this repository makes a project, trades, changes the strategy, deploys.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.own_project import Project

pytestmark = pytest.mark.timeout(240)


def test_a_new_project_trades_and_is_redeployed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.run("init", str(project.tree)).returncode == 0
    assert project.run("doctor").returncode == 0
    assert project.run("up", "-d").returncode == 0
    try:
        strategy = project.tree / "strategy.py"
        strategy.write_text(strategy.read_text().replace("too near", "far too near"))
        project.commit("Say it more strongly")
        ended = project.done("deploy", "--bake", "2")
        assert ended["outcome"] == "permanent"
        status = project.done("status")
        assert status["release"] == ended["release"]
        assert status["subject"] == "Say it more strongly"
        assert project.run("hook", "install").returncode == 0
        assert project.run("unit", "install").returncode == 0
        assert project.run("uninstall").returncode == 7  # refused while it runs
        assert project.hooks()
    finally:
        assert project.run("down").returncode == 0
    assert project.run("cycles", "--check").returncode == 0
    unit = project.config / "systemd" / "user" / "foresight-my-project.service"
    assert unit.exists()
    assert project.run("uninstall", "--state", "--yes").returncode == 0
    assert not unit.exists()
    assert not project.hooks()
    assert not (project.state / "foresight" / "my-project").exists()


def test_its_own_tests_pass(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run("init", "--no-git", str(project.tree))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests"]
    done = subprocess.run(
        command, cwd=project.tree, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.tree.mkdir()
    (project.tree / "state").mkdir()
    done = project.run("init", str(project.tree))
    assert done.returncode == 1
    assert "would hide the engine's" in done.stderr
    assert [path.name for path in project.tree.iterdir()] == ["state"]


def test_what_takes_long_is_quiet_or_verbose_as_asked(tmp_path: Path) -> None:
    """Under cron only errors may be heard; whoever looks for a fault sees what the log says."""
    project = Project(tmp_path)
    assert project.run("-q", "init", str(project.tree)).stderr == ""
    started = project.run("-v", "up", "-d")
    assert started.returncode == 0, started.stderr
    assert started.stdout.startswith("page http://")
    assert '"event": "launcher_started"' in started.stderr
    try:
        quiet = project.run("-q", "deploy", "--bake", "1", "--allow-differences")
        assert quiet.stderr == ""
        assert " permanent " in quiet.stdout
        strategy = project.tree / "strategy.py"
        strategy.write_text(strategy.read_text() + "# changed\n")
        project.commit("Change it")
        more = project.run("-v", "deploy", "--bake", "1", "--allow-differences")
        assert len(more.stdout.splitlines()) == len(quiet.stdout.splitlines()) == 1
        assert '"event": "Took"' in more.stderr
        assert "took cycle" in more.stderr
    finally:
        stopped = project.run("-v", "down")
    assert stopped.returncode == 0
    assert '"event": "launcher_stopped"' in stopped.stderr


def test_its_makefile_plans_the_ref_that_it_is_told(tmp_path: Path) -> None:
    """A pipeline that says REF and gets HEAD deploys what nobody looked at."""
    project = Project(tmp_path)
    project.run("init", str(project.tree))
    project.git("checkout", "-q", "-b", "other")
    (project.tree / "notes.txt").write_text("1", encoding="utf-8")
    project.git("add", "notes.txt")
    project.commit("Another one")
    project.git("checkout", "-q", "-")
    variables = os.environ | {"XDG_STATE_HOME": str(project.state)}
    command = ["make", "-s", "deploy", "REF=other", "ARGS=--plan --json"]
    command += [f"FORESIGHT={Path(sys.executable).parent / 'foresight'}"]
    done = subprocess.run(
        command,
        check=False,
        cwd=project.tree,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["subject"] == "Another one"
