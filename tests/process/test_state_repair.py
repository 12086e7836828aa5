"""A record that was put back, damaged or lost: what an operator sees, and that nothing is doubled.

Real processes; the witness outside of the home counts what was carried out.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bench.installation import send
from foresight.cli.repairing import repair_for_start
from handoff.exit_codes import ExitCode
from handoff.processes import KILL
from tests.process.hurt import ENTRY, verify_nothing_lost
from tests.process.test_cli_state import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)
RECORD = "record.json"
PREVIOUS = "record.prev.json"


def test_the_record_comes_back_from_any_older_one_and_from_none(tmp_path: Path) -> None:
    with Project(tmp_path) as project:
        project.up()
        project.wait_cycles(1)
        older = (project.home / "state" / RECORD).read_bytes()
        project.wait_cycles(4)
        assert project.down() == ExitCode.DONE
        state = project.home / "state"
        expected = (state / RECORD).read_bytes()
        assert project.data("repair")["digest"] == project.data("show")["digest"]
        for put_back in (older, older[:-9], b""):
            (state / PREVIOUS).write_bytes(older)
            (state / RECORD).write_bytes(put_back)
            done = project.state("repair")
            assert done.returncode == ExitCode.DONE, done.stderr
            assert (state / RECORD).read_bytes() == expected
        (state / RECORD).write_bytes(older)
        repair_for_start(project.home, "demo")  # as `up` does
        assert (state / RECORD).read_bytes() == expected
        assert project.data("verify")["ok"]
        project.start(project.release("v0"), ENTRY)
        verify_nothing_lost(project)


def test_without_the_release_that_decided_it_is_said_who_could(tmp_path: Path) -> None:
    with Project(tmp_path) as project:
        project.up()
        project.wait_cycles(1)
        older = (project.home / "state" / RECORD).read_bytes()
        project.wait_cycles(2)
        release = project.the_owner().release
        assert project.down() == ExitCode.DONE
        (project.home / "state" / RECORD).write_bytes(older)
        (project.home / "state" / PREVIOUS).unlink()
        shutil.rmtree(project.home / "releases" / release)
        done = project.state("repair")
        assert done.returncode == ExitCode.FAILED
        assert release in done.stderr
        assert (project.home / "state" / RECORD).read_bytes() == older


def test_a_home_without_state_has_nothing_to_repair(tmp_path: Path) -> None:
    done = Project(tmp_path).state("repair")
    assert done.returncode == ExitCode.FAILED
    assert "hint: " in done.stderr
    repair_for_start(tmp_path / "nowhere", "demo")


@pytest.mark.parametrize("way", ["copied", "moved", "swapped"])
def test_the_previous_generation_put_back_after_all_died_has_nothing_done_twice(
    tmp_path: Path, way: str
) -> None:
    """An older runbook advised it; the release that owns brings the record forward by itself."""
    with Project(tmp_path) as project:
        project.up()
        project.wait_cycles(3)
        owner = project.the_owner()
        project.kill_launcher()
        send(owner, KILL)
        project.wait(lambda: not project.workers(), "the end of the worker")
        record, previous = (project.home / "state" / name for name in (RECORD, PREVIOUS))
        if way == "copied":
            shutil.copyfile(previous, record)
        elif way == "moved":
            previous.replace(record)
        else:
            data = record.read_bytes(), previous.read_bytes()
            previous.write_bytes(data[0])
            record.write_bytes(data[1])
        project.start(project.release("v0"), ENTRY)
        verify_nothing_lost(project)
