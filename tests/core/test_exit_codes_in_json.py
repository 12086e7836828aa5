"""What a command's exit code says does not depend on how its answer is printed.

A script reads `--json` and acts on the exit code: it is the one reader that nobody corrects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deploy import history, jobs
from foresight.cli import deploying
from foresight.cli.main import main
from handoff.exit_codes import ExitCode
from handoff.release_files import Manifest, write_manifest
from state.archive import export_state
from tests.homes import open_store, segment
from tests.records import APP, NOW_NS, empty, miss, note, release, run_cycles, started

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.requests import Request

PRINTED = pytest.mark.parametrize("words", [("--json",), ()], ids=["json", "text"])


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that we stand in; its home, in which nothing is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    text = f'[engine]\napp = "{APP}"\n'
    (tmp_path / "foresight.toml").write_text(text, encoding="utf-8")
    home = tmp_path / "state" / "foresight" / APP
    home.mkdir(mode=0o700, parents=True)
    return home


@pytest.fixture
def home(bare: Path) -> Path:
    """A home as above, with some cycles and no owner."""
    store = started(open_store(bare))
    run_cycles(store, 2)
    store.transact(release, note("release"))
    return bare


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@PRINTED
def test_where_nothing_runs_status_says_so_however_it_is_printed(
    bare: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    open_store(bare).create(empty())  # nothing was decided yet: a body is a trader's own
    assert main(["status", *words]) == ExitCode.NOT_RUNNING
    assert "cycle" in capsys.readouterr().out


@PRINTED
def test_a_check_of_cycles_that_holds_is_done(home: Path, words: tuple[str, ...]) -> None:
    assert segment(home).exists()
    assert main(["cycles", "--check", *words]) == ExitCode.DONE


@PRINTED
def test_a_check_of_a_changed_journal_fails_however_it_is_printed(
    home: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = segment(home)
    path.write_bytes(path.read_bytes().replace(b'"cycle":12', b'"cycle":13', 1))
    assert main(["cycles", "--check", *words]) == ExitCode.FAILED
    if words:
        assert said(capsys)["ok"] is False


@PRINTED
def test_a_check_that_finds_a_missed_cycle_fails_however_it_is_printed(
    home: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    store = started(open_store(home))
    store.transact(miss, note("miss", evidence={"reason": "the host slept"}))
    assert main(["cycles", "--check", *words]) == ExitCode.FAILED
    if words:
        found = said(capsys)
        assert found["ok"] is False
        assert found["faults"]


@PRINTED
def test_a_restore_over_newer_state_is_refused_however_it_is_printed(
    home: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    export_state(home, home / "copy.tar", now_ns=NOW_NS)
    run_cycles(started(open_store(home)), 1)
    before = segment(home).read_bytes()
    assert main(["state", "restore", str(home / "copy.tar"), *words]) == ExitCode.REFUSED
    assert capsys.readouterr().out == ""
    assert segment(home).read_bytes() == before


@PRINTED
@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (history.Outcome.PERMANENT, ExitCode.DONE),
        (history.Outcome.RETURNED, ExitCode.RETURNED),
        (history.Outcome.REFUSED, ExitCode.REFUSED),
        (history.Outcome.ABORTED, ExitCode.REFUSED),
        (history.Outcome.SUPERSEDED, ExitCode.REFUSED),
    ],
)
def test_how_a_deploy_ended_is_its_exit_code_however_it_is_printed(  # noqa: PLR0917 - fixtures
    bare: Path,
    words: tuple[str, ...],
    outcome: history.Outcome,
    code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The deployer is another program: here it has ended before anybody looks."""

    def ended(there: Path, request: Request, _python: str) -> str:
        begun = history.requested(request.deploy, now_ns=NOW_NS, by="us", ref="", from_release="")
        history.finish(there, replace(begun, outcome=str(outcome), release="r2"))
        return request.deploy

    monkeypatch.setattr(jobs, "submit", ended)
    monkeypatch.setattr(deploying, "_require_launcher", lambda _home: None)
    (bare / "releases" / "r2").mkdir(parents=True)
    write_manifest(bare, Manifest("r2", "bot:create", "/usr/bin/python3", "/srv/tree"))
    assert main(["rollback", "r2", *words]) == code
    if words:
        assert said(capsys)["outcome"] == str(outcome)
