"""What the launcher does next, from what it sees: one rule after another."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handoff.launcher.supervision import (
    Action,
    Child,
    Drain,
    Exit,
    Kill,
    Role,
    Situation,
    StartStandby,
    after_away,
    due_s,
    is_owned,
    plan,
    unowned_since,
    wake_at_s,
)
from handoff.limits import (
    AWAY_GRACE_S,
    CANDIDATE_LIFE_S_MAX,
    DRAIN_TIMEOUT_S,
    DRIVER_ABSENCE_S_MAX,
    READY_TIMEOUT_S,
    STANDBY_SILENCE_S_MAX,
    STANDBY_TRIAL_S,
)

NOW_S = 5000.0
OWNER = Child("owner", Role.STANDBY, release="r1", started_s=1.0, warm=True, owner=True)
STANDBY = Child("standby", Role.STANDBY, release="r1", started_s=2.0, warm=True)
CANDIDATE = Child("candidate", Role.CANDIDATE, release="r2", deploy_id="d1", started_s=NOW_S - 1)
JOB = Child("job", Role.JOB, started_s=3.0)
PAGE = Child("page", Role.COMPANION, started_s=4.0)


def situation(*children: Child, **changes: Any) -> Situation:  # noqa: ANN401 - fields of Situation
    plain = Situation(children, stopping=False, standby=False, next_start_s=0.0, now_s=NOW_S)
    return plain._replace(**changes)


def stopping(*children: Child) -> list[Action]:
    return plan(situation(*children, stopping=True))


def test_of_a_child_nothing_is_believed_that_was_not_said() -> None:
    """An adopted one may be anything: it neither owns nor is warm until it says so."""
    bare = Child("bare", Role.STANDBY)
    assert (bare.warm, bare.owner, bare.started_s) == (False, False, 0.0)
    assert situation(bare).ready_s == 0.0
    assert plan(situation(bare, now_s=READY_TIMEOUT_S)) == []
    assert plan(situation(bare, now_s=READY_TIMEOUT_S + 0.1)) == [Drain("bare", hangs=True)]


def test_nothing_counts_against_anybody_while_the_record_is_out_of_reach() -> None:
    """Overdue, silent, not ready in time, a standby that is wanted: all of it has to wait."""
    late = OWNER._replace(overdue_s=NOW_S - 1)
    cold = Child("cold", Role.STANDBY)
    silent = {"unowned_s": 1.0, "standby": True}
    assert plan(situation(late)) != []
    assert plan(situation(cold, STANDBY, **silent)) != []
    for away in (late._replace(away_since_ms=1.0), cold._replace(away_since_ms=1.0)):
        assert plan(situation(away, STANDBY, **silent)) == []
    leaving = STANDBY._replace(stopping_s=NOW_S - DRAIN_TIMEOUT_S - 1)
    assert plan(situation(late._replace(away_since_ms=1.0), leaving)) == [Kill("standby")]


def test_who_died_while_the_record_was_out_of_reach_is_replaced() -> None:
    away = CANDIDATE._replace(away_since_ms=1.0)
    assert plan(situation(away)) == [StartStandby("no worker is alive")]
    assert plan(situation(away, next_start_s=NOW_S + 1)) == []
    assert plan(situation(away, stopping=True)) == [Drain("candidate")]


def test_everybody_has_its_whole_time_again_once_the_record_is_back() -> None:
    late = after_away(OWNER._replace(overdue_s=NOW_S - 60), NOW_S)
    assert late.overdue_s == NOW_S + AWAY_GRACE_S
    assert after_away(OWNER._replace(overdue_s=NOW_S + 99), NOW_S).overdue_s == NOW_S + 99
    assert after_away(Child("cold", Role.STANDBY), NOW_S).started_s == NOW_S
    assert after_away(STANDBY, NOW_S) == STANDBY


def test_with_an_owner_nothing_is_missing() -> None:
    assert plan(situation(OWNER, PAGE, JOB, CANDIDATE)) == []


def test_when_an_owner_is_overdue_hangs_on_no_clock_that_can_be_set() -> None:
    """The launcher read the wall clock once: five seconds ahead, and a healthy owner hung."""
    said = {"overdue_at_ms": 1_795_000_004_000, "overdue_boot_ms": 904_000}
    for wall_s in (1_795_000_000.0, 1_795_000_005.0, 0.0):
        assert due_s(said, now_s=NOW_S, boot_s=900.0, wall_s=wall_s) == NOW_S + 4
    older = {"overdue_at_ms": said["overdue_at_ms"]}
    assert due_s(older, now_s=NOW_S, boot_s=900.0, wall_s=1_795_000_000.0) == NOW_S + 4
    assert due_s({}, now_s=NOW_S, boot_s=900.0, wall_s=1_795_000_000.0) is None


def test_without_a_standby_one_is_started() -> None:
    """A candidate that waits for approval, a job and a companion are no standbys."""
    assert plan(situation()) == [StartStandby("no worker is alive")]
    [start] = plan(situation(CANDIDATE, JOB, PAGE))
    assert isinstance(start, StartStandby)
    assert start.reason == "no worker is alive"
    assert not start.owner_hangs, "nobody hangs: in a bake that would lead back"
    assert not start.beside_owner, "nobody owns: in a bake that would start the way back"


def test_a_restart_waits_for_its_back_off() -> None:
    assert plan(situation(next_start_s=NOW_S + 0.1)) == []
    assert plan(situation(next_start_s=NOW_S)) == [StartStandby("no worker is alive")]


def test_a_standby_that_leaves_is_none_any_more() -> None:
    """A drained owner is followed by somebody, before it is gone."""
    leaving = OWNER._replace(stopping_s=NOW_S)
    assert plan(situation(leaving)) == [StartStandby("no worker is alive")]
    assert plan(situation(leaving, STANDBY)) == []


def test_a_standby_that_is_still_warming_is_waited_for() -> None:
    """A second one beside it would be a twin, not a remedy."""
    assert plan(situation(STANDBY._replace(warm=False, started_s=NOW_S - READY_TIMEOUT_S))) == []


def test_a_standby_that_never_gets_warm_is_ended_and_followed_by_another() -> None:
    """One that hangs while it starts, or was stopped before this launcher came, is in the way."""
    hung = STANDBY._replace(warm=False, started_s=NOW_S - READY_TIMEOUT_S - 0.1)
    assert plan(situation(hung)) == [Drain("standby", hangs=True)]
    assert plan(situation(hung._replace(owner=True))) == [Drain("standby", hangs=True)]
    leaving = hung._replace(stopping_s=NOW_S)
    assert plan(situation(leaving)) == [StartStandby("no worker is alive")]


def test_nobody_is_known_to_own_since_the_last_word_of_anybody() -> None:
    """An owner of another host is known by a standby's word alone, which has to come again."""
    assert unowned_since((STANDBY, OWNER), 7.0, 8.0, NOW_S) is None
    assert unowned_since((STANDBY,), None, None, NOW_S) == NOW_S
    assert unowned_since((STANDBY,), 7.0, None, NOW_S) == 7.0
    assert unowned_since((STANDBY,), 7.0, 8.0, NOW_S) == 8.0
    assert unowned_since((STANDBY,), 9.0, 8.0, NOW_S) == 9.0
    since_s = NOW_S - STANDBY_SILENCE_S_MAX
    assert is_owned((OWNER,), None, NOW_S)
    assert is_owned((STANDBY,), since_s, NOW_S)
    assert not is_owned((STANDBY,), since_s - 0.1, NOW_S)
    assert not is_owned((STANDBY,), None, NOW_S)


