"""Fitting tables of probabilities: which windows count, what is measured, what judges it."""

from __future__ import annotations

import random
from math import sqrt
from typing import TYPE_CHECKING

import msgspec
import pytest

from foresight.backtest.calibration import Reliability, Span, fit, observed, reliability, seen_in
from foresight.backtest.candle_rows import Candles, Rule
from foresight.board import Method
from foresight.strategies.base import WindowView, sigma_of
from foresight.strategies.table import MINUTES_OF, Table, parse_table
from tests.trading_values import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = 1_000 * 1440  # a midnight, so that windows of 5 and 15 minutes begin with it
DAYS = 4
MIDDLE = FIRST + DAYS * 720
EARLY, LATE = Span(FIRST, MIDDLE), Span(MIDDLE, FIRST + DAYS * 1440)
Values = list[tuple[float, float, float, float]]


def walk(seed: int = 1, days: int = DAYS) -> Values:
    """Return minutes of a price that goes anywhere."""
    rng = random.Random(seed)  # noqa: S311 - the same walk each time
    price, found = 100.0, []
    for _ in range(days * 1440):
        before = price
        price *= 1 + rng.gauss(0, 0.001)
        found.append((before, max(before, price), min(before, price), price))
    return found


def candles(values: Sequence[tuple[float, float, float, float]]) -> list[Candles]:
    return [Candles(FIRST, values, MIDDLE)]


def fitted(values: Values, timeframe: str = "5m", rule: Rule = Rule.LAST) -> Table:
    return fitted_on(candles(values), timeframe, rule)


def fitted_on(parts: list[Candles], timeframe: str = "5m", rule: Rule = Rule.LAST) -> Table:
    seen = seen_in(parts, timeframe, rule, EARLY)
    return fit(seen, timeframe, rule, within=EARLY, source="recorded", fitted_on="a walk")


def judged(parts: list[Candles], table: Table) -> list[Reliability]:
    return reliability(seen_in(parts, table.timeframe, Rule(table.rule), LATE), table)


def test_a_distance_is_measured_as_the_strategy_measures_it() -> None:
    """Fitted in other units, a table would be read at the wrong place, and be wrong everywhere."""
    values = walk(days=1)
    closes = [close for *_, close in values]
    for method, rule in ((Method.LAST_PRICE, Rule.LAST), (Method.AVERAGE_60S, Rule.AVERAGE)):
        for timeframe, minute in (("5m", 3), ("15m", 14)):
            length = MINUTES_OF[timeframe]
            start = 75  # the first window with an hour before it, and a multiple of both lengths
            within = Span(FIRST + start - 1, FIRST + start + length)
            (seen,) = observed(candles(values)[0], timeframe, minute, rule, within)
            before = values[start - 1]
            now = start + minute
            view = WindowView(
                minutes=length,
                elapsed=minute,
                reference=before[3] if rule is Rule.LAST else sum(before) / 4,
                price=closes[now - 1],
                sigma=sigma_of(range(now), closes[:now]),
                closes=(),
                rules=msgspec.structs.replace(RULES, method=method),
            )
            assert seen.distance == pytest.approx(abs(view.distance))
            assert seen.quarter == FIRST // 15 + 5


def test_a_window_is_right_if_it_kept_its_side_and_a_tie_is_up() -> None:
    """The venue pays Up for a tie: a table that takes it for kept promises Down too much."""
    values = [(100.0,) * 4 if at % 2 else (100.1,) * 4 for at in range(75)]
    values[69] = (100.0,) * 4  # what the window from 70 on is judged by, at its begin
    above, tie, below = (101.0,) * 4, (100.0,) * 4, (99.0,) * 4
    for sight, end, is_right in (
        (above, above, True),
        (above, tie, True),
        (above, below, False),
        (below, below, True),
        (below, above, False),
        (below, tie, False),
    ):
        values[73], values[74] = sight, end
        for rule in Rule:
            *_, seen = observed(candles(values)[0], "5m", 4, rule, EARLY)
            assert seen.is_right is is_right
    values[73] = tie
    assert list(observed(candles(values)[0], "5m", 4, Rule.LAST, EARLY)) == []


def test_only_windows_inside_a_part_count_with_the_minute_before_them() -> None:
    """A window that reaches into the other part would be fitted and judge."""
    one = candles(walk(days=1))[0]

    def count(first: int, end: int) -> int:
        return len(list(observed(one, "5m", 3, Rule.LAST, Span(FIRST + first, FIRST + end))))

    assert count(99, 115) == 3
    assert count(100, 115) == 2
    assert count(99, 114) == 2
    assert count(0, 1440) == (1440 - 65) // 5


def test_what_judges_does_not_change_what_is_fitted() -> None:
    values = walk()
    later = values[: DAYS * 720] + walk(seed=2)[DAYS * 720 :]
    table = fitted(values)
    assert fitted(later) == table
    assert fitted(walk(seed=2)) != table
    assert (table.first_minute, table.end_minute) == EARLY
    told = judged(candles(values), table)
    assert judged(candles(later), table) != told


def test_a_table_knows_each_minute_that_has_enough_windows() -> None:
    for timeframe, length in MINUTES_OF.items():
        for rule in Rule:
            values = walk()
            table = fit(
                seen_in(candles(values) * 4, timeframe, rule, EARLY),
                timeframe,
                rule,
                within=EARLY,
                source="synthetic",
                fitted_on="a walk",
            )
            assert list(table.minutes) == list(range(1, length))
            assert parse_table(msgspec.json.encode(table), where="here") == table
            assert table.end_minute == 0  # of generated prices dates say nothing
    few = fitted(walk(), "15m")
    assert few.minutes == {}


def test_a_walk_without_memory_keeps_its_side_as_often_as_the_table_says() -> None:
    """Windows that nobody fitted on: what a table promises must come about."""
    many = [one for seed in range(8) for one in candles(walk(seed))]
    table = fitted_on(many)
    found = judged(many, table)
    assert sum(each.windows for each in found) > 15_000
    for each in found:
        assert abs(each.kept - each.said) < 4 * each.error + 0.01
        assert each.low <= each.said <= each.high
    wrong = msgspec.structs.replace(table, minutes=dict.fromkeys(table.minutes, ((0.0, 0.9),)))
    (only,) = judged(many, wrong)
    assert only.said == pytest.approx(0.9)
    assert only.kept < 0.9 - 10 * only.error


def test_windows_of_one_quarter_hour_count_together() -> None:
    """The same windows twice are no new knowledge: their error must not shrink."""
    once = candles(walk())
    table = fitted(walk())
    for alone, twice in zip(
        judged(once, table),
        judged(once * 2, table),
        strict=True,
    ):
        assert twice.windows == 2 * alone.windows
        assert twice.error == pytest.approx(alone.error)
    (all_of_them,) = judged(once, msgspec.structs.replace(table, minutes={4: ((0.0, 0.8),)}))
    spread = sqrt(all_of_them.kept * (1 - all_of_them.kept) / all_of_them.windows)
    assert 0.5 * spread < all_of_them.error < 2 * spread


def test_parts_that_have_a_minute_in_common_are_known() -> None:
    assert not EARLY.meets(LATE)
    assert not LATE.meets(EARLY)
    assert EARLY.meets(Span(MIDDLE - 1, MIDDLE))
    assert Span(MIDDLE - 1, MIDDLE).meets(EARLY)
    assert EARLY.meets(Span(FIRST - 10, LATE.end))
