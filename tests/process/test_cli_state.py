"""`foresight state`: a look, a proof, a copy and the way back, on an engine that really runs.

The small worker of the other tests runs in the home that the command's configuration names.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.installation import environment, send
from handoff.exit_codes import ExitCode
from handoff.processes import KILL
from handoff.tree_snapshot import snapshot_tree
from tests.process.hurt import ENTRY, Hurt

pytestmark = pytest.mark.timeout(180)

NEXT_SCHEMA = """
from bench.chained import Body, Chained, Reading, settings_beside, Settings
from state.schema import Schema

class Next(Chained):
    body = Schema("bench.chained", 2, Body, up={1: lambda plain: plain}, down={DOWN})

def create(context):
    return Next(context, settings_beside(__file__, Settings))
"""


class Project(Hurt):
    """An installation whose home is the one of a project's configuration."""

    def __init__(self, place: Path) -> None:
        super().__init__(place / "beside", app="demo", home=place / "foresight" / "demo")
        self.place = place
        self.tree_of_project = place / "project"
        self.tree_of_project.mkdir()
        text = '[engine]\napp = "demo"\n'
        (self.tree_of_project / "foresight.toml").write_text(text, encoding="utf-8")
        self.copy = place / "copy.tar"

    def state(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.foresight("state", *words)

    def foresight(self, *words: str) -> subprocess.CompletedProcess[str]:
        variables = environment() | {"XDG_STATE_HOME": str(self.place)}
        command = [sys.executable, "-m", "foresight", *words]
        done = subprocess.run(
            command,
            cwd=self.tree_of_project,
            env=variables,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def data(self, *words: str, code: int = ExitCode.DONE) -> dict[str, Any]:
        done = self.state(*words, "--json")
        assert done.returncode == code, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def stopped(tmp_path: Path, *, fault: str = "") -> Project:
    """Run a few cycles and stop."""
    project = Project(tmp_path)
    with project:
        project.start(project.release("v0", place="decide", fault=fault), ENTRY)
        project.wait_cycles(3)
        assert project.down() == ExitCode.DONE
    return project


def without(lines: list[bytes], place: int) -> list[bytes]:
    return lines[:place] + lines[place + 1 :]


def repeated(lines: list[bytes], place: int) -> list[bytes]:
    return lines[: place + 1] + lines[place:]


def flipped(lines: list[bytes], place: int) -> list[bytes]:
    line = bytearray(lines[place])
    line[len(line) // 2] ^= 1
    return [*lines[:place], bytes(line), *lines[place + 1 :]]


def test_the_check_of_cycles_names_what_was_done_to_the_journal(tmp_path: Path) -> None:
    project = stopped(tmp_path)
    assert project.foresight("cycles", "--check").returncode == ExitCode.DONE
    (segment,) = (project.home / "journal").glob("*.jsonl")
    whole = segment.read_bytes()
    lines = whole.splitlines(keepends=True)
    decided = [place for place, line in enumerate(lines) if b'"kind":"decide"' in line]
    for change, word in ((without, "missing"), (repeated, "again"), (flipped, "changed")):
        for place in (decided[1], len(lines) - 1):  # in the middle, and what nothing follows
            segment.write_bytes(b"".join(change(lines, place)))
            done = project.foresight("cycles", "--check")
            assert done.returncode == ExitCode.FAILED, (change, place, done.stdout)
            assert re.search(rf"\(cycle \d+\): .*{word}", done.stderr), done.stderr
    segment.write_bytes(whole)
    assert project.foresight("cycles", "--check").returncode == ExitCode.DONE


def test_the_check_of_cycles_knows_what_time_it_is(tmp_path: Path) -> None:
    """An owner that was dead for ten cycles was said to hold, and a planned stop was an alarm."""
    with Project(tmp_path) as project:
        tree = project.release("v0", catch_up_s=1.5)
        project.start(tree, ENTRY)
        project.wait_cycles(3)
        running = project.foresight("cycles", "--check")
        assert project.down() == ExitCode.DONE
        time.sleep(5)
        stopped = project.foresight("cycles", "--check")
        project.start(tree, ENTRY)
        project.wait_cycles(2)
        again = project.foresight("cycles", "--check", "--json")
        project.end()  # nothing is asked to leave: launcher and owner are killed
        time.sleep(6)
        dead = project.foresight("cycles", "--check")
    assert (running.returncode, stopped.returncode) == (ExitCode.DONE, ExitCode.DONE), running
    assert re.search(r", 0 missed, 0 lost, 0 doubled, \d+ stopped;", stopped.stdout)
    told = json.loads(again.stdout)
    (stop,) = told["stopped"]
    assert told["ok"], told
    assert (told["missed"], stop["last"] - stop["first"] >= 4) == ([], True)
    assert dead.returncode == ExitCode.FAILED
    assert re.search(r"cycles \d+ to \d+ have begun, and nobody decided", dead.stderr)
    assert len(dead.stderr.splitlines()) == 1


def test_the_state_of_two_releases_is_proven_exported_and_brought_back(tmp_path: Path) -> None:
    with Project(tmp_path) as project:
        project.up()
        project.wait_cycles(2)
        assert project.replace(project.release("v1")).returncode == ExitCode.DONE
        project.wait_cycles(2)
        assert project.data("show")["record"]["ownership"]["owner"] is not None
        exported = project.data("export", str(project.copy))
        assert project.state("restore", str(project.copy)).returncode == ExitCode.ANOTHER
        project.wait_cycles(2)
        assert project.down() == ExitCode.DONE
        proven = project.data("verify")
        assert proven["ok"]
        assert proven["recomputed"]["checked"] == proven["cycles"]["decided"] >= 6
        assert proven["recomputed"] | {"checked": 0} == {
            "checked": 0,
            "skipped": 0,
            "deviations": [],
            "unanswered": [],
        }
        refused = project.state("restore", str(project.copy))
        assert refused.returncode == ExitCode.REFUSED
        assert "hint: --force" in refused.stderr
        done = project.data("restore", str(project.copy), "--force")
        assert (Path(done["kept"]) / "state" / "record.json").is_file()
        shown = project.data("show")
        assert shown["digest"] == exported["digest"]
        assert project.data("verify")["ok"]
        project.start(project.release("v1"), ENTRY)
        project.wait_cycles(1)
        assert project.down() == ExitCode.DONE
        assert project.data("verify")["ok"]


def test_a_worker_without_a_launcher_is_somebody_too(tmp_path: Path) -> None:
    with Project(tmp_path) as project:
        project.up()
        project.data("export", str(project.copy))
        owner = project.the_owner()
        project.kill_launcher()
        refused = project.state("restore", str(project.copy))
        assert refused.returncode == ExitCode.ANOTHER
        assert "a worker still owns" in refused.stderr
        send(owner, KILL)
        project.wait(lambda: not project.workers(), "the end of the worker")
        assert project.state("restore", str(project.copy), "--force").returncode == ExitCode.DONE


def test_a_decision_that_is_not_pure_is_found(tmp_path: Path) -> None:
    project = stopped(tmp_path, fault="impure")
    found = project.data("verify", code=ExitCode.FAILED)
    assert found["recomputed"]["deviations"] != []
    assert "comes out otherwise" in found["faults"][0]


def test_what_was_changed_is_named(tmp_path: Path) -> None:
    project = stopped(tmp_path)
    segment = project.home / "journal" / "000000000001.jsonl"
    record = project.home / "state" / "record.json"
    whole = segment.read_bytes(), record.read_bytes()
    segment.write_bytes(whole[0].replace(b'"nonce":"', b'"nonce":"0', 1))
    broken = project.state("verify")
    assert broken.returncode == ExitCode.FAILED
    assert "cycle" in broken.stderr
    segment.write_bytes(whole[0])
    record.write_bytes(whole[1][:-3])
    damaged = project.state("verify")
    assert damaged.returncode == ExitCode.FAILED
    assert "is damaged" in damaged.stderr
    assert "hint: " in damaged.stderr


def test_a_release_that_is_gone_cannot_be_asked_and_that_is_said(tmp_path: Path) -> None:
    project = stopped(tmp_path)
    for path in (project.home / "releases").glob("*/release.json"):
        path.unlink()
    found = project.data("verify")
    assert found["recomputed"]["checked"] == 0
    assert found["recomputed"]["skipped"] == found["cycles"]["decided"]
    assert len(found["recomputed"]["unanswered"]) == 1


def test_the_plan_of_a_migration_names_steps_and_the_missing_ones(tmp_path: Path) -> None:
    project = stopped(tmp_path)
    assert project.data("migrate", "--plan")["up"] == []
    assert project.state("migrate").returncode == ExitCode.USAGE
    assert project.state("migrate", "--plan", "nowhere").returncode == ExitCode.FAILED
    for down, code in (("2: lambda plain: plain", ExitCode.DONE), ("", ExitCode.REFUSED)):
        tree = project.release(f"next{code.value}")
        text = NEXT_SCHEMA.replace("{DOWN}", f"{{{down}}}")
        (tree / "next_schema.py").write_text(text, encoding="utf-8")
        release = snapshot_tree(project.home, tree, "next_schema:create").release
        plan = project.data("migrate", "--plan", release, code=code)
        assert plan["up"] == ["up from version 1 to 2"]
        assert len(plan["down"]) == 1
        assert bool(plan["faults"]) == (code is ExitCode.REFUSED)


def test_without_a_record_there_is_nothing_to_show(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for words in (["show"], ["verify"], ["export", str(project.copy)], ["migrate", "--plan"]):
        done = project.state(*words)
        assert done.returncode == ExitCode.FAILED, words
        assert done.stderr.startswith("error: ")
    assert project.state("restore", str(project.copy)).returncode == ExitCode.USAGE
    assert not project.copy.exists()
