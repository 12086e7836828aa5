"""A name is never a need: an account without an entry, no HOME, no LOGNAME.

Containers run under any number, init systems and hooks hand over hardly a variable. What makes a
bot safer has to work there first of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy import requests
from state.local_store import read_only_snapshot
from tests.process.cli_project import ORIGIN_NS, Project, record_of
from tests.process.poor_world import NOBODYS_UID, can_be_nobody, run_poor, with_home

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not can_be_nobody(), reason="this machine gives no user namespace"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = with_home(Project(tmp_path))
    found.record(record_of())
    return found


def test_a_halt_works_in_the_poorest_environment_and_says_who_asked(project: Project) -> None:
    """It ended in a traceback while the bot went on trading; and LOGNAME was believed."""
    done = run_poor(project.tree, "halt", "--note", "fire", LOGNAME="mia", USER="mia")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    control = read_only_snapshot(project.home / "state").control
    assert (control.halted, control.note, control.by) == (True, "fire", f"uid {NOBODYS_UID}")


def test_a_deploy_is_aborted_by_whoever_the_kernel_says(project: Project) -> None:
    request = requests.Request(deploy="d1", by="mia", requested_ns=ORIGIN_NS)
    requests.write_request(project.home, request)
    done = run_poor(project.tree, "deploy", "--abort", LOGNAME="mia")
    assert done.returncode == 0, done.stderr
    assert requests.read_request(project.home, "d1").aborted_by == f"uid {NOBODYS_UID}"


@pytest.mark.parametrize("words", [["deploy"], ["rollback", "x"], ["down"]])
def test_what_needs_a_launcher_says_so_there_as_everywhere(
    project: Project, words: list[str]
) -> None:
    done = run_poor(project.tree, *words)
    assert done.returncode == 6, done.stderr
    assert "no launcher answers" in done.stderr


def test_a_unit_of_an_account_without_a_name_has_its_number(project: Project) -> None:
    """systemd takes a number where there is no name."""
    done = run_poor(project.tree, "unit", "show", "--system")
    assert done.returncode == 0, done.stderr
    assert f"User={NOBODYS_UID}" in done.stdout.splitlines()


def test_where_a_users_units_are_is_asked_and_not_guessed(project: Project) -> None:
    refused = run_poor(project.tree, "unit", "install")
    assert refused.returncode == 2, refused.stderr
    assert "set HOME or XDG_CONFIG_HOME" in refused.stderr
    done = run_poor(project.tree, "unit", "install", HOME=str(project.place / "user"))
    assert done.returncode in {0, 1}, done.stderr  # systemd may have words about the paths
    assert f"enable-linger {NOBODYS_UID}" in done.stderr or "systemd does not" in done.stderr


def test_a_home_that_nothing_names_is_one_clear_refusal(tmp_path: Path) -> None:
    project = Project(tmp_path)
    done = run_poor(project.tree, "halt")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "set [engine] home, XDG_STATE_HOME or HOME" in done.stderr


def test_a_project_begins_without_a_name(tmp_path: Path) -> None:
    """The commit of `init` has an author of its own."""
    done = run_poor(tmp_path, "init", "mine")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / ".git" / "refs" / "heads").is_dir()
