"""A few deploys of the soak: the whole of it is `python -m bench.soak`, also with `--faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import fault_report, fault_soak, soak
from bench.fault_plan import EXAMPLE, Fault, plan

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


def test_a_fault_in_each_deploy_costs_no_cycle_and_repeats_no_effect(tmp_path: Path) -> None:
    """One round: every fault at least once, and owners killed in some of their places."""
    deploys = sum(EXAMPLE.weights.values())
    report = fault_soak.run(
        tmp_path, deploys=deploys, period_ns=500_000_000, seed=4, say=lambda _: None
    )
    assert report["passed"], fault_report.as_text(report)
    seen = report["witness"]
    assert seen["expected"] == seen["run"] > deploys
    assert (seen["missed"], seen["doubled"]) == ((), ())
    assert set(report["faults"]) == {fault.value for fault in Fault}
    assert report["effects"]["planned"] == report["journal"]["decided"]
    assert report["blows"]["owner SIGKILL"] >= 3
    assert report["takes"]["seizes"] > 0


def test_a_series_with_faults_that_was_interrupted_goes_on_with_its_own_plan(
    tmp_path: Path,
) -> None:
    for deploys in (1, 2):
        report = fault_soak.run(
            tmp_path,
            deploys=deploys,
            period_ns=500_000_000,
            seed=4 + deploys,  # the second one is not asked: it goes on as it was begun
            say=lambda _: None,
        )
        assert report["passed"], fault_report.as_text(report)
        planned = plan(EXAMPLE, seed=5, deploys=deploys)
        assert sorted(report["faults"]) == sorted(strike.fault.value for strike in planned)
