"""What a command prints for a program: one object a line, whose members have names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from foresight.finding import Finding, Verdict
from tests.process.cli_project import Project, record_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

CANDLES = 200
MEMBERS = {
    "doctor": set(Finding._fields),
    "status": {"app", "home", "cycle"},
    "hook status": {"hook", "state", "path"},
    "state show": {"record"},
    "backtest --signals {recorded}": {"window", "minute", "rule", "signals"},
}


def recorded(place: Path) -> Path:
    """Write a recording of some hours in which the price goes up and down."""
    folder = place / "recorded"
    folder.mkdir()
    rows = (
        f"{minute * 60_000},{price},{price},{price},{price},1.0"
        for minute, price in ((each, 100.0 + each % 2) for each in range(CANDLES))
    )
    text = "\n".join(["open_time_ms,open,high,low,close,volume", *rows])
    (folder / "BTCUSDT-1m.csv").write_text(f"{text}\n", encoding="ascii")
    return folder


@pytest.mark.parametrize("words", MEMBERS)
def test_each_line_is_an_object_with_names(tmp_path: Path, words: str) -> None:
    """Two commands printed arrays: a column more would have changed what every number means."""
    project = Project(tmp_path)
    project.record(record_of())
    place = recorded(tmp_path)
    done = project.run(*(word.format(recorded=place) for word in words.split()), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    for row in rows:
        assert isinstance(row, dict)
        assert row.keys() >= MEMBERS[words]


def test_what_the_doctor_says_by_a_word_is_one_of_three(tmp_path: Path) -> None:
    project = Project(tmp_path)
    done = project.run("doctor", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["verdict"] for row in rows} <= {each.value for each in Verdict}
    assert len({row["check"] for row in rows}) == len(rows)


def test_a_folder_without_candles_is_a_mistake_of_who_named_it(tmp_path: Path) -> None:
    """It was a traceback."""
    project = Project(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    project.assert_refused(2, str(empty), "backtest", "--signals", str(empty))
    project.assert_refused(2, str(empty), "calibrate", str(empty), "--into", str(empty))
