"""Which release is started again, and after how long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.launcher.restart_policy import (
    Failures,
    Starts,
    backoff_s,
    choose_release,
    was_asked_for,
)
from handoff.launcher.supervision import Role
from handoff.limits import (
    BAD_WEATHER_PAUSE_S,
    FAILED_STARTS_MAX,
    RESTART_BACKOFF_S,
    RESTART_WINDOW_S,
    STARTS_MAX,
)

NEW, OLD = {"release": "r2"}, {"release": "r1"}


def plain(**ownership: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON members
    return {"ownership": {"owner": None, "last_owner": None, "previous": None} | ownership}


def baking() -> dict[str, Any]:
    return plain(owner=NEW, previous=OLD) | {"rollout": {"deploy_id": "d1", "of": 3}}


def chosen(record: dict[str, Any] | None, *, failed: int = 0, bad: bool = False) -> str:
    return choose_release(record, first="r0", failed_starts=failed, bad_cycle=bad).release


@pytest.mark.parametrize("record", [None, {}, plain()])
def test_where_nobody_ever_owned_the_first_release_is_started(
    record: dict[str, Any] | None,
) -> None:
    assert chosen(record) == "r0"
    assert chosen(record, failed=99, bad=True) == "r0"


def test_the_release_that_owns_the_record_is_started() -> None:
    """Never what is on disk: that may be half a deploy."""
    assert chosen(plain(owner=NEW, last_owner=OLD)) == "r2"


def test_between_owners_the_last_one_counts() -> None:
    assert chosen(plain(last_owner=NEW)) == "r2"


def test_after_some_failed_starts_in_a_bake_the_previous_release_is_started() -> None:
    assert chosen(baking(), failed=FAILED_STARTS_MAX - 1) == "r2"
    assert chosen(baking(), failed=FAILED_STARTS_MAX) == "r1"


def test_after_a_bad_cycle_in_a_bake_the_previous_release_is_started_at_once() -> None:
    assert chosen(baking(), bad=True) == "r1"


def beside_owner(record: dict[str, Any], *, failed: int = 0) -> str:
    choice = choose_release(
        record, first="r0", failed_starts=failed, bad_cycle=False, beside_owner=True
    )
    return choice.release


def test_the_standby_of_a_bake_is_its_way_back() -> None:
    """Or, after a restart of the host, a bad cycle would hand over to the release that bakes."""
    assert beside_owner(baking()) == "r1"
    assert beside_owner(plain(owner=NEW, previous=None) | {"rollout": None}) == "r2"


def test_a_way_back_that_does_not_come_up_leaves_its_place_to_the_release_that_bakes() -> None:
    assert beside_owner(baking(), failed=FAILED_STARTS_MAX - 1) == "r1"
    assert beside_owner(baking(), failed=FAILED_STARTS_MAX) == "r2"


def test_outside_a_bake_there_is_no_way_back() -> None:
    """A body that only the new release reads must not be given to the old one."""
    settled = plain(owner=NEW, previous=None) | {"rollout": None}
    assert chosen(settled, failed=99, bad=True) == "r2"
    without_previous = baking() | plain(owner=NEW)
    assert chosen(without_previous, failed=99, bad=True) == "r2"


def test_every_choice_says_why() -> None:
    reasons = [
        choose_release(record, first="r0", failed_starts=failed, bad_cycle=bad).reason
        for record, failed, bad in [
            (None, 0, False),
            (baking(), 0, False),
            (baking(), 3, False),
            (baking(), 0, True),
        ]
    ]
    assert all(reasons)
    assert len(set(reasons)) == len(reasons)


@given(st.integers(min_value=0, max_value=10_000))
def test_the_pause_grows_to_a_bound(failures: int) -> None:
    assert 0 <= backoff_s(failures) <= backoff_s(failures + 1) <= RESTART_BACKOFF_S[-1]


def test_the_pause_reaches_its_bound() -> None:
    """A release that never starts is tried once in so long, and the log stays readable."""
    assert backoff_s(len(RESTART_BACKOFF_S) - 1) == backoff_s(10_000) == RESTART_BACKOFF_S[-1]
    assert backoff_s(len(RESTART_BACKOFF_S) - 2) == RESTART_BACKOFF_S[-2]


def test_failures_in_a_row_make_the_next_start_later() -> None:
    failures = Failures()
    assert failures.next_start_s == 0.0
    starts = []
    for _ in range(5):
        failures = failures.after_failure(1000.0)
        starts.append(failures.next_start_s - 1000.0)
    assert failures.in_a_row == 5
    assert starts == list(RESTART_BACKOFF_S[1:6])


def test_one_that_was_ready_is_replaced_at_once_and_only_once() -> None:
    """It may have met an accident; who dies of each cycle is no accident."""
    failures = Failures()
    pauses = []
    for now_s in (1000.0, 1042.0, 1084.0):
        failures = failures.after_failure(now_s, warm=True)
        pauses.append(failures.next_start_s - now_s)
    assert pauses == [0.0, *RESTART_BACKOFF_S[2:4]]
    assert failures.in_a_row == 3


def test_a_failure_long_after_the_last_one_counts_from_one() -> None:
    failures = Failures().after_failure(0.0).after_failure(1.0)
    assert failures.after_failure(1.0 + RESTART_WINDOW_S - 0.1).in_a_row == 3
    assert failures.after_failure(1.0 + RESTART_WINDOW_S).in_a_row == 1


def test_bad_weather_is_no_failed_start_of_the_release() -> None:
    """Three of those in a bake start the previous release: the world must not count as one."""
    failures = Failures().after_failure(1000.0)
    for now_s in (1001.0, 1100.0, 1200.0, 1300.0):
        failures = failures.after_bad_weather(now_s)
        assert failures.next_start_s == now_s + BAD_WEATHER_PAUSE_S
    assert failures.in_a_row == 1


@pytest.mark.parametrize("role", [Role.STANDBY, Role.CANDIDATE])
@pytest.mark.parametrize("status", [0, 1, 4, None])
def test_a_worker_that_nobody_asked_to_leave_has_failed_whatever_its_status(
    role: Role, status: int | None
) -> None:
    """One that exits with 0 was started again 6 times a second, and no bake ever ended by it."""
    assert not was_asked_for(role, asked=False, leaving="", status=status)
    assert not was_asked_for(role, asked=False, leaving="FAULTY", status=status)
    assert was_asked_for(role, asked=False, leaving="DRAINED", status=status)
    assert was_asked_for(role, asked=True, leaving="", status=status)


def test_a_job_is_done_with_status_0_and_a_companion_never_is() -> None:
    assert was_asked_for(Role.JOB, asked=False, leaving="", status=0)
    assert not was_asked_for(Role.JOB, asked=False, leaving="", status=1)
    assert not was_asked_for(Role.JOB, asked=False, leaving="", status=None)
    assert not was_asked_for(Role.COMPANION, asked=False, leaving="", status=0)
    assert not was_asked_for(Role.COMPANION, asked=False, leaving="DRAINED", status=0)
    assert was_asked_for(Role.COMPANION, asked=True, leaving="", status=0)


def test_after_so_many_starts_the_next_one_waits_for_the_oldest_to_pass() -> None:
    starts = Starts()
    for number in range(STARTS_MAX):
        assert starts.next_start_s == 0.0
        starts = starts.after_start(1000.0 + number)
    assert starts.next_start_s == 1000.0 + RESTART_WINDOW_S
    starts = starts.after_start(1000.0 + RESTART_WINDOW_S)
    assert starts.next_start_s == 1001.0 + RESTART_WINDOW_S


def test_a_start_that_is_held_against_nobody_makes_room() -> None:
    starts = Starts(tuple(1000.0 + number for number in range(STARTS_MAX)))
    assert starts.without(1003.0).next_start_s == 0.0
    assert starts.without(7.0) == starts


@given(st.lists(st.integers(0, 3), max_size=200))
def test_however_eager_the_starts_no_window_has_more_of_them(pauses_s: list[int]) -> None:
    """And they never end: whoever waits long enough may start."""
    starts, now_s, begun = Starts(), 1000.0, list[float]()
    for pause_s in pauses_s:
        now_s = max(now_s + pause_s, starts.next_start_s)
        starts = starts.after_start(now_s)
        begun.append(now_s)
    for first, beyond in zip(begun, begun[STARTS_MAX:], strict=False):
        assert beyond - first >= RESTART_WINDOW_S
