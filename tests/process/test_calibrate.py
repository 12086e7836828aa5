"""`foresight calibrate`: the tables it writes, and the parts of a recording that it refuses."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Final

import pytest

from foresight.strategies.table import MINUTES_OF, parse_table
from tests.process.cli_project import Project, everything

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

DAYS: Final = 6
FIRST_MINUTE: Final = 20_000 * 1440  # 2024-10-04


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def recorded(place: Path, *, days: int = DAYS) -> Path:
    """Write recordings of two assets whose prices go anywhere."""
    folder = place / "recorded"
    folder.mkdir()
    rng = random.Random(1)  # noqa: S311 - the same candles each time
    for asset in ("BTC", "ETH"):
        price, rows = 100.0, ["open_time_ms,open,high,low,close,volume"]
        for minute in range(FIRST_MINUTE, FIRST_MINUTE + days * 1440):
            before, price = price, price * (1 + rng.gauss(0, 0.001))
            highest, lowest = max(before, price), min(before, price)
            rows.append(f"{minute * 60_000},{before},{highest},{lowest},{price},1.0")
        (folder / f"{asset}USDT-1m.csv").write_text("\n".join(rows) + "\n", encoding="ascii")
    return folder


def test_tables_are_written_with_their_dates_and_judged_by_what_came_later(
    project: Project,
) -> None:
    folder = recorded(project.place)
    tables = project.tree / "tables"
    tables.mkdir()
    done = project.run("calibrate", str(folder), "--into", str(tables), "--json")
    assert done.returncode == 0, done.stderr
    assert "fitted on 2024-10-04 00:00 to 2024-10-07 00:00" in done.stderr
    assert "judged by 2024-10-07 00:00 to 2024-10-10 00:00" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(row["window"], row["rule"]) for row in rows} == {
        (timeframe, rule) for timeframe in MINUTES_OF for rule in ("last", "average")
    }
    found = [parse_table(path.read_bytes(), where=path.name) for path in tables.iterdir()]
    assert sorted(path.name for path in tables.iterdir()) == sorted(
        f"recorded-{timeframe}-{rule}.json"
        for timeframe in MINUTES_OF
        for rule in ("average", "last")
    )
    for table in found:
        assert table.source == "recorded"
        assert table.fitted_on == "recorded minutes, 2024-10-04 00:00 to 2024-10-07 00:00 UTC"
        assert (table.first_minute, table.end_minute) == (FIRST_MINUTE, FIRST_MINUTE + 3 * 1440)
        assert list(table.minutes) == list(range(1, MINUTES_OF[table.timeframe]))


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["--judge-from", "2024-10-06"], "overlap"),
        (["--fit-until", "2024-10-08T00:01", "--judge-from", "2024-10-08"], "overlap"),
        (["--judge-from", "2024-10-04", "--judge-until", "2024-10-05"], "overlap"),
        (["--fit-until", "2024-10-04"], "nothing lies between --fit-from and --fit-until"),
        (["--judge-from", "2024-10-11"], "nothing lies between --judge-from and --judge-until"),
        (["--fit-until", "2024-10-05"], "00:00: at most 182 for a minute"),
    ],
)
def test_parts_that_prove_nothing_are_refused(
    project: Project, words: list[str], about: str
) -> None:
    """A table that is judged by what it was fitted on looks right, whatever it says."""
    folder = recorded(project.place)
    before = everything(project.place)
    done = project.run("calibrate", str(folder), "--into", str(project.tree), *words)
    assert done.returncode == 2, done.stderr
    assert about in done.stderr
    assert "hint: " in done.stderr
    assert done.stdout == ""
    assert everything(project.place) == before


def test_a_day_may_be_left_out_and_the_candles_be_generated_ones(project: Project) -> None:
    folder = recorded(project.place)
    words = ["--judge-from", "2024-10-08", "--judge-until", "2024-10-09", "--source", "synthetic"]
    done = project.run("calibrate", str(folder), "--into", str(project.tree), *words)
    assert done.returncode == 0, done.stderr
    assert "judged by 2024-10-08 00:00 to 2024-10-09 00:00" in done.stderr
    path = project.tree / "synthetic-5m-last.json"
    assert parse_table(path.read_bytes(), where="it").source == "synthetic"
