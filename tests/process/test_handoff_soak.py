"""A few deploys of the soak: the whole of it is `python -m bench.soak`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import soak

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def test_eight_deploys_at_bad_moments_miss_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measured coverage would be loaded into the launcher, and it is weighed here.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    plan = soak.Plan(deploys=8, period_ns=500_000_000, bake=1, seed=1)
    report = soak.run(tmp_path, plan)
    assert report["outcomes"] == {"permanent": 8}, report
    assert not report["witness"]["missed"]
    assert not report["witness"]["doubled"]
    assert not report["chain"]["broken"]
    assert not report["chain"]["misstamped"]
    assert report["takes"] == {"takes": 8, "both_alive": 8, "seizes": 0}
    assert report["journal"]["complete"]
    assert report["padded"] == 2
    assert not report["launcher"]["foreign_files"]
    assert not report["launcher"]["foreign_modules"]
    assert report["launcher"]["ratio"] > 0  # `make soak` holds it to its limit on a quiet machine


def test_an_interrupted_soak_goes_on(tmp_path: Path) -> None:
    """Nothing is forgotten over a stop: cycles that were due meanwhile are run late."""
    for deploys in (1, 2):
        plan = soak.Plan(deploys=deploys, period_ns=500_000_000, bake=0, seed=2)
        report = soak.run(tmp_path, plan)
        assert not report["witness"]["missed"], report
        assert report["deploys"] == deploys
