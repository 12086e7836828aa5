"""Cycle numbers and boundaries: exact, for any speed and origin, before 1970 and across DST."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.cadence import Cadence, Schedule, app_time_ns, every, seed_of, wall_time_ns
from handoff.limits import NS
from state.record import Cadence as Numbering
from state.record import Timeline

TIMES = st.integers(min_value=-(10**19), max_value=10**19)
SPEEDS = st.integers(min_value=1, max_value=10_000)
TIMELINES = st.builds(lambda origin, speed: Timeline(origin_ns=origin, speed=speed), TIMES, SPEEDS)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    timeline = draw(TIMELINES)
    wall_period_ns = draw(st.integers(min_value=NS // 2, max_value=86_400 * NS))
    period_ns = wall_period_ns * timeline.speed + draw(st.integers(0, timeline.speed - 1))
    offset_ns = draw(st.integers(min_value=-period_ns, max_value=period_ns))
    return Schedule(Cadence(period_ns=period_ns, offset_ns=offset_ns), timeline)


@given(schedules(), st.integers(min_value=-(10**6), max_value=10**6))
def test_a_boundary_is_the_first_nanosecond_of_its_cycle(schedule: Schedule, cycle: int) -> None:
    boundary_ns = schedule.boundary_ns(cycle)
    assert schedule.cycle_at(boundary_ns) == cycle
    assert schedule.cycle_at(boundary_ns - 1) == cycle - 1


@given(schedules(), st.integers(min_value=-(10**6), max_value=10**6), st.integers(0, 10**15))
def test_an_owner_has_the_whole_limit_however_late_it_came(
    schedule: Schedule, cycle: int, late_ns: int
) -> None:
    """One that catches up is not taken for one that hangs."""
    overdue_ns = schedule.bounds.overdue_ns
    boundary_ns = schedule.boundary_ns(cycle)
    assert schedule.overdue_from_ns(cycle, boundary_ns - 1) == schedule.overdue_at_ns(cycle)
    late = schedule.overdue_from_ns(cycle, boundary_ns + late_ns)
    assert late == boundary_ns + late_ns + overdue_ns


@given(schedules(), TIMES)
def test_every_instant_lies_between_two_boundaries(schedule: Schedule, wall_ns: int) -> None:
    """No instant is in no cycle, none in two: nothing can be skipped or doubled by arithmetic."""
    cycle = schedule.cycle_at(wall_ns)
    assert schedule.boundary_ns(cycle) <= wall_ns < schedule.boundary_ns(cycle + 1)


@given(TIMELINES, TIMES)
def test_wall_time_is_the_first_instant_at_which_application_time_is_reached(
    timeline: Timeline, app_ns: int
) -> None:
    wall_ns = wall_time_ns(timeline, app_ns)
    assert app_time_ns(timeline, wall_ns) >= app_ns
    assert app_time_ns(timeline, wall_ns - 1) < app_ns


@given(TIMES, TIMES)
def test_at_speed_one_both_clocks_are_the_same(origin_ns: int, wall_ns: int) -> None:
    """The origin then changes nothing, so that cycle numbers are the same everywhere."""
    timeline = Timeline(origin_ns=origin_ns, speed=1)
    assert app_time_ns(timeline, wall_ns) == wall_ns
    assert wall_time_ns(timeline, wall_ns) == wall_ns


@given(SPEEDS, TIMES)
def test_both_clocks_agree_at_the_origin(speed: int, origin_ns: int) -> None:
    timeline = Timeline(origin_ns=origin_ns, speed=speed)
    assert app_time_ns(timeline, origin_ns) == origin_ns
    assert app_time_ns(timeline, origin_ns + 1) == origin_ns + speed


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", (2026, 3, 29)), ("Europe/Berlin", (2026, 10, 25)), ("UTC", (2016, 12, 31))],
)
def test_a_day_whose_clock_changes_has_every_five_minutes_once(
    zone: str, day: tuple[int, int, int]
) -> None:
    """Where local time repeats or leaves out an hour, UTC does not (node-cron 563)."""
    schedule = Schedule(every(300), Timeline())
    start = dt.datetime(*day, tzinfo=zoneinfo.ZoneInfo(zone))
    first = schedule.cycle_at(int(start.timestamp()) * NS)
    hours = 26
    boundaries = [schedule.boundary_ns(first + number) for number in range(hours * 12)]
    gaps = {later - sooner for sooner, later in itertools.pairwise(boundaries)}
    assert gaps == {300 * NS}
    assert all(boundary % (300 * NS) == 0 for boundary in boundaries)


@given(schedules(), st.integers(min_value=-(10**6), max_value=10**6))
def test_the_moments_around_a_boundary_come_in_their_order(schedule: Schedule, cycle: int) -> None:
    """Take before the boundary, overdue after it, and the margin never reaches back a cycle."""
    boundary_ns = schedule.boundary_ns(cycle)
    assert schedule.boundary_ns(cycle - 1) < schedule.take_deadline_ns(cycle) < boundary_ns
    assert schedule.overdue_at_ns(cycle) > boundary_ns + schedule.bounds.budget_ns


@given(schedules(), st.integers(min_value=-(10**6), max_value=10**6), TIMES)
def test_without_a_limit_no_cycle_is_ever_given_up(
    schedule: Schedule, cycle: int, now_ns: int
) -> None:
    assert not schedule.too_old(cycle, now_ns)


@pytest.mark.parametrize("speed", [1, 7, 60])
def test_a_cycle_is_given_up_past_its_limit_and_not_at_it(speed: int) -> None:
    """The limit counts application time: on a fast timeline it passes sooner."""
    timeline = Timeline(origin_ns=0, speed=speed)
    schedule = Schedule(every(10 * speed, catch_up_s=30 * speed), timeline)
    boundary_ns = schedule.boundary_ns(5)
    assert not schedule.too_old(5, boundary_ns - NS)
    assert not schedule.too_old(5, boundary_ns + 30 * NS)
    patient = Schedule(every(10 * speed), timeline)
    assert patient.too_old(5, boundary_ns + 10**6 * NS) is False
    assert schedule.too_old(5, boundary_ns + 30 * NS + 1)


def test_bounds_are_whole_nanoseconds_whatever_the_speed() -> None:
    """A fraction would make two workers of one release disagree about a deadline."""
    schedule = Schedule(every(10), Timeline(speed=3))
    assert schedule.bounds.period_ns == 3_333_333_333
    assert isinstance(schedule.take_deadline_ns(7), int)


def test_what_a_record_keeps_of_a_schedule_are_its_period_and_offset() -> None:
    cadence = Cadence(period_ns=60 * NS, offset_ns=5 * NS, budget_ns=NS, catch_up_ns=NS)
    kept = Schedule(cadence, Timeline(origin_ns=7, speed=2)).recorded()
    assert kept == Numbering(period_ns=60 * NS, offset_ns=5 * NS)


def test_every_is_aligned_to_utc() -> None:
    cadence = every(900, catch_up_s=1.5)
    assert cadence == Cadence(period_ns=900 * NS, catch_up_ns=1_500_000_000)
    assert Schedule(cadence, Timeline()).boundary_ns(4) == 3600 * NS


def test_a_budget_is_said_with_the_period_and_a_longer_one_proposed() -> None:
    """What half a period is too short for: three seconds of work in four."""
    assert every(4, budget_s=3) == Cadence(period_ns=4 * NS, budget_ns=3 * NS)
    proposed = [
        Schedule(cadence, Timeline()).budget_remedy()
        for cadence in (every(4), every(300), every(4, budget_s=3))
    ]
    assert proposed[:2] == ["every(4, budget_s=3)", "every(300, budget_s=225)"]
    assert proposed[2].startswith("a longer period than 4 s")


def test_a_speed_that_leaves_too_little_wall_clock_time_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 500 ms"):
        Schedule(every(300), Timeline(speed=1000))


@given(TIMELINES, st.integers(min_value=-(10**6), max_value=10**6))
def test_a_seed_has_64_bits_and_is_the_same_again(timeline: Timeline, cycle: int) -> None:
    seed = seed_of("app", timeline, cycle)
    assert 0 <= seed < 2**64
    assert seed == seed_of("app", timeline, cycle)
    assert seed != seed_of("app", timeline, cycle + 1)
    assert seed != seed_of("other", timeline, cycle)


def test_seeds_never_change_between_releases() -> None:
    """A recorded cycle is decided again by later code: its randomness must be the same."""
    assert seed_of("news", Timeline(origin_ns=0, speed=1), 42) == 0xE76C192F8910B937
