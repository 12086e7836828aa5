"""The alert rules and the metrics, as the programs of Prometheus themselves see them."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from foresight.dashboard.scrape import text_of
from foresight.dashboard.source import Source
from foresight.dashboard.view import view_of
from tests.dashboard.homes import busy_home

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMTOOL = shutil.which("promtool")
MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(PROMTOOL is None, reason="prometheus is not installed"),
]


def promtool(words: Sequence[str], told: bytes = b"") -> str:
    """Run it in the folder of the rules; return what it says, after its exit status."""
    assert PROMTOOL is not None
    ended = subprocess.run(
        [PROMTOOL, *words],
        cwd=MONITORING,
        input=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=15,
    )
    return f"{ended.returncode} {ended.stdout.decode()}"


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    """An alert that is silent when money is in doubt is worse than none."""
    said = promtool(["test", "rules", "alerts_test.yml"])
    assert said.startswith("0 ")
    assert "SUCCESS" in said


def test_the_configuration_to_begin_with_is_one() -> None:
    assert promtool(["check", "config", "--syntax-only", "prometheus.yml"]).startswith("0 ")


def test_names_and_units_are_as_prometheus_wants_them(tmp_path: Path) -> None:
    """Whoever knows Prometheus guesses them right; its own checker has nothing to say."""
    now_ns = time.time_ns()
    home = busy_home(tmp_path / "home", until_ns=now_ns)
    source = Source(home.path)
    source.refresh()
    snapshot = source.snapshot()
    text = text_of(snapshot, view_of(snapshot, now_ms=now_ns // 10**6))
    assert promtool(["check", "metrics"], text) == "0 "
    assert promtool(["check", "metrics"], b"# TYPE a_total gauge\na_total 1\n")[0] != "0"
