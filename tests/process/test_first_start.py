"""A first release that is broken says why and ends; one that ran is started again for ever."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from handoff.limits import FIRST_STARTS_MAX
from tests.process.hurt import ENTRY, Hurt
from tests.process.own_project import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("place", "fault", "words"),
    [
        ("import", "raise", "told to fail"),
        ("import", "kill", "killed by SIGKILL"),
        ("warm", "raise", "told to fail"),
    ],
)
def test_a_broken_first_release_says_why_and_ends(
    tmp_path: Path, place: str, fault: str, words: str
) -> None:
    """Nobody is there yet whom it would serve to try for ever, without a word."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0", place=place, fault=fault)
        done = hurt.call("run", ENTRY, "--tree", str(tree), "--app", "bench")
        assert done.returncode == ExitCode.REFUSED, done.stderr
        error = done.stderr[done.stderr.index("error: the first release ") :]
        assert words in error, done.stderr
        assert "hint: correct it and start again" in error
        assert done.stderr.count('"child_exited"') == FIRST_STARTS_MAX
        assert hurt.workers() == []
        hurt.start(hurt.release("v1"), ENTRY)
        assert hurt.version() == "v1", "the corrected one is started, in the same home"


def test_a_mistyped_factory_is_refused_at_the_first_start_with_the_one_that_is_near(
    tmp_path: Path,
) -> None:
    """It was started five times, and a traceback said why."""
    with Hurt(tmp_path) as hurt:
        tree, mistyped = hurt.release("v0"), ENTRY.replace("create", "craete")
        done = hurt.call("run", mistyped, "--tree", str(tree), "--app", "bench")
        assert done.returncode == ExitCode.REFUSED, done.stderr
        assert f"nothing called craete; did you mean {ENTRY}?" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count('"child_exited"') == 1
        tried = hurt.call("try", mistyped, "--tree", str(tree))
        assert f"did you mean {ENTRY}?\nhint: say module:name" in tried.stderr
        hurt.start(tree, ENTRY)


def test_a_person_at_a_terminal_reads_sentences_and_why_it_ended(tmp_path: Path) -> None:
    """Events as JSON lines are for programs; they stand in the launcher's log."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0", place="import", fault="raise")
        command = ["-m", "handoff", "run", ENTRY, "--tree", str(tree), "--home", str(hurt.home)]
        leader, follower = pty.openpty()
        done = subprocess.run(
            [sys.executable, *command], stdout=follower, stderr=follower, check=False, timeout=60
        )
        os.close(follower)
        shown = _read_all(leader)
        assert done.returncode == ExitCode.REFUSED, shown
        assert shown[0] == f"running; home {hurt.home}; Ctrl-C drains and stops"
        assert "`handoff logs -f " in shown[1]
        assert shown[2].startswith("error: the first release ")
        assert shown[-1] == "hint: correct it and start again: no cycle was decided yet"
        assert not [line for line in shown if line.startswith("{")]
        said = (hurt.home / "logs" / "launcher.log").read_text("utf-8")
        assert said.count('"child_exited"') == FIRST_STARTS_MAX


def _read_all(leader: int) -> list[str]:
    """Return the lines that a terminal showed."""
    found = b""
    with contextlib.suppress(OSError):  # as the leader's end is told once nobody writes
        while part := os.read(leader, 65536):
            found += part
    os.close(leader)
    return found.decode().splitlines()


def test_a_release_that_decided_once_is_started_again_for_ever(tmp_path: Path) -> None:
    """An unattended restart comes up, once what kept it down is gone: its very factory, here."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        hurt.wait_cycles(2)
        assert hurt.down() == ExitCode.DONE
        (tree,) = (hurt.home / "releases").glob("*/tree")
        entry = tree / "faulty_worker.py"
        sound = entry.read_bytes()
        tree.chmod(0o755)
        entry.chmod(0o644)
        entry.write_text("", encoding="utf-8")
        hurt.launcher = hurt.run(hurt.directory / "trees" / "v0", ENTRY)
        failed = '"child_exited"'
        already = hurt.output.read_text("utf-8").count(failed)
        wanted = already + FIRST_STARTS_MAX + 1
        hurt.wait(lambda: hurt.output.read_text("utf-8").count(failed) >= wanted, "failed starts")
        entry.write_bytes(sound)
        hurt.wait_cycles(1)


def test_up_says_why_the_first_release_does_not_start(tmp_path: Path) -> None:
    """Not after five minutes that nobody owns, but at once what is wrong; then a corrected one."""
    project = Project(tmp_path)
    project.begin()
    strategy = project.tree / "strategy.py"
    sound = strategy.read_text("utf-8")
    strategy.write_text(f"{sound}\nraise RuntimeError('no idea')\n", encoding="utf-8")
    project.commit("Break it")
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.REFUSED, done.stderr
    assert "error: the first release " in done.stderr
    assert "no idea" in done.stderr
    assert "hint: correct it and start again" in done.stderr
    assert project.run("down").returncode == ExitCode.NOT_RUNNING
    strategy.write_text(sound, encoding="utf-8")
    project.commit("Correct it")
    try:
        assert project.run("up", "-d").returncode == ExitCode.DONE
    finally:
        assert project.run("down").returncode == ExitCode.DONE
