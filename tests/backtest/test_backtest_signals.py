"""Signals over a recording: what is one, what it would have earned, and how sure that is."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from foresight.backtest.candle_rows import Candles, Rule, stretches
from foresight.backtest.signals import ALL, Row, counted, counted_all, seen_in
from foresight.backtest.win_curve import fitted, non_decreasing
from foresight.exchange.prices.recordings import load_recordings
from tests.recordings import candles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = 1_000 * 1440  # a midnight, so that windows of 5 and 15 minutes begin with it
ROW = Row(5, 4, Rule.LAST)


def flat(count: int, price: float = 100.0) -> list[tuple[float, float, float, float]]:
    """Minutes that go a little up and down, so that there is a spread."""
    closes = [price * (1.001 if at % 2 else 1.0) for at in range(count)]
    return [(each, each, each, each) for each in closes]


def candles(values: Sequence[tuple[float, float, float, float]], middle: float = 1e9) -> Candles:
    return Candles(FIRST, values, middle)


def test_a_window_counts_if_an_hour_and_a_minute_lie_before_it() -> None:
    """The 60 returns up to its last minute in sight, and the reference before its first."""
    starts = [each.start - FIRST for each in seen_in(candles(flat(90)), ROW)]
    assert starts == [65, 70, 75, 80, 85]


def test_the_side_on_which_the_price_lies_is_right_or_not_and_a_tie_is_up() -> None:
    values = [(100.0,) * 4 if at % 2 else (100.1,) * 4 for at in range(75)]
    values[69] = (100.0,) * 4  # what the window from 70 on is judged by, at its begin
    above, tie, below = (101.0,) * 4, (100.0,) * 4, (99.0,) * 4
    for sight, end, is_right in (
        (above, above, True),
        (above, tie, True),
        (above, below, False),
        (below, below, True),
        (below, tie, False),
    ):
        values[73], values[74] = sight, end
        *_, seen = seen_in(candles(values), ROW)
        assert seen.is_right is is_right


def test_the_size_is_the_distance_in_what_is_left_of_the_window() -> None:
    values = flat(75)
    values[73] = (103.0,) * 4
    *_, seen = seen_in(candles(values), Row(5, 4, Rule.LAST))
    one = candles(values)
    returns = [math.log(one.close(at) / one.close(at - 1)) for at in range(14, 74)]
    sigma = math.sqrt(sum(each * each for each in returns) / 60)
    assert seen.size == pytest.approx(abs(math.log(103.0 / one.close(69))) / (sigma * 1.0))


def test_by_the_average_both_ends_are_the_mean_of_their_minute() -> None:
    values = flat(75)
    values[69] = (90.0, 110.0, 80.0, 100.0)
    assert candles(values).settled_by(Rule.AVERAGE, 69) == 95.0
    assert candles(values).settled_by(Rule.LAST, 69) == 100.0


def test_a_gap_ends_a_stretch_and_no_window_lies_over_it() -> None:
    values = [number for row in flat(200) for number in (*row, 1.0)]
    minutes = [FIRST + at + (at >= 100) for at in range(200)]
    found = stretches(minutes, values, 5)
    assert [(each.first_minute - FIRST, len(each)) for each in found] == [(0, 100), (101, 100)]
    starts = [each.start - FIRST for part in found for each in seen_in(part, ROW)]
    assert starts == [65, 70, 75, 80, 85, 90, 95, *range(165, 200, 5)]
    assert {each.middle for each in found} == {FIRST + 100.5}


def test_values_that_fall_are_pooled_by_their_weight() -> None:
    assert non_decreasing([1.0, 3.0, 2.0, 4.0], [1, 1, 3, 1]) == [1.0, 2.25, 2.25, 4.0]


def test_the_curve_is_straight_between_its_groups_and_flat_beyond() -> None:
    curve = fitted([(1.0, False), (1.0, True), (3.0, True), (3.0, True)], groups=2)
    assert [curve.at(size) for size in (0.0, 1.0, 2.0, 3.0, 9.0)] == [0.5, 0.5, 0.75, 1.0, 1.0]


def test_what_does_not_divide_goes_to_the_first_groups() -> None:
    """Another way to cut moves the price by a cent here and there, and with it the purchases."""
    curve = fitted([(float(size), size > 2) for size in range(5)], groups=2)
    assert (curve.at(0.0), curve.at(9.0)) == (0.0, 1.0)
    assert curve.at(2.25) == 0.5  # groups of 3 and 2: their means are at 1 and 3.5


def test_what_is_surer_than_the_highest_ask_is_not_bought() -> None:
    """Every move wins in the first half: the fair price is 1, and nobody sells for less."""
    count, rising = 4000, [100.0]
    for at in range(1, count):
        rising.append(rising[-1] * (1.0 + 0.0001 * (at % 3)))
    one = Candles(FIRST, [(each,) * 4 for each in rising], FIRST + count / 2)
    found = counted([one], ROW)
    assert found.signals > 100
    assert found.hit_rate == 100.0
    assert (found.purchases, found.expectation_cents) == (0, None)


def test_all_rules_pooled_are_one_whose_days_are_drawn_together() -> None:
    """Rules of one day win and lose together: twice the purchases are not twice the evidence."""
    [drawn] = candles_of(("BTC",), 2 * 1440)
    rows = [(each.open, each.high, each.low, each.close) for each in drawn]
    one = Candles(FIRST, rows, FIRST + len(rows) / 4)
    alone, again, pooled = counted_all([one], (ROW, ROW))
    assert alone == again
    assert (pooled.window, pooled.minute, pooled.rule) == (ALL, 0, "")
    assert (pooled.signals, pooled.purchases) == (2 * alone.signals, 2 * alone.purchases)
    assert pooled.purchases > 20
    for name in ("hit_rate", "expectation_cents", "low_cents", "high_cents"):
        assert getattr(pooled, name) == pytest.approx(getattr(alone, name)), name


MARKET = Path(os.environ.get("CANDLES_RECORDED", Path(__file__).parents[3] / "shared" / "market"))
THREE_DAYS = 3 * 1440


@pytest.mark.timeout(120)  # seconds of the processor: 2 to 3, on a machine with other work
@pytest.mark.skipif(not MARKET.is_dir(), reason=f"market history is absent: {MARKET}")
def test_three_recorded_days_come_to_the_same_counts() -> None:
    """The whole month is `foresight backtest --signals`; its figures are in docs/proofs.md."""
    found = []
    for recording in load_recordings(MARKET):
        minutes, values = recording.minutes[-THREE_DAYS:], recording.values[-5 * THREE_DAYS :]
        found += stretches(minutes, values, 5)
    *results, pooled = counted_all(found)
    assert [(each.signals, each.purchases) for each in results] == [
        (4500, 1664),
        (5357, 1586),
        (1731, 611),
        (1924, 359),
        (4526, 1413),
        (5309, 646),
    ]
    assert [round(each.hit_rate or 0.0, 2) for each in results] == [
        88.71,
        92.33,
        91.45,
        96.36,
        92.2,
        97.87,
    ]
    assert (pooled.window, pooled.signals, pooled.purchases) == (ALL, 23347, 6279)
    assert pooled.expectation_cents is not None
    mean = sum(each.purchases * (each.expectation_cents or 0.0) for each in results) / 6279
    assert pooled.expectation_cents == pytest.approx(mean)