def test_a_warm_standby_that_lets_an_unowned_timeline_lie_is_ended() -> None:
    """It hangs; as long as it counts as a standby nobody else would be started."""
    since_s = NOW_S - STANDBY_SILENCE_S_MAX
    assert plan(situation(STANDBY, unowned_s=since_s)) == []
    assert plan(situation(STANDBY, unowned_s=since_s - 0.1)) == [Drain("standby", hangs=True)]
    assert plan(situation(STANDBY, unowned_s=since_s - 99, ready_s=NOW_S - 1)) == []
    assert plan(situation(STANDBY, unowned_s=None)) == []
    leaving = STANDBY._replace(stopping_s=NOW_S)
    assert plan(situation(leaving, unowned_s=since_s - 0.1)) == [StartStandby("no worker is alive")]
    assert wake_at_s(situation(STANDBY, unowned_s=NOW_S - 1)) == NOW_S - 1 + STANDBY_SILENCE_S_MAX


def test_the_limit_of_a_standby_that_is_not_warm_is_looked_at_in_time() -> None:
    fresh = STANDBY._replace(warm=False, started_s=NOW_S - 1)
    assert wake_at_s(situation(fresh)) == NOW_S - 1 + READY_TIMEOUT_S


def test_an_overdue_owner_without_another_standby_gets_one() -> None:
    overdue = OWNER._replace(overdue_s=NOW_S - 0.1)
    assert plan(situation(overdue)) == [StartStandby("owner is overdue", owner_hangs=True)]
    assert plan(situation(overdue, STANDBY)) == []


