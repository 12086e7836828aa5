"""`lock`, `unlock` and `locks`, typed at a record: what they write, list and refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from state.local_store import LocalStore
from tests.process.cli_project import ORIGIN_NS, Project, record_of

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import Record

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.record(record_of())
    return made


def said(project: Project, *words: str) -> list[dict[str, Any]]:
    done = project.run(*words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def stored(project: Project) -> Record:
    record = record_of()
    store = LocalStore(
        project.home / "state",
        app=record.app,
        timeline=record.timeline,
        now_ns=lambda: ORIGIN_NS,
        force_filesystem=True,
    )
    try:
        return store.read()
    finally:
        store.close()


def test_an_asset_is_locked_listed_and_unlocked(project: Project) -> None:
    assert said(project, "locks", "--json") == []
    assert project.run("lock", "btc", "--note", "news").returncode == 0
    assert project.run("lock", "ETH").returncode == 0
    btc, eth = said(project, "locks", "--json")
    assert (btc["scope"], btc["reason"], btc["until_ms"]) == ("BTC", "operator", None)
    assert btc["since_ms"] <= eth["since_ms"]
    text = project.run("locks").stdout
    assert "BTC" in text
    assert "operator" in text
    status = project.run("status")
    assert "locked    BTC (operator), ETH (operator)" in status.stdout
    assert project.run("pause").returncode == 0, "it touches no lock"
    assert project.run("resume").returncode == 0
    assert project.run("unlock", "BTC").returncode == 0
    assert [one["scope"] for one in said(project, "locks", "--json")] == ["ETH"]
    assert project.run("unlock").returncode == 0
    assert said(project, "locks", "--json") == []
    assert list(stored(project).control.marks) == ["unlock:*"]


def test_an_asset_that_is_not_on_the_board_is_refused_with_the_nearest_name(
    project: Project,
) -> None:
    project.assert_refused(2, "no asset on the board is called 'BTX'", "lock", "BTX")
    project.assert_refused(2, "no asset on the board is called 'x'", "unlock", "x")
    assert "did you mean BTC?" in project.run("lock", "BTX").stderr
