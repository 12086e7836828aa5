"""What a backtest beside the running release allows: evidence refuses nobody, a limit does."""

from __future__ import annotations

import pytest

from foresight.backtest.difference import ALIKE, NO_EVIDENCE, Difference
from foresight.backtest.verdict import CANDIDATE, RUNNING, verdict_of
from foresight.scoring import Interval
from handoff.gate_verdict import LIMITS_S, GateName, GateResult


def difference(low: float, high: float, *, says: str = NO_EVIDENCE) -> Difference:
    return Difference(
        first=RUNNING,
        second=CANDIDATE,
        windows=84,
        alike=40,
        level=0.95,
        difference=(low + high) / 2,
        interval=Interval(low, high),
        profit=-3.2,
        says=says,
    )


LOSES = difference(-0.05, -0.02, says=f"{CANDIDATE} earns less than {RUNNING}")


def test_evidence_says_how_much_a_window_with_its_interval_and_what_it_means() -> None:
    told = verdict_of(LOSES, days=2, limit_cents=None)
    assert told.evidence == (
        "the newest 2 days, 84 windows, 40 alike: -3.50 c a window, 95 % [-5.00, -2.00], "
        "-3.20 USDC: the new one earns less than the running release"
    )
    assert (told.name, told.limit_s) == ("backtest", LIMITS_S[GateName.BACKTEST])


def test_without_a_limit_nobody_is_refused() -> None:
    assert verdict_of(LOSES, days=2, limit_cents=None).result == GateResult.PASSED


@pytest.mark.parametrize(("limit_cents", "allows"), [(0.0, False), (1.9, False), (2.0, True)])
def test_a_limit_refuses_only_what_the_whole_interval_says(
    limit_cents: float, *, allows: bool
) -> None:
    """What luck may have brought is no reason; -3.5 c in the mean alone would refuse at 2 too."""
    told = verdict_of(LOSES, days=2, limit_cents=limit_cents)
    assert told.allows is allows
    assert "-3.50 c a window" in told.evidence
    if not allows:
        lead = f"it is shown to earn more than {limit_cents:g} c a window less: the newest 2 days"
        assert told.reason.startswith(lead)


def test_what_may_be_luck_passes_the_narrowest_limit() -> None:
    told = verdict_of(difference(-0.30, 0.01), days=1, limit_cents=0.0)
    assert told.allows
    assert told.evidence.startswith("the newest 1 day, ")
    assert told.evidence.endswith(f": {NO_EVIDENCE}")


def test_who_decides_alike_passes_and_says_so() -> None:
    told = verdict_of(difference(0.0, 0.0, says=ALIKE), days=1, limit_cents=0.0)
    assert told.allows
    assert told.evidence == f"the newest 1 day, 84 windows: {ALIKE}"