def test_an_owner_that_stays_overdue_gets_a_fresh_standby_and_time_for_it() -> None:
    """The standby that should have seized hangs as well; the fresh one may, too."""
    overdue = OWNER._replace(overdue_s=NOW_S - STANDBY_SILENCE_S_MAX)
    assert plan(situation(overdue, STANDBY)) == []
    longer = overdue._replace(overdue_s=NOW_S - STANDBY_SILENCE_S_MAX - 1)
    expected = StartStandby("owner is overdue, and no standby seizes", owner_hangs=True)
    assert plan(situation(longer, STANDBY)) == [expected]
    fresh = STANDBY._replace(name="fresh", started_s=NOW_S - 5)
    assert plan(situation(longer, STANDBY, fresh)) == []
    tried = fresh._replace(started_s=NOW_S - STANDBY_TRIAL_S)
    ages = overdue._replace(overdue_s=NOW_S - STANDBY_TRIAL_S - 60)
    assert plan(situation(ages, STANDBY, tried)) == [expected]
    assert plan(situation(ages, STANDBY, tried, fresh)) == []


def test_of_two_owners_that_hang_the_one_that_hangs_longest_is_asked() -> None:
    """The record names one of them at most; a fresh standby must not wait for the other's time."""
    longer = OWNER._replace(overdue_s=NOW_S - STANDBY_SILENCE_S_MAX - 1)
    shorter = OWNER._replace(name="shorter", overdue_s=NOW_S - 1)
    expected = StartStandby("owner is overdue, and no standby seizes", owner_hangs=True)
    assert plan(situation(longer, shorter, STANDBY)) == [expected]


def test_an_owner_is_not_overdue_at_its_limit() -> None:
    assert plan(situation(OWNER._replace(overdue_s=NOW_S))) == []
    assert plan(situation(OWNER._replace(overdue_s=None))) == []


def test_who_does_not_own_is_never_overdue() -> None:
    """Its last word may be from a time when it owned."""
    assert plan(situation(STANDBY._replace(overdue_s=NOW_S - 99))) == []


def test_a_standby_is_started_beside_a_lonely_owner_if_one_is_wanted() -> None:
    wanted = StartStandby("a standby is wanted", beside_owner=True)
    assert plan(situation(OWNER, standby=True)) == [wanted]
    assert plan(situation(OWNER, STANDBY, standby=True)) == []
    assert plan(situation(OWNER, standby=False)) == []


def test_a_standby_is_not_started_before_somebody_owns() -> None:
    assert plan(situation(STANDBY, standby=True)) == []


def test_a_candidate_that_nobody_approves_is_drained_after_its_life() -> None:
    old = CANDIDATE._replace(started_s=NOW_S - CANDIDATE_LIFE_S_MAX)
    assert plan(situation(OWNER, old)) == []
    older = old._replace(started_s=old.started_s - 0.1)
    assert plan(situation(OWNER, older)) == [Drain("candidate")]
    assert plan(situation(OWNER, older._replace(stopping_s=NOW_S))) == []


def test_a_candidate_that_nobody_drives_is_drained_once_its_deployer_had_time_to_return() -> None:
    left = CANDIDATE._replace(undriven_s=NOW_S - DRIVER_ABSENCE_S_MAX)
    assert plan(situation(OWNER, left)) == []
    assert wake_at_s(situation(OWNER, left._replace(undriven_s=NOW_S))) == (
        NOW_S + DRIVER_ABSENCE_S_MAX
    )
    longer = left._replace(undriven_s=NOW_S - DRIVER_ABSENCE_S_MAX - 0.1)
    assert plan(situation(OWNER, longer)) == [Drain("candidate")]
    # One that took was driven to its end: it is a standby like any other.
    assert plan(situation(OWNER, longer._replace(role=Role.STANDBY, warm=True))) == []


def test_a_standby_has_no_limit_of_life() -> None:
    assert plan(situation(OWNER._replace(started_s=NOW_S - 10 * CANDIDATE_LIFE_S_MAX))) == []


