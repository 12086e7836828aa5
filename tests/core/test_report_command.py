"""`foresight report`: one file from a home or from a backtest, and nothing replaced in silence."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy.history import HISTORY, Entry, entry_line
from foresight.book import SCHEMA
from foresight.cli.main import main
from foresight.report.sentences import NO_EDGE
from handoff.exit_codes import ExitCode
from tests.core.test_report import book_of, fair, result_of
from tests.homes import open_store
from tests.records import APP, empty

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that we stand in; its book holds thirty trades, its history a deploy."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foresight.toml").write_text(f'[engine]\napp = "{APP}"\n', encoding="utf-8")
    home = tmp_path / "state" / "foresight" / APP
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(book_of(fair(40)))
    open_store(home).create(msgspec.structs.replace(empty(), body=body, schema=SCHEMA.schema_id))
    took = Entry(
        deploy="d",
        requested_at="",
        requested_ms=0,
        by="t",
        release="idle",
        cycle=7,
        outcome="permanent",
    )
    (home / HISTORY).write_bytes(entry_line(took))
    return tmp_path


def test_a_home_is_reported_and_a_file_is_replaced_only_by_force(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report that somebody kept to compare with is gone with the next one otherwise."""
    written = place / "mine.html"
    assert main(["report", "--out", "mine.html", "--json"]) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert said == {"written": "mine.html", "trades": 40, "says": NO_EDGE}
    page = written.read_text(encoding="utf-8")
    assert '<th scope="row">idle</th>' in page  # deployed, and no trade of its own
    assert "not marked: 1" in page  # its cycle lies long before these trades
    written.write_text("somebody's", encoding="utf-8")
    assert main(["report", "--out", "mine.html"]) == ExitCode.REFUSED
    assert "is there already\nhint: say --force" in capsys.readouterr().err
    assert written.read_text(encoding="utf-8") == "somebody's"
    assert main(["report", "--out", "mine.html", "--force"]) == ExitCode.DONE
    assert written.read_text(encoding="utf-8") == page


def test_a_backtest_without_an_edge_is_reported_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "all.json").write_bytes(msgspec.json.encode(result_of(fair(80))))
    assert main(["report", "--backtest", "all.json"]) == ExitCode.DONE
    assert capsys.readouterr().out == f"written: report.html: {NO_EDGE}\n"
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "2025-11-08 00:00 to 2025-11-08 01:00 UTC" in page
    assert page.count('role="img"') == 4


def test_what_is_no_result_is_refused_and_nothing_is_written(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sums = msgspec.structs.replace(result_of(fair(80)), trades=())
    (place / "sums.json").write_bytes(msgspec.json.encode(sums))
    (trade,) = result_of(fair(80)).trades[:1]
    odd = msgspec.structs.replace(
        result_of(fair(80)), trades=[msgspec.structs.replace(trade, shares=0)]
    )
    (place / "odd.json").write_bytes(msgspec.json.encode(odd))
    for name, about in (
        ("sums.json", "without their trades"),
        ("odd.json", "no result of a backtest"),
        ("foresight.toml", "no result of a backtest"),
    ):
        assert main(["report", "--backtest", name]) == ExitCode.USAGE
        assert about in capsys.readouterr().err
    assert not (place / "report.html").exists()


def test_without_the_extra_of_the_page_it_says_what_is_missing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trader alone can be installed; a traceback says nobody what to do then."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "foresight.report.document", raising=False)
    assert main(["report"]) == ExitCode.USAGE
    assert "a report needs jinja2" in capsys.readouterr().err
    assert not (place / "report.html").exists()


def test_a_place_that_is_not_there_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--out", "nowhere/mine.html"]) == ExitCode.FAILED
    assert "nowhere" in capsys.readouterr().err
    assert not (place / "nowhere").exists()
