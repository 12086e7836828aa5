"""The gate that tries both releases over a recording: what it tells, and whom it refuses.

Each release is tried by its own tree, as its workers are told; nothing of it runs in the deployer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy import trial
from foresight.backtest import gate
from handoff.gate_verdict import GateName, GateResult
from handoff.release_files import Manifest, write_manifest
from handoff.wish import Trial
from tests.peeking import MODULE, settings
from tests.recordings import write_recording

if TYPE_CHECKING:
    from handoff.gate_verdict import GateVerdict

pytestmark = pytest.mark.timeout(240)  # seven of the processor, on a machine with other work

ROOT: Final = Path(__file__).resolve().parents[2]
DAY_MINUTES: Final = 1440


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with a recording in it, and two releases: one sees the next minute in it."""
    place = Path(tmp_path_factory.mktemp("tried"))
    # Two days fit the prices that the third is judged by.
    write_recording(place / "recorded", assets=("BTC", "ETH", "SOL"), minutes=3 * DAY_MINUTES)
    for release, sees in (("sees", True), ("blind", False)):
        _write_release(place, release, sees=sees)
    return place


def _write_release(home: Path, release: str, *, sees: bool) -> None:
    tree = home / "releases" / release / "tree"
    tree.mkdir(parents=True)
    module = f"{release}_strategy"
    (tree / f"{module}.py").write_text(MODULE, encoding="utf-8")
    text = settings(module, peeks=sees)
    (tree / "foresight.toml").write_text(text, encoding="utf-8")
    paths = str(tree), str(ROOT), *(each for each in sys.path if each.endswith("site-packages"))
    manifest = Manifest(
        release=release,
        entry="foresight.trader:create",
        python=sys.executable,
        tree=str(tree),
        paths=paths,
    )
    write_manifest(home, manifest)


def tried(home: Path, *, days: int = 1, limit_cents: float | None = None) -> GateVerdict:
    """Let the deployer ask the gate for the blind release beside the one that sees."""
    told = gate.arguments_of(home / "recorded", days=days, period_s=60.0, limit_cents=limit_cents)
    wished = Trial(program=gate.PROGRAM, arguments=told, refuses=limit_cents is not None)
    return trial.tried(home, wished, "sees", "blind")


def test_what_earns_less_is_evidence_without_a_limit_and_refused_by_one(home: Path) -> None:
    told = tried(home)
    assert (told.name, told.result) == (GateName.BACKTEST, GateResult.PASSED), told
    assert told.evidence.startswith("the newest 1 day, ")
    assert told.evidence.endswith(": the new one earns less than the running release")
    assert "c a window, 95 % [-" in told.evidence
    assert told.seconds > 0
    refused = tried(home, limit_cents=1.0)
    assert refused.result == GateResult.FAILED, refused
    assert refused.reason.startswith("it is shown to earn more than 1 c a window less: the newest")
    assert refused.evidence == told.evidence


def test_a_recording_of_too_few_days_is_said_and_a_limit_refuses_without_it(home: Path) -> None:
    told = tried(home, days=3, limit_cents=3.0)
    assert told.result == GateResult.FAILED, told
    assert "holds 3.0 days: nothing before 3 of them fits prices" in told.reason
