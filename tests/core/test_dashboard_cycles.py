"""The strip shows every cycle once, and says which one was late, missed or is not there."""

from __future__ import annotations

import pytest

from foresight.dashboard.cycles import (
    STRIP_CYCLES,
    Mark,
    cells_of,
    happened,
    last_change,
    period_of,
    strip_of,
)
from foresight.dashboard.hues import hue_of
from state.record import (
    Phase,
)
from tests.core.dashboard_values import (
    FIRST,
    PERIOD_MS,
    SECOND,
    cycle_lines,
    line,
)


def test_a_cycle_in_time_is_done_and_says_how_long_it_took() -> None:
    (cell,) = cells_of(cycle_lines(9, 9), PERIOD_MS)
    assert (cell.mark, cell.late_ms, cell.worked_ms) == (Mark.DONE, 5.0, 295.0)


def test_a_cycle_is_deciding_until_it_is_settled() -> None:
    (cell,) = cells_of([line("decide", 9)], PERIOD_MS)
    assert (cell.mark, cell.worked_ms) == (Mark.DECIDING, 95.0)


@pytest.mark.parametrize(
    ("period_ms", "behind_ms", "mark"),
    [
        (60_000.0, 999.0, Mark.DONE),
        (60_000.0, 1001.0, Mark.LATE),
        (1_000.0, 99.0, Mark.DONE),
        (1_000.0, 101.0, Mark.LATE),
        (None, 1001.0, Mark.LATE),
    ],
)
def test_late_is_a_second_or_a_tenth_of_the_period(
    period_ms: float | None, behind_ms: float, mark: Mark
) -> None:
    begun = line("decide", 9, started_ms=9 * PERIOD_MS + behind_ms)
    assert cells_of([begun, line("settle", 9)], period_ms)[0].mark is mark


def test_a_missed_cycle_says_why() -> None:
    lines = [*cycle_lines(8, 8), line("miss", 9, evidence={"reason": "too old"})]
    assert [(cell.mark, cell.note) for cell in cells_of(lines, PERIOD_MS)][1] == (
        Mark.MISSED,
        "too old",
    )


def test_a_cycle_without_a_line_is_shown_as_a_hole() -> None:
    """A gap that is closed up silently is the one thing this strip must never do."""
    cells = cells_of([*cycle_lines(5, 6), *cycle_lines(9, 9)], PERIOD_MS)
    assert [cell.mark for cell in cells] == [
        Mark.DONE,
        Mark.DONE,
        Mark.ABSENT,
        Mark.ABSENT,
        Mark.DONE,
    ]
    assert cells[2].release == FIRST


def test_the_strip_keeps_the_newest_cycles() -> None:
    cells = cells_of(cycle_lines(1, STRIP_CYCLES + 30), PERIOD_MS)
    assert (len(cells), cells[-1].cycle) == (STRIP_CYCLES, STRIP_CYCLES + 30)


def test_half_a_cycle_at_the_beginning_of_the_lines_is_left_out() -> None:
    cells = cells_of([line("settle", 4), *cycle_lines(5, 6)], PERIOD_MS)
    assert [cell.cycle for cell in cells] == [5, 6]


def test_a_line_that_never_happened_does_not_count() -> None:
    aborted = line("decide", 9, seq=50)
    lines = [*cycle_lines(8, 8), aborted, line("aborted", 8, seq=51, aborts=50)]
    assert [cell.cycle for cell in cells_of(happened(lines), PERIOD_MS)] == [8]


def test_missing_inputs_are_said() -> None:
    (cell,) = cells_of([line("decide", 9, unavailable="feed down")], PERIOD_MS)
    assert cell.note == "no inputs: feed down"


def test_a_decision_without_times_is_shown_all_the_same() -> None:
    lines = [line("decide", 9, started_ms=None), line("settle", 9, committed_ms=None)]
    (cell,) = cells_of(lines, PERIOD_MS)
    assert (cell.mark, cell.late_ms, cell.worked_ms) == (Mark.DONE, None, None)


def test_the_period_comes_from_two_boundaries() -> None:
    assert period_of(cycle_lines(7, 9)) == (PERIOD_MS, 9 * PERIOD_MS, 9)
    assert period_of([*cycle_lines(5, 5), *cycle_lines(9, 9)]) == (PERIOD_MS, 9 * PERIOD_MS, 9)


def test_one_boundary_tells_no_period() -> None:
    assert period_of([]) is None
    assert period_of(cycle_lines(9, 9)) is None


def test_boundaries_that_run_backwards_tell_no_period() -> None:
    assert period_of([line("decide", 8), line("decide", 9, scheduled_ms=0.0)]) is None


def test_the_change_is_the_take_itself() -> None:
    take = line("take", 10, release=SECOND, seq=40, at_ms=77.0)
    change = last_change([*cycle_lines(9, 10), take, *cycle_lines(11, 12, release=SECOND)])
    assert change is not None
    assert (change.release, change.previous, change.at_ms, change.cycle, change.kind) == (
        SECOND,
        FIRST,
        77.0,
        11,
        "take",
    )


def test_a_seized_cycle_in_hand_belongs_to_the_seizer() -> None:
    seize = line("seize", 10, release=SECOND, phase=Phase.DECIDED)
    change = last_change([line("decide", 10), seize])
    assert change is not None
    assert change.cycle == 10


def test_the_first_release_of_all_has_a_beginning() -> None:
    genesis = line("genesis", 8, release="", worker="", seq=1)
    change = last_change([genesis, line("seize", 8, seq=2, at_ms=5.0), *cycle_lines(9, 10)])
    assert change is not None
    assert (change.previous, change.at_ms, change.cycle) == ("", 5.0, 9)
    assert last_change([genesis]) is None


def test_an_older_change_is_not_guessed() -> None:
    assert last_change(cycle_lines(9, 12)) is None


def test_a_release_has_one_hue_wherever_it_is_shown_and_whatever_else_is() -> None:
    """A colour by order of appearance changed with each restart, and came again after six."""
    release = "3f2a91c07d5e-9b41d2"
    lines = [*cycle_lines(1, 2, release="older"), *cycle_lines(3, 4, release=release)]
    before = strip_of(cells_of(lines, None), names={}, subjects={})
    alone = strip_of(cells_of(lines[4:], None), names={}, subjects={})
    assert before.runs[-1].hue == alone.runs[-1].hue == hue_of(release)
    hues = [hue_of(f"{number:012x}-9b41d2") for number in range(40)]
    assert all(0 <= hue < 360 for hue in hues)
    assert len(set(hues)) > 30
