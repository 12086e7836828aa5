"""Every bound that is derived fits every other one, or the cadence is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff import limits
from handoff.limits import MS, NS, PERIOD_NS_MIN, bounds_for

PERIODS = st.integers(min_value=PERIOD_NS_MIN, max_value=7 * 86_400 * NS)


@given(PERIODS)
def test_every_period_that_is_long_enough_has_bounds_that_fit(period_ns: int) -> None:
    """These relations are what makes a punctual handoff possible at all."""
    bounds = bounds_for(period_ns)
    assert bounds.period_ns == period_ns
    assert 0 < bounds.wake_up_ns < bounds.transact_ns < bounds.take_margin_ns < period_ns
    assert bounds.take_margin_ns >= bounds.transact_ns + bounds.wake_up_ns
    assert bounds.budget_ns <= period_ns - bounds.take_margin_ns - bounds.transact_ns
    assert bounds.overdue_ns > bounds.budget_ns + bounds.wake_up_ns
    assert bounds.budget_ns <= limits.BUDGET_NS_MAX


@given(PERIODS, st.integers(min_value=1, max_value=8 * 86_400 * NS))
def test_a_budget_of_ones_own_fits_or_is_refused(period_ns: int, budget_ns: int) -> None:
    room_ns = period_ns - bounds_for(period_ns).take_margin_ns - bounds_for(period_ns).transact_ns
    if budget_ns > room_ns:
        with pytest.raises(ValueError, match="exceeds"):
            bounds_for(period_ns, budget_ns)
    else:
        bounds = bounds_for(period_ns, budget_ns)
        assert bounds.budget_ns == budget_ns
        assert bounds.overdue_ns >= budget_ns + limits.OVERDUE_GRACE_NS_MIN


def test_a_budget_may_fill_all_the_room_there_is_and_no_more() -> None:
    """Ten seconds, less the 200 ms before the boundary and the 100 ms of a commit."""
    assert bounds_for(10 * NS, 9700 * MS).budget_ns == 9700 * MS
    with pytest.raises(ValueError, match="9701 ms exceeds the 9700 ms"):
        bounds_for(10 * NS, 9701 * MS)


def test_a_period_without_room_for_two_commits_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 500 ms"):
        bounds_for(PERIOD_NS_MIN - 1)


@pytest.mark.parametrize("budget_ns", [0, -1, -10 * NS])
def test_a_budget_of_nothing_is_refused(budget_ns: int) -> None:
    """A negative budget would pass every other check and make each owner look overdue."""
    with pytest.raises(ValueError, match="no time"):
        bounds_for(10 * NS, budget_ns)


def test_the_numbers_of_a_five_minute_cycle_are_these() -> None:
    """Five minutes is what the trader runs: its numbers are read by people."""
    bounds = bounds_for(300 * NS)
    assert bounds.budget_ns == 10 * NS
    assert bounds.take_margin_ns == 200 * MS
    assert bounds.overdue_ns == 15 * NS


def test_waits_that_follow_one_another_are_ordered() -> None:
    """A wait inside another one must end first, or the outer one cuts it off."""
    assert limits.YIELD_NS < limits.OVERDUE_GRACE_NS_MIN
    assert limits.READY_TIMEOUT_S < limits.CANDIDATE_LIFE_S_MAX
    assert limits.DRIVER_ABSENCE_S_MAX < limits.CANDIDATE_LIFE_S_MAX
    assert limits.FOLLOW_POLL_S < limits.OWNER_POLL_S
    assert list(limits.RESTART_BACKOFF_S) == sorted(limits.RESTART_BACKOFF_S)
    assert limits.RESTART_BACKOFF_S[-1] < limits.RESTART_WINDOW_S
