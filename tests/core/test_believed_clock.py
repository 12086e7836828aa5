"""Which wall-clock time is believed: of steps, suspensions and false readings."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.believed_clock import (
    Belief,
    Reading,
    believe,
    due_members,
    first_belief,
    has_just_booted,
)
from handoff.limits import (
    CLOCK_AGREE_NS,
    CLOCK_DIFFERENCE_NS_MAX,
    FRESH_BOOT_NS,
    MS,
    NS,
    SYNCHRONISE_NS_MAX,
    TICKS_IN_SECOND,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

EPOCH_NS = 1_795_000_000 * NS  # of the boot clock's zero
DAY_NS = 86_400 * NS


def at(seconds: float, by_ns: int = 0) -> Reading:
    """Read both clocks so long after the boot, the wall clock ahead by so much."""
    boot_ns = round(seconds * NS)
    return Reading(wall_ns=EPOCH_NS + boot_ns + by_ns, boot_ns=boot_ns)


def after(readings: Iterable[Reading]) -> Belief:
    return reduce(believe, readings, first_belief([at(100)]))


def test_a_small_difference_is_believed_at_once() -> None:
    """A clock that is disciplined moves all the time; a cycle follows it."""
    belief = after([at(101, by_ns=CLOCK_DIFFERENCE_NS_MAX)])
    assert belief.wall_ns(102 * NS) == EPOCH_NS + 102 * NS + CLOCK_DIFFERENCE_NS_MAX
    assert belief.doubt is None


@pytest.mark.parametrize("by_ns", [-DAY_NS, -5 * NS, 5 * NS, DAY_NS])
def test_one_false_reading_changes_nothing(by_ns: int) -> None:
    """It gave up 31 hours of cycles, which nobody could take back."""
    doubting = after([at(101, by_ns=by_ns)])
    assert doubting.wall_ns(101 * NS) == EPOCH_NS + 101 * NS
    assert doubting.doubt is not None
    assert believe(doubting, at(101.1)) == after([])


@pytest.mark.parametrize("by_ns", [-10 * NS, 10 * NS])
def test_a_step_is_believed_when_three_readings_over_two_seconds_agree(by_ns: int) -> None:
    readings = [at(101, by_ns), at(102, by_ns), at(103, by_ns)]
    before, belief = after(readings[:2]), after(readings)
    assert before.offset_ns == EPOCH_NS
    assert (belief.offset_ns, belief.doubt) == (EPOCH_NS + by_ns, None)
    assert belief.moved_ns == 103 * NS


def test_neither_many_readings_nor_long_ones_are_enough_alone() -> None:
    many = [at(101 + each / 100, by_ns=DAY_NS) for each in range(200)]
    assert after(many).offset_ns == EPOCH_NS
    two = [at(101, by_ns=DAY_NS), at(200, by_ns=DAY_NS)]
    assert after(two).offset_ns == EPOCH_NS


def test_readings_that_contradict_each_other_are_not_added_up() -> None:
    """A clock that is somewhere else each time is broken, not set."""
    readings = [at(101 + each, by_ns=(each + 1) * DAY_NS) for each in range(20)]
    assert after(readings).offset_ns == EPOCH_NS


def test_a_suspension_is_no_difference() -> None:
    """The boot clock slept with nobody: there is nothing to wait for."""
    assert after([at(101), at(30_000)]) == after([])


def test_a_false_reading_at_the_start_is_outvoted() -> None:
    for place in range(3):
        readings = [at(100) for _ in range(3)]
        readings[place] = at(100, by_ns=DAY_NS)
        assert first_belief(readings).offset_ns == EPOCH_NS


def test_the_middle_reading_counts_also_among_more_of_them() -> None:
    """Two false ones below would otherwise be the start of a process."""
    readings = [at(100, by_ns=by_ns) for by_ns in (-DAY_NS, 0, -DAY_NS, 0, 0)]
    assert first_belief(readings).offset_ns == EPOCH_NS


def test_no_owner_is_overdue_by_a_clock_in_doubt_or_just_after_a_step() -> None:
    """The owner has to believe the step as well, after what it has in hand, and then to work."""
    overdue_ns = 3 * NS
    assert after([at(101)]).tells_overdue(101 * NS, overdue_ns)
    assert after([at(101, by_ns=NS * 5)]).tells_overdue(101 * NS, overdue_ns) is False
    stepped = after([at(101, NS * 5), at(102, NS * 5), at(103, NS * 5)])
    assert not stepped.tells_overdue(110 * NS, overdue_ns)
    assert stepped.tells_overdue(111 * NS, overdue_ns)


def test_a_worker_waits_for_the_clock_of_a_fresh_host_for_a_bounded_time() -> None:
    def ticks(ns: int) -> int:
        return ns * TICKS_IN_SECOND // NS

    early, late = ticks(20 * NS), ticks(FRESH_BOOT_NS) + 1
    assert has_just_booted(early, 21 * NS)
    assert has_just_booted(early, 20 * NS + SYNCHRONISE_NS_MAX - 1)
    assert not has_just_booted(early, 20 * NS + SYNCHRONISE_NS_MAX)
    assert not has_just_booted(late, FRESH_BOOT_NS + 2 * NS)


def test_when_an_owner_is_overdue_is_told_on_both_clocks() -> None:
    members = due_members(after([]), EPOCH_NS + 500 * NS + MS - 1)
    assert members == {
        "overdue_at_ms": (EPOCH_NS + 500 * NS) // MS,
        "overdue_boot_ms": 500 * NS // MS,
    }, "whole milliseconds: an older launcher reads no others"


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(-5, 5)), min_size=2, max_size=40))
def test_whatever_is_read_the_believed_time_never_jumps_without_three_agreeing(
    steps: list[tuple[int, int]],
) -> None:
    """A jump of more than a second has three readings over two seconds behind it."""
    boot_ms, belief, seen = 100_000, first_belief([at(100)]), [at(100)]
    for pause_ms, by_s in steps:
        boot_ms += pause_ms
        seen.append(at(boot_ms / 1000, by_ns=by_s * NS))
        before, belief = belief, believe(belief, seen[-1])
        if abs(belief.offset_ns - before.offset_ns) > CLOCK_DIFFERENCE_NS_MAX:
            agreeing = _agreeing(seen)
            assert len(agreeing) >= 3
            assert agreeing[-1].boot_ns - agreeing[0].boot_ns >= CLOCK_AGREE_NS
    assert all(one.boot_ns < two.boot_ns for one, two in pairwise(seen))


def _agreeing(seen: list[Reading]) -> list[Reading]:
    """Return the newest readings that lie within two tolerances of the last one."""
    newest: list[Reading] = []
    for reading in reversed(seen):
        if abs(reading.offset_ns - seen[-1].offset_ns) > 2 * CLOCK_DIFFERENCE_NS_MAX:
            break
        newest.insert(0, reading)
    return newest
