"""Strategies: pure, total, and their faults are their own slot's."""

from math import nan
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from foresight.board import Method, Side
from foresight.strategies import Opinion, Silence, Strategy, WindowView, judge
from foresight.strategies.base import SIGMA_FLOOR, normal, read_table, sigma_of
from foresight.strategies.fade import Fade
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.registry import STRATEGIES
from foresight.strategies.stand_aside import StandAside
from tests.trading_values import RULES, Sure


def view(price: float = 100.0, *, elapsed: int = 3, minutes: int = 5) -> WindowView:
    return WindowView(
        minutes=minutes,
        elapsed=elapsed,
        reference=100.0,
        price=price,
        sigma=0.001,
        closes=(100.0, price),
    )


def test_late_entry_takes_the_side_the_price_is_on() -> None:
    up = LateEntry().judge(view(100.2))
    assert isinstance(up, Opinion)
    assert up.side is Side.UP
    assert 838_000 < up.probability_ppm < 968_000  # 1.4 sigmas of the two minutes left
    down = LateEntry().judge(view(99.8))
    assert isinstance(down, Opinion)
    assert down.side is Side.DOWN
    assert down.price_max_micro == 970_000


@pytest.mark.parametrize(("elapsed", "speaks"), [(2, False), (3, True), (4, True), (0, False)])
def test_late_entry_waits_for_its_minute(elapsed: int, speaks: bool) -> None:  # noqa: FBT001 - a table
    assert isinstance(LateEntry().judge(view(100.5, elapsed=elapsed)), Opinion) is speaks


def test_a_price_that_settles_by_average_may_still_move_less() -> None:
    """Judged by the last price, a share of it looks dear: a third of a bot's purchases is left."""
    rules = msgspec.structs.replace(RULES, method=Method.AVERAGE_60S)
    for elapsed, left, of_average in ((3, 2.0, 4 / 3), (4, 1.0, 1 / 3), (0, 5.0, 13 / 3)):
        last = view(100.2, elapsed=elapsed)
        average = msgspec.structs.replace(last, rules=rules)
        assert last.spread_minutes == left
        assert msgspec.structs.replace(last, rules=RULES).spread_minutes == left
        assert average.spread_minutes == pytest.approx(of_average)
    for strategy in (LateEntry(), Fade(threshold_sigmas=0.0)):
        last = view(100.1)
        one = strategy.judge(last)
        other = strategy.judge(msgspec.structs.replace(last, rules=rules))
        assert isinstance(one, Opinion)
        assert isinstance(other, Opinion)
        assert abs(other.probability_ppm - 500_000) > abs(one.probability_ppm - 500_000)


def test_late_entry_is_silent_near_the_price_to_beat() -> None:
    assert LateEntry().judge(view(100.01)) == Silence("0.1 sigmas from the price to beat")


def test_fade_bets_on_part_of_a_large_move_to_come_back() -> None:
    far = Fade().judge(view(101.0, elapsed=4, minutes=15))
    assert isinstance(far, Opinion)
    assert far.side is Side.DOWN
    assert far.probability_ppm < 500_000  # still the less likely side: cheap, not sure
    back = Fade().judge(view(99.0, elapsed=4, minutes=15))
    assert isinstance(back, Opinion)
    assert back.side is Side.UP
    assert back.probability_ppm == pytest.approx(far.probability_ppm, abs=5e3)


def test_fade_leaves_small_moves_and_other_minutes_alone() -> None:
    assert Fade().judge(view(100.1, elapsed=4, minutes=15)) == Silence("moved 0.5 sigmas")
    assert Fade().judge(view(101.0, elapsed=12, minutes=15)) == Silence("not its minutes")


@given(
    price=st.floats(1e-6, 1e9),
    reference=st.floats(1e-6, 1e9),
    sigma=st.floats(SIGMA_FLOOR, 1.0),
    elapsed=st.integers(0, 14),
)
def test_every_strategy_has_an_answer_to_every_view(
    price: float, reference: float, sigma: float, elapsed: int
) -> None:
    seen = WindowView(
        minutes=15, elapsed=elapsed, reference=reference, price=price, sigma=sigma, closes=(price,)
    )
    for kind in STRATEGIES.values():
        answer = judge(kind(), seen)
        if isinstance(answer, Silence):
            assert "Error" not in answer.reason
        else:
            assert 0 < answer.probability_ppm < 1_000_000


class Broken(Strategy, frozen=True, kw_only=True):
    @override
    def judge(self, view: Any) -> Any:
        return 1 / (view.elapsed - 3)


def test_a_strategy_that_raises_is_silent_with_the_reason() -> None:
    """One slot's trouble is that slot's refusal, never the whole cycle's failure."""
    answer = judge(Broken(), view())
    assert answer == Silence("strategy faulty: ZeroDivisionError: division by zero")


class Mute(Strategy, frozen=True, kw_only=True):
    @override
    def judge(self, view: Any) -> Any:
        return None


def test_a_strategy_that_answers_nothing_is_silent_with_the_reason() -> None:
    assert judge(Mute(), view()) == Silence("strategy faulty: it answered NoneType")


@pytest.mark.parametrize("probability", [0.0, 1.0, 1.5, -0.1])
def test_an_impossible_probability_is_a_fault(probability: float) -> None:
    answer = judge(Sure(probability=probability), view())
    assert answer == Silence("strategy faulty: probability or price out of range")


def test_a_probability_that_is_no_number_is_a_fault() -> None:
    answer = judge(Sure(probability=nan), view())
    assert isinstance(answer, Silence)
    assert answer.reason.startswith("strategy faulty: ValueError")


def test_standing_aside_never_speaks() -> None:
    assert StandAside().judge(view()) == Silence("stands aside")


def test_a_strategy_has_to_judge() -> None:
    assert judge(Strategy(), view()) == Silence("strategy faulty: NotImplementedError: ")


def test_sigma_ignores_returns_over_a_gap() -> None:
    even = sigma_of([1, 2, 3], [100.0, 101.0, 102.01])
    assert even == pytest.approx(0.00995, abs=1e-5)
    assert sigma_of([1, 2, 9], [100.0, 101.0, 150.0]) == pytest.approx(even)
    assert sigma_of([1, 2], [100.0, 100.0]) == SIGMA_FLOOR
    assert sigma_of([], []) == 10 * SIGMA_FLOOR


def test_a_table_is_read_between_and_beyond_its_points() -> None:
    table = ((0.0, 0.5), (1.0, 0.8), (2.0, 0.9))
    assert read_table(table, -1.0) == 0.5
    assert read_table(table, 0.5) == pytest.approx(0.65)
    assert read_table(table, 2.0) == pytest.approx(0.9)
    assert read_table(table, 9.0) == 0.9
    assert normal(0.0) == 0.5
    assert normal(1.96) == pytest.approx(0.975, abs=1e-4)
