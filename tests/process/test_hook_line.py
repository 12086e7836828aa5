"""What whoever merges is told: one line, only where the hook acts, and git goes on whatever is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.hook_script import Settings, script
from tests.process.git_project import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


@pytest.mark.parametrize(("branch", "told"), [("main", True), ("elsewhere", False)])
def test_a_merge_says_in_a_line_what_is_asked_to_go_live(
    tmp_path: Path,
    branch: str,
    told: bool,  # noqa: FBT001 - a table
) -> None:
    """A merge that goes live in silence is looked for in the wrong window."""
    project = Project(tmp_path / "it's a project")
    home = tmp_path / "it's home"
    (home / "logs").mkdir(parents=True)
    settings = Settings(home=str(home), shared="", branch=branch, python=sys.executable)
    hook = project.path / ".git" / "hooks" / "post-merge"
    hook.write_bytes(script("post-merge", settings))
    hook.chmod(0o755)
    project.git("checkout", "-q", "-b", "feature")
    project.write("new.txt", "1")
    project.commit("Ask for 50 % more")
    project.git("checkout", "-q", "main")
    git = ["git", "-C", str(project.path), "merge", "-q", "feature"]
    done = subprocess.run(git, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("foresight: ")]
    assert len(lines) == int(told), done.stderr
    assert all("Ask for 50 % more is asked to go live" in line for line in lines)


@pytest.mark.parametrize("steers", ["\x1b[2J", "\x9b2J", "\N{RIGHT-TO-LEFT OVERRIDE}"])
def test_a_subject_steers_no_terminal(tmp_path: Path, steers: str) -> None:
    """Whoever can push a commit would write on the screen of whoever merges it."""
    project = Project(tmp_path / "project")
    (tmp_path / "home" / "logs").mkdir(parents=True)
    home, python = str(tmp_path / "home"), sys.executable
    settings = Settings(home=home, shared="", branch="main", python=python)
    project.write("new.txt", "1")
    project.commit(f"Ask {steers} for more")
    hook = project.path / "hook"
    hook.write_bytes(script("post-merge", settings))
    hook.chmod(0o755)
    done = subprocess.run([hook], cwd=project.path, check=True, capture_output=True, text=True)
    assert "for more is asked to go live" in done.stderr
    assert steers not in done.stderr
