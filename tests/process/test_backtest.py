"""`foresight backtest`: what it prints, what it keeps, and the tables that it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from foresight.backtest.results import BacktestResult
from foresight.exchange.market.table_files import TABLES, load_table
from tests.peeking import write_peeking
from tests.process.cli_project import Project
from tests.recordings import FIRST_MINUTE, write_recording

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

STRATEGY = """
[risk]
edge_min_cents = -100
stake_floor_usdc = 8.0
[strategy.5m]
name = "late_entry"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    path = project.tree / "foresight.toml"
    path.write_text(path.read_text(encoding="utf-8") + STRATEGY, encoding="utf-8")
    write_recording(project.place / "recorded", minutes=240)
    return project


def test_a_result_is_one_object_and_every_trade_is_kept_where_it_was_asked_for(
    project: Project,
) -> None:
    words = ["../recorded", "--table", str(TABLES / "synthetic.json"), "--save", "all.json"]
    done = project.run("backtest", *words, "--json")
    assert done.returncode == 0, done.stderr
    assert "judged by 2025-11-08 00:00 to 2025-11-08 04:00" in done.stderr
    shown = json.loads(done.stdout)
    kept = msgspec.json.decode((project.tree / "all.json").read_bytes(), type=BacktestResult)
    assert shown["trades"] == []
    assert shown["score"]["trades"] == len(kept.trades) > 5
    assert [each["slot"] for each in shown["slots"]] == ["btc-5m", "btc-15m", "eth-5m", "eth-15m"]
    assert shown["evidence"] == kept.evidence == "no evidence of an edge"


def test_a_table_of_the_judged_days_is_refused(project: Project) -> None:
    table = msgspec.structs.replace(
        load_table("synthetic"), first_minute=FIRST_MINUTE, end_minute=FIRST_MINUTE + 120
    )
    path = project.place / "table.json"
    path.write_bytes(msgspec.json.encode(table))
    words = ["../recorded", "--table", str(path), "--judge-from", "2025-11-08T01:00"]
    project.assert_refused(2, "overlaps", "-q", "backtest", *words)


def test_who_reads_the_next_minutes_close_is_named(project: Project) -> None:
    """A backtest that knows the future earns what nobody ever will."""
    write_peeking(project.tree)
    words = ["../recorded", "--table", str(TABLES / "synthetic.json"), "--rule", "last"]
    words += ["--judge-from", "2025-11-08T03:00", "--check-future"]
    done = project.run("-c", "peeking.toml", "backtest", *words, "--json")
    assert done.returncode == 3, done.stderr
    found = {row["timeframe"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert (found["5m"]["strategy"], found["5m"]["unsteady"]) == ("peek", 0)
    assert 0 < found["5m"]["otherwise"] <= found["5m"]["opinions"]
    assert found["15m"]["otherwise"] == 0


def test_who_does_not_read_it_is_not(project: Project) -> None:
    write_peeking(project.tree)
    words = ["../recorded", "--table", str(TABLES / "synthetic.json"), "--rule", "last"]
    words += ["--judge-from", "2025-11-08T03:20", "--check-future"]
    done = project.run("backtest", *words)
    assert done.returncode == 0, done.stderr
    assert "does not see the future" in done.stdout
