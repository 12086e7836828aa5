"""The demonstration as a stranger runs it: one command, and its exit code is the verdict.

Every guarantee at once, through the installed command, counted by a process outside the engine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARKET = Path(os.environ.get("CANDLES_RECORDED", ROOT.parent / "shared" / "market"))
LIMIT_S = 150.0  # it takes 45 s on two cores with a warm cache

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(LIMIT_S + 30),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no git checkout"),
]


def run_demo(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run a short demonstration to its end and return its numbers; fail with its words."""
    numbers = directory / "numbers.json"
    work = directory / "work"
    work.mkdir()
    command = [sys.executable, "-m", "foresight.demo", "--quick", "--json", str(numbers)]
    done = subprocess.run(  # noqa: S603 - the program under test
        [*command, *arguments],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(work)},
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(work.iterdir()) == [], "a demonstration that succeeds leaves nothing behind"
    found: dict[str, Any] = json.loads(numbers.read_text(encoding="utf-8"))
    return found


def check_numbers(numbers: dict[str, Any]) -> None:
    assert numbers["passed"] is True
    cycles, journal = numbers["cycles"], numbers["journal"]
    assert cycles["expected"] == cycles["run"] >= 30
    assert (cycles["missed"], cycles["doubled"]) == ([], [])
    assert journal["ok"] is True
    assert journal["decided"] >= cycles["expected"]
    deploys = numbers["deploys"]
    assert [each["outcome"] for each in deploys] == ["permanent", "refused", "returned"]
    assert [each["code"] for each in deploys] == [0, 3, 4]
    positions = numbers["positions"]
    assert positions["ever"] >= 20
    assert positions["altered"] == positions["closed_early"] == []
    assert len(positions["handovers"]) == 4  # taken, taken, returned, and the one killed
    assert [each["changed"] for each in positions["handovers"]] == [[]] * 4
    assert max(each["open_before"] for each in positions["handovers"]) > 0
    orders = numbers["orders"]
    assert orders["executed"] == orders["booked"] >= 20
    assert orders["received"] - orders["distinct"] == orders["duplicates"]
    unknown = ("unknown_to_book", "unknown_to_exchange", "differing", "bought_twice", "adopted")
    assert [orders[name] for name in unknown] == [[]] * len(unknown)
    assert numbers["killed"]["killed_pid"] > 0
    assert numbers["lateness_ms"]["first"]["count"] == 2


def test_the_demonstration_proves_itself(tmp_path: Path) -> None:
    """On real candles where there are any: they jump and stand still as no generator thinks of.

    The generated market is the one of the README's session and of the commands in the documents.
    """
    recorded = ("--replay", str(MARKET)) if MARKET.is_dir() else ()
    numbers = run_demo(tmp_path, *recorded)
    assert numbers["market"] == ("recorded" if recorded else "synthetic")
    check_numbers(numbers)