def test_who_does_not_leave_in_time_is_killed() -> None:
    """Bounded, so that a hanging worker blocks no later deploy (haproxy 327)."""
    asked = STANDBY._replace(stopping_s=NOW_S - DRAIN_TIMEOUT_S)
    assert plan(situation(OWNER, asked)) == []
    late = STANDBY._replace(stopping_s=NOW_S - DRAIN_TIMEOUT_S - 0.1)
    assert plan(situation(OWNER, late)) == [Kill("standby")]


def test_stopping_goes_from_those_who_may_own_next_to_those_who_only_look() -> None:
    """The owner leaves after every standby: nobody may seize while all of them leave."""
    everybody = (PAGE, OWNER, STANDBY, JOB, CANDIDATE)
    assert stopping(*everybody) == [Drain("job"), Drain("candidate")]
    assert stopping(PAGE, OWNER, STANDBY) == [Drain("standby")]
    assert stopping(PAGE, OWNER) == [Drain("owner")]
    assert stopping(PAGE) == [Drain("page")]
    assert stopping() == [Exit()]


def test_stopping_asks_each_child_once_and_waits_for_it() -> None:
    assert stopping(OWNER, STANDBY._replace(stopping_s=NOW_S)) == []


def test_stopping_ends_who_does_not_leave() -> None:
    late = STANDBY._replace(stopping_s=NOW_S - DRAIN_TIMEOUT_S - 1)
    assert stopping(OWNER, late) == [Kill("standby")]


def test_stopping_starts_nobody() -> None:
    assert stopping(OWNER._replace(overdue_s=NOW_S - 99)) == [Drain("owner")]


def test_nothing_to_wait_for_is_no_time() -> None:
    assert wake_at_s(situation()) is None
    assert wake_at_s(situation(OWNER, PAGE)) is None


def test_the_next_look_is_at_the_earliest_of_all_limits() -> None:
    overdue = OWNER._replace(overdue_s=NOW_S + 50)
    leaving = STANDBY._replace(stopping_s=NOW_S - DRAIN_TIMEOUT_S + 40)
    candidate = CANDIDATE._replace(started_s=NOW_S - CANDIDATE_LIFE_S_MAX + 30)
    everybody = situation(overdue, leaving, candidate, next_start_s=NOW_S + 20)
    times = []
    for _ in range(5):
        wake = wake_at_s(everybody)
        assert wake is not None
        times.append(round(wake - NOW_S, 6))
        everybody = everybody._replace(now_s=wake)
    assert times == [20, 30, 40, 50, 50 + STANDBY_SILENCE_S_MAX]
    assert wake_at_s(everybody) is None


CHILDREN = st.builds(
    Child,
    name=st.uuids().map(str),
    role=st.sampled_from(Role),
    started_s=st.floats(0, 2 * NOW_S),
    warm=st.booleans(),
    owner=st.booleans(),
    overdue_s=st.none() | st.floats(0, 2 * NOW_S),
    stopping_s=st.none() | st.floats(0, NOW_S),
)


@given(children=st.lists(CHILDREN, max_size=6), stop=st.booleans(), standby=st.booleans())
def test_whatever_there_is_at_most_one_standby_is_started_and_only_known_children_are_ended(
    *, children: list[Child], stop: bool, standby: bool
) -> None:
    seen = situation(*children, stopping=stop, standby=standby)
    actions = plan(seen)
    assert sum(isinstance(action, StartStandby) for action in actions) <= (0 if stop else 1)
    named = [action.name for action in actions if isinstance(action, Drain | Kill)]
    assert set(named) <= {child.name for child in children}
    asked = {child.name for child in children if child.stopping_s is not None}
    assert all(action.name not in asked for action in actions if isinstance(action, Drain))
    assert all(action.name in asked for action in actions if isinstance(action, Kill))
    assert (Exit() in actions) == (stop and not children)


@given(st.lists(CHILDREN, min_size=1, max_size=6))
def test_stopping_always_ends(children: list[Child]) -> None:
    """Whoever is asked either leaves or is killed: round by round fewer are left."""
    left = tuple(child._replace(stopping_s=None) for child in children)
    for _ in range(4):
        actions = stopping(*left)
        named = {action.name for action in actions if isinstance(action, Drain)}
        left = tuple(child for child in left if child.name not in named)
    assert left == ()
    assert stopping() == [Exit()]
