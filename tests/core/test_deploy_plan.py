"""What a deploy would do, and the boundary it would make."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.plan import (
    LISTED_MAX,
    SECONDS_DEFAULT,
    Boundary,
    Change,
    Facts,
    Plan,
    as_json,
    as_lines,
    boundary_made,
    expected_seconds,
    make_plan,
)
from handoff.cadence import Schedule, every
from handoff.limits import NS
from state.record import Timeline

SCHEDULE = Schedule(every(300), Timeline(origin_ns=0, speed=1))
FACTS = Facts(ref="HEAD", release="new", commit="a" * 40, subject="Ask twice", running="old")
MEASURED = [{"building": 1.0, "starting": 2.0, "gating": 3.0, "environment": 60.0}]


def at(minutes: float) -> int:
    return round(minutes * 60 * NS)


def test_a_deploy_makes_the_next_boundary_if_the_work_fits_before_it() -> None:
    boundary = boundary_made(SCHEDULE, now_ns=at(4), needed_ns=at(0.5))
    assert (boundary.cycle, boundary.at_ns, boundary.too_late_for_ns) == (1, at(5), None)


def test_a_deploy_that_comes_too_late_says_for_which_boundary() -> None:
    boundary = boundary_made(SCHEDULE, now_ns=at(4), needed_ns=at(1.5))
    assert (boundary.cycle, boundary.at_ns, boundary.too_late_for_ns) == (2, at(10), at(5))


def test_work_that_ends_inside_the_take_margin_goes_for_the_boundary_after() -> None:
    """The record refuses a take that late, so a plan must not promise it."""
    deadline_ns = SCHEDULE.take_deadline_ns(1)
    assert boundary_made(SCHEDULE, now_ns=0, needed_ns=deadline_ns - 1).cycle == 1
    assert boundary_made(SCHEDULE, now_ns=0, needed_ns=deadline_ns).cycle == 2


@given(
    st.integers(min_value=0, max_value=10**19),
    st.integers(min_value=0, max_value=10**13),
    st.sampled_from([1, 5, 300, 900]),
    st.sampled_from([1, 60]),
)
def test_no_plan_promises_a_take_after_its_deadline(
    now_ns: int, needed_ns: int, period_s: int, speed: int
) -> None:
    """Nor does it wait a cycle longer than it has to."""
    schedule = Schedule(every(period_s * speed), Timeline(origin_ns=0, speed=speed))
    boundary = boundary_made(schedule, now_ns=now_ns, needed_ns=needed_ns)
    ready_ns = now_ns + needed_ns
    assert ready_ns < schedule.take_deadline_ns(boundary.cycle)
    before = boundary.cycle - 1
    assert schedule.boundary_ns(before) <= now_ns or ready_ns >= schedule.take_deadline_ns(before)
    assert (boundary.too_late_for_ns is None) == (boundary.cycle == schedule.cycle_at(now_ns) + 1)


def test_former_deploys_say_how_long_the_next_one_takes() -> None:
    former = [{"building": 9.0}, *MEASURED, {"building": 1.2}]
    expected = expected_seconds(former, builds_environment=False, replays=False)
    assert expected == {"building": 1.2, "starting": 2.0, "gating": 3.0}


def test_before_the_first_deploy_stated_defaults_are_used() -> None:
    expected = expected_seconds([], builds_environment=True, replays=True, backtests=True)
    assert expected == dict(SECONDS_DEFAULT)
    assert (
        "not measured here yet"
        in as_lines(make_plan(FACTS, [], now_ns=at(4), schedule=SCHEDULE))[-2]
    )


def test_the_stated_defaults_are_those_that_were_measured() -> None:
    """Seconds, not milliseconds or minutes: a plan that is wrong by them names another boundary."""
    assert SECONDS_DEFAULT == {
        "building": 0.4,
        "environment": 20.0,
        "replaying": 5.0,
        "backtesting": 30.0,
        "starting": 2.0,
        "gating": 4.0,
    }


@pytest.mark.parametrize(
    ("cycles", "words"), [(0, "nothing"), (1, "up to 1 recorded cycles"), (500, "up to 500")]
)
def test_a_replay_costs_its_time_only_where_there_is_one(cycles: int, words: str) -> None:
    facts = msgspec.structs.replace(FACTS, replay=cycles)
    plan = make_plan(facts, [], now_ns=at(4), schedule=SCHEDULE)
    assert ("replaying" in plan.seconds) == (cycles > 0)
    [line] = [each for each in as_lines(plan) if each.startswith("replays")]
    assert line.startswith(f"replays   {words}")
    assert FACTS.replay == 0, "unless somebody says so, nothing is replayed"


def test_what_tries_both_releases_is_said_and_costs_its_time_only_where_it_was_asked_for() -> None:
    assert FACTS.trial == "", "unless somebody says so, nothing is tried"
    plain = make_plan(FACTS, [], now_ns=at(4), schedule=SCHEDULE)
    facts = msgspec.structs.replace(FACTS, trial="both over the newest 2 days")
    plan = make_plan(facts, [], now_ns=at(4), schedule=SCHEDULE)
    assert plan.seconds == {**plain.seconds, "backtesting": 30.0}
    assert "tries     both over the newest 2 days" in as_lines(plan)
    assert not [line for line in as_lines(plain) if line.startswith("tries")]


def test_new_requirements_cost_their_installation() -> None:
    facts = Facts(
        ref="x", release="n", commit="c", subject="s", running="o", environment_built=False
    )
    plan = make_plan(facts, MEASURED, now_ns=at(4.5), schedule=SCHEDULE)
    assert plan.seconds["environment"] == 60.0
    assert plan.boundary is not None
    assert plan.boundary.too_late_for_ns == at(5)


def test_only_recent_deploys_count() -> None:
    """What was slow a year ago says nothing of today."""
    former = [{"building": 100.0}] * 30 + [{"building": 1.0}] * 20
    plan = make_plan(FACTS, former, now_ns=0, schedule=SCHEDULE)
    assert (plan.seconds["building"], plan.measured) == (1.0, 20)


def test_the_running_release_needs_no_deploy() -> None:
    facts = Facts(ref="HEAD", release="same", commit="c", subject="s", running="same")
    plan = make_plan(facts, [], now_ns=0, schedule=SCHEDULE)
    assert plan.does_nothing
    assert plan.boundary is None
    assert as_lines(plan)[-1] == "nothing to do: it runs already"


def test_a_plan_reads_as_text() -> None:
    facts = Facts(
        ref="HEAD",
        release="new",
        commit="a" * 40,
        subject="Ask twice",
        running="old",
        commits=(Change("b" * 40, "Ask twice"),),
        undone=(Change("c" * 40, "Ask once"),),
        files=tuple(f"f{n}.py" for n in range(12)),
        uncommitted=("notes.txt",),
        environment_changes=True,
        environment_built=False,
        schema=(1, 2),
        needs=("300 MiB of disk",),
    )
    lines = as_lines(make_plan(facts, MEASURED, now_ns=at(4), schedule=SCHEDULE))
    assert lines[0] == "release   new  Ask twice"
    assert lines[1] == "replaces  old"
    assert f"commit    {'b' * 12} Ask twice" in lines
    assert f"undone    {'c' * 12} Ask once" in lines
    assert "          and 2 more" in lines
    assert "requires  other ones, to be installed first" in lines
    assert "schema    version 1 -> 2" in lines
    assert "needs     300 MiB of disk" in lines
    assert "left out  notes.txt" in lines
    assert lines[-1] == "boundary  too late for 00:05:00Z, taking 00:10:00Z (cycle 2)"


def test_the_times_of_a_plan_name_each_phase_and_what_they_rest_on() -> None:
    """An operator sees which phase makes a deploy miss its boundary."""
    takes, boundary = as_lines(make_plan(FACTS, MEASURED, now_ns=at(4), schedule=SCHEDULE))[-2:]
    phases = "building 1.0 s, starting 2.0 s, gating 3.0 s"
    assert takes == f"takes     6.0 s ({phases}; median of 1 deploy)"
    assert boundary == "boundary  taking 00:05:00Z (cycle 1)"


@pytest.mark.parametrize(("rows", "rest"), [(1, 0), (10, 0), (11, 1), (12, 2)])
def test_ten_rows_are_listed_and_only_what_is_left_is_counted(rows: int, rest: int) -> None:
    facts = msgspec.structs.replace(FACTS, files=tuple(f"f{n}.py" for n in range(rows)))
    lines = as_lines(make_plan(facts, [], now_ns=0, schedule=None))
    assert sum(line.startswith("file ") for line in lines) == min(rows, LISTED_MAX)
    more = [line for line in lines if line.endswith(" more")]
    assert more == ([f"          and {rest} more"] if rest else [])


def test_what_is_not_said_is_neither_late_nor_at_a_boundary() -> None:
    assert Boundary(cycle=1, at_ns=at(5)).too_late_for_ns is None
    plan = Plan(facts=FACTS, seconds={}, measured=0)
    assert as_lines(plan)[-1] == "boundary  none: nothing runs to take over from"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (Facts(ref="x", release="n", commit="c", subject="s"), "replaces  nothing: it would be"),
        (Facts(ref="x", release="n", commit="c", subject="s"), "requires  the same as now"),
        (Facts(ref="x", release="n", commit="c", subject="s"), "schema    checked by its gate"),
        (
            Facts(ref="x", release="n", commit="c", subject="s", schema=(2, 2)),
            "schema    version 2, unchanged",
        ),
        (
            Facts(ref="x", release="n", commit="c", subject="s", environment_changes=True),
            "requires  other ones, built already",
        ),
    ],
)
def test_what_is_not_known_yet_or_does_not_change_is_said(facts: Facts, line: str) -> None:
    lines = as_lines(make_plan(facts, [], now_ns=0, schedule=None))
    assert any(each.startswith(line) for each in lines)
    assert lines[-1] == "boundary  none: nothing runs to take over from"


def test_a_short_period_shows_its_milliseconds() -> None:
    schedule = Schedule(every(0.5), Timeline(origin_ns=0, speed=1))
    plan = make_plan(FACTS, [{}], now_ns=0, schedule=schedule)
    assert as_lines(plan)[-1].endswith("taking 00:00:07.000Z (cycle 14)") is False
    assert ".500Z" in as_lines(plan)[-1]


def test_a_plan_is_plain_json() -> None:
    plan = make_plan(FACTS, MEASURED, now_ns=at(4), schedule=SCHEDULE)
    value = json.loads(json.dumps(as_json(plan)))
    assert value["boundary"] == {
        "cycle": 1,
        "at": "1970-01-01T00:05:00.000000Z",
        "at_ms": 300_000,
        "too_late_for": None,
    }
    late = as_json(make_plan(FACTS, MEASURED, now_ns=at(4.95), schedule=SCHEDULE))["boundary"]
    assert (late["cycle"], late["too_late_for"]) == (2, "1970-01-01T00:05:00.000000Z")
    assert (value["release"], value["measured"], value["does_nothing"]) == ("new", 1, False)
    assert as_json(make_plan(FACTS, [], now_ns=0, schedule=None))["boundary"] is None
