"""A limit of open files that is too low: raised where it may be, one refusal where it may not.

A deploy died while it built, with words of a socket or a pipe that nobody had heard of.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import frozen_directory
from handoff.exit_codes import ExitCode
from handoff.limits import OPEN_FILES_WANTED
from tests.process.own_project import Project
from tests.shared_environment import share_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

FEW = ("sh", "-c", 'ulimit -n 20 && exec "$@"', "sh")
FEW_AT_FIRST = ("sh", "-c", 'ulimit -Sn 20 && exec "$@"', "sh")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    assert found.run("init", str(found.tree)).returncode == ExitCode.DONE
    yield found
    found.under = ()
    found.run("down")
    frozen_directory.remove(found.state)


def permitted(pid: int) -> int:
    limits = Path(f"/proc/{pid}/limits").read_text("utf-8")
    found = re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)
    assert found is not None, limits
    return int(found[1])


def change(project: Project, number: int) -> None:
    strategy = project.tree / "strategy.py"
    strategy.write_text(strategy.read_text("utf-8") + f"\n# {number}\n", encoding="utf-8")
    project.commit(f"Change {number}")


def test_a_first_start_with_too_few_open_files_is_one_refusal(project: Project) -> None:
    """Nothing is begun that would end in the middle, and what to do is said once."""
    project.under = FEW
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.REFUSED, done.stderr
    first, second, *more = done.stderr.strip().splitlines()
    assert first == "error: at most 20 open files are permitted here, 64 are needed"
    assert second.startswith("hint: raise the hard limit")
    assert more == []
    assert not project.state.exists(), "not even the home is made"
    assert project.run("down").returncode == ExitCode.NOT_RUNNING


def test_the_limit_is_raised_where_it_may_be_and_a_deploy_goes_through(project: Project) -> None:
    """The soft limit is a habit of shells and schedulers, and nobody's decision."""
    share_environment(project.home, project.tree)
    project.under = FEW_AT_FIRST
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    children = project.done("status")["children"]
    assert {permitted(int(child["pid"])) for child in children} == {OPEN_FILES_WANTED}
    change(project, 1)
    done = project.run("deploy", "--bake", "1")
    assert done.returncode == ExitCode.DONE, done.stderr


def test_a_bot_that_ran_comes_up_and_its_deploys_say_what_they_lack(project: Project) -> None:
    """Whatever a new limit refuses, what traded yesterday trades on after a reboot."""
    share_environment(project.home, project.tree)
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert project.run("down").returncode == ExitCode.DONE
    project.under = FEW
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "error: at most 20 open files are permitted here" in done.stderr
    assert "until then a deploy is refused" in done.stderr
    change(project, 1)
    done = project.run("deploy", "--bake", "1")
    assert done.returncode == ExitCode.REFUSED, done.stderr
    wanted = "at most 20 open files are permitted here, 64 are needed; raise the limit"
    assert wanted in done.stdout
    assert project.run("halt").returncode == ExitCode.DONE
    assert project.run("status").returncode == ExitCode.DONE
