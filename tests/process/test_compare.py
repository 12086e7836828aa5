"""`foresight compare`: a commit, a file and a directory over the same candles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from foresight.exchange.market.table_files import TABLES
from tests.peeking import write_peeking
from tests.process.cli_project import Project
from tests.recordings import write_recording

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    write_peeking(project.tree)
    project.git("add", ".")
    project.git("commit", "-qm", "Add strategies")
    write_recording(project.place / "recorded", minutes=300)
    return project


def test_a_commit_that_decides_alike_differs_by_0_and_one_that_knows_the_future_is_told_apart(
    project: Project,
) -> None:
    words = ["--candles", "../recorded", "--table", str(TABLES / "synthetic.json")]
    words += ["--rule", "last", "--judge-from", "2025-11-08T01:00"]
    done = project.run("compare", "HEAD", ".", "peeking.toml", *words, "--json")
    assert done.returncode == 0, done.stderr
    alike, knows = map(json.loads, done.stdout.splitlines())
    assert (alike["first"], alike["second"]) == ("HEAD", ".")
    assert alike["says"] == "they decide alike and differ by exactly 0"
    assert (alike["difference"], alike["interval"]) == (0.0, {"low": 0.0, "high": 0.0})
    assert alike["windows"] == alike["alike"] > 10
    assert knows["says"] == "peeking.toml earns more than HEAD"
    assert knows["interval"]["low"] > 0
    assert knows["level"] == pytest.approx(0.95**0.5)


def test_what_is_no_file_no_project_and_no_commit_is_refused(project: Project) -> None:
    project.assert_refused(2, "nowhere", "compare", "HEAD", "nowhere", "--candles", "../recorded")
