"""From an idea to what it would have earned, in a project that `foresight init` just made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from foresight.backtest.results import BacktestResult
from foresight.exchange.market.table_files import TABLES
from foresight.report.sentences import NO_EDGE
from tests.process.own_project import Project
from tests.recordings import write_recording

pytestmark = pytest.mark.timeout(200)

IDEA = '''"""Another idea, in a file of its own, with what another package knows."""

from typing import ClassVar

from packaging.version import Version

from foresight.board import Side
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView


class Cheap(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "cheap"

    def judge(self, view: WindowView) -> Opinion | Silence:
        if Version("2") < Version("1") or view.elapsed < 3:
            return Silence("not its minute")
        if view.ask_micro is not None and not view.depth_micro(600_000):
            return Silence("nobody sells at 60 c")
        return self.opinion(Side.UP, 0.9)
'''
FOR_ONE_SLOT = '\n[strategy.btc-5m]\nname = "idea:Cheap"\n'


def make(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", *words, f"PYTHON={sys.executable}"]
    command += [f"FORESIGHT={Path(sys.executable).parent / 'foresight'}"]
    return subprocess.run(
        command, cwd=project.tree, check=False, capture_output=True, text=True, timeout=150
    )


def test_an_idea_for_one_slot_is_backtested_and_reported(tmp_path: Path) -> None:
    """Its own file, a package of the lock, one section: nothing else has to be learned."""
    project = Project(tmp_path)
    project.run("init", "--no-git", str(project.tree))
    write_recording(project.tree / "candles", minutes=240)
    (project.tree / "idea.py").write_text(IDEA, encoding="utf-8")
    path = project.tree / "foresight.toml"
    settings = path.read_text(encoding="utf-8")
    settings = settings.replace("edge_min", "edge_max_cents = 99.0\nedge_min")
    path.write_text(settings + FOR_ONE_SLOT, encoding="utf-8")
    table = TABLES / "synthetic.json"  # half of four hours is too short to fit one on
    done = make(project, "backtest", f"ARGS=--table '{table}'")
    assert done.returncode == 0, done.stderr
    result = msgspec.json.decode((project.tree / "backtest.json").read_bytes(), type=BacktestResult)
    assert result.strategies == {"5m": "momentum", "15m": "momentum", "btc-5m": "cheap"}
    bought = [trade for trade in result.trades if trade.slot == "btc-5m"]
    assert bought
    assert {trade.side for trade in bought} == {"up"}
    assert max(trade.price for trade in bought) <= 0.6 + 0.02  # what is allowed to slip
    assert {trade.side for trade in result.trades if trade.slot != "btc-5m"} == {"up", "down"}
    page = (project.tree / "backtest.html").read_text(encoding="utf-8")
    assert NO_EDGE in page
    assert '<th scope="row">btc-5m</th>' in page


def test_a_misspelt_idea_is_refused_with_its_file_and_key(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run("init", "--no-git", str(project.tree))
    path = project.tree / "foresight.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + '\n[strategy.btc-5m]\nname = "momentun"\n', encoding="utf-8")
    done = project.run("doctor", "--json")
    found = next(
        row for row in map(json.loads, done.stdout.splitlines()) if row["check"] == "configuration"
    )
    assert done.returncode == 2
    assert found["found"] == f"{path}: [strategy.btc-5m] name: unknown strategy 'momentun'"
