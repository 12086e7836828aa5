"""A short series of the real trader with faults: the whole of it is `bench.trading_soak`."""

from pathlib import Path

import pytest

from bench import trading_report, trading_soak
from bench.fault_plan import TRADING, plan
from deploy.frozen_directory import remove

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no git checkout"),
]


def test_a_series_with_faults_that_goes_on_proves_every_order(tmp_path: Path) -> None:
    """The second run finds positions, witness and ledger as the first one left them."""
    directory = tmp_path / "series"
    try:
        for deploys in (1, 3):
            report = trading_soak.run(
                directory, deploys=deploys, seed=1, faults=True, say=lambda _: None
            )
            wrong = [name for name, holds in report["holds"].items() if not holds]
            # A minute of trading may see few orders, and how soon an outcome is proven is the
            # machine's matter as well; what there is must hold.
            told = trading_report.as_text(report)
            assert set(wrong) <= {"orders filled", "outcomes proven"}, told
            assert report["cycles"]["expected"] == report["cycles"]["run"] >= 15
            assert report["sent"]["asked"] > 0
            assert report["orders"]["executed"] == report["orders"]["booked"] > 0
            planned = {strike.fault.value for strike in plan(TRADING, seed=1, deploys=deploys)}
            assert set(report["faults"]) == planned
    finally:
        remove(directory)
