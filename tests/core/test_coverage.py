"""What no journal of several hosts proves: each has its holes, and its newest cycle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.coverage import Covered, proven_nowhere
from state.cycle_audit import CycleRange


def ranges(*ends: tuple[int, int]) -> list[CycleRange]:
    return [CycleRange(first=first, last=last) for first, last in ends]


@pytest.mark.parametrize(
    ("journals", "left"),
    [
        ([], [(5, 9), (20, 30)]),
        ([Covered(40)], []),
        ([Covered(25)], [(26, 30)]),
        ([Covered(40, ranges((0, 7)))], [(5, 7)]),
        ([Covered(40, ranges((0, 7))), Covered(6)], [(7, 7)]),
        ([Covered(40, ranges((8, 22))), Covered(8)], [(9, 9), (20, 22)]),
        ([Covered(-1), Covered(4)], [(5, 9), (20, 30)]),
    ],
)
def test_what_one_lacks_another_may_have(
    journals: list[Covered], left: list[tuple[int, int]]
) -> None:
    assert list(proven_nowhere(ranges((5, 9), (20, 30)), journals)) == ranges(*left)


numbers = st.integers(0, 12)
some_ranges = st.lists(st.tuples(numbers, numbers).map(sorted), max_size=3)


@given(some_ranges, st.lists(st.tuples(st.integers(-1, 12), some_ranges), max_size=3))
def test_a_cycle_is_left_where_every_journal_lacks_it(
    wanted: list[list[int]], journals: list[tuple[int, list[list[int]]]]
) -> None:
    """By single cycles, as one would count by hand."""

    def of(pairs: list[list[int]]) -> list[CycleRange]:
        return ranges(*((first, last) for first, last in pairs))

    def cycles(found: list[CycleRange]) -> set[int]:
        return {cycle for each in found for cycle in range(each.first, each.last + 1)}

    found = proven_nowhere(of(wanted), [Covered(last, of(holes)) for last, holes in journals])
    expected = {
        cycle
        for cycle in cycles(of(wanted))
        if all(cycle > last or cycle in cycles(of(holes)) for last, holes in journals)
    }
    assert cycles(list(found)) == expected
