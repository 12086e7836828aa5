"""Where a merge would not go live, `doctor`, `up` and `hook status` say so, and what to do.

Managers of hooks write theirs over ours at every install, or have git look somewhere else: a merge
that goes live nowhere looks like any other, and is missed days later.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from deploy import frozen_directory
from handoff.exit_codes import ExitCode
from tests.process.cli_project import Project
from tests.process.own_project import Project as OwnProject
from tests.process.test_hook_files import HUSKY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


def prepare(project: Project | OwnProject) -> None:
    """Do what husky's `prepare` does when dependencies are installed."""
    place = project.tree / ".husky" / "_"
    place.mkdir(parents=True, exist_ok=True)
    (place / ".gitignore").write_text("*", encoding="utf-8")
    for name in ("h", "post-merge", "post-rewrite"):
        (place / name).write_text(HUSKY if name != "h" else "exit 0\n", encoding="utf-8")
        (place / name).chmod(0o755)
    project.git("config", "core.hooksPath", ".husky/_")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    assert found.run("hook", "install").returncode == ExitCode.DONE
    return found


def finding(project: Project) -> dict[str, Any]:
    """Return what the doctor says of the hooks."""
    rows = [json.loads(line) for line in project.run("doctor", "--json").stdout.splitlines()]
    (found,) = (row for row in rows if row["check"] == "hook")
    return dict(found)


def watch_nothing(project: Project) -> None:
    path = project.tree / "foresight.toml"
    path.write_text(path.read_text("utf-8").replace("[engine]", "[engine]\nwatch = false"))


def states(project: Project) -> set[str]:
    rows = project.run("hook", "status", "--json").stdout.splitlines()
    return {json.loads(row)["state"] for row in rows}


def test_the_doctor_says_that_a_merge_goes_live_by_its_hook(project: Project) -> None:
    found = finding(project)
    assert (found["verdict"], found["found"]) == ("good", "merges go live by themselves")


def test_the_doctor_says_which_hook_a_merge_does_not_call(project: Project) -> None:
    """The watcher still looks: odd, and not bad, as long as somebody does."""
    prepare(project)
    found = finding(project)
    path = project.tree / ".husky" / "_" / "post-merge"
    assert found["verdict"] == "odd"
    assert found["found"].startswith(f"a merge does not call {path}: ")
    assert "the watcher looks every" in found["found"]
    assert found["remedy"] == "`foresight hook install`, or `foresight up`, puts it back"
    assert states(project) == {"another's"}
    assert project.run("hook", "install").returncode == ExitCode.DONE
    assert finding(project)["verdict"] == "good"
    assert states(project) == {"installed"}


def test_without_a_watcher_a_silent_hook_is_bad(project: Project) -> None:
    """Nobody at all would notice that merge."""
    watch_nothing(project)
    assert finding(project)["verdict"] == "good"
    prepare(project)
    found = finding(project)
    assert (found["verdict"], found["found"].endswith("; no merge goes live")) == ("bad", True)
    assert project.run("doctor").returncode == ExitCode.FAILED


def test_where_no_hook_is_wanted_the_doctor_asks_for_none(project: Project) -> None:
    assert project.run("hook", "remove").returncode == ExitCode.DONE
    prepare(project)
    found = finding(project)
    assert (found["verdict"], found["found"]) == (
        "good",
        "none: merges go live by `foresight deploy`",
    )


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnProject]:
    found = OwnProject(tmp_path)
    found.begin()
    yield found
    found.run("down")
    frozen_directory.remove(found.state)


def test_a_start_puts_hooks_back_and_says_where_it_cannot(own: OwnProject) -> None:
    """It trades in any case: a hook is a convenience, and its loss has to be seen."""
    assert own.run("up", "-d").returncode == ExitCode.DONE
    assert own.run("hook", "install").returncode == ExitCode.DONE
    assert own.run("down").returncode == ExitCode.DONE
    prepare(own)
    done = own.run("up", "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    for name in ("post-merge", "post-rewrite"):
        path = own.tree / ".husky" / "_" / name
        words = "was not ours any more: merges would not have gone live; ours is back"
        assert f"{path} {words}" in done.stderr.splitlines()
    assert own.run("hook", "status").returncode == ExitCode.DONE
    assert own.run("down").returncode == ExitCode.DONE
    own.git("config", "core.hooksPath", os.devnull)
    done = own.run("up", "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    error, hint = [each for each in done.stderr.splitlines() if each.startswith(("error", "hint"))]
    assert error.startswith("error: no hook tells of a merge: /dev/null/post-merge")
    assert "git config --show-origin core.hooksPath" in hint
