"""Honest numbers: a strategy without skill must not look good."""

import random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.correlated import simulated
from foresight.board import MICRO, Result, Window
from foresight.book import DECIDED_KEPT, Book, keep_decided
from foresight.scoring import Interval, score_of, scores_of, wilson
from foresight.trades import Decided, Tally, tally_of
from tests.trading_values import SLOT, START_S, decided


def test_without_trades_nothing_is_claimed() -> None:
    scores = scores_of(Book())
    assert scores.overall.trades == 0
    assert scores.overall.win_rate_interval == Interval(0.0, 1.0)
    assert scores.overall.expectation_interval == Interval(-1.0, 1.0)
    assert scores.overall.mean_price == 0.0


def test_the_figures_of_three_trades() -> None:
    trades = [decided(), decided(result=Result.DOWN), decided(result=Result.VOID)]
    score = score_of(tally_of(trades, Tally()))
    assert (score.trades, score.won, score.lost, score.void) == (3, 1, 1, 1)
    assert score.win_rate == 0.5
    assert score.mean_price == pytest.approx(0.80)
    assert score.break_even == pytest.approx(0.81)
    assert score.profit == pytest.approx(15.0 - 24.3)
    assert score.fees == pytest.approx(0.3)
    assert score.expectation == pytest.approx((0.19 - 0.81 - 0.31) / 3)
    assert score.expectation_interval.low < score.expectation < score.expectation_interval.high
    assert score.brier_ours == pytest.approx((0.01 + 0.81) / 2)
    assert score.brier_price == pytest.approx((0.04 + 0.64) / 2)


def test_wilsons_interval_matches_a_published_value() -> None:
    interval = wilson(81, 263)  # R. G. Newcombe, Statistics in Medicine 17 (1998), method 3
    assert interval.low == pytest.approx(0.2553, abs=5e-5)
    assert interval.high == pytest.approx(0.3662, abs=5e-5)


@given(st.integers(0, 200), st.integers(1, 200))
@example(0, 69)
@example(0, 167)
def test_wilsons_interval_holds_the_rate(won: int, more: int) -> None:
    interval = wilson(won, won + more)
    assert 0.0 <= interval.low <= won / (won + more) <= interval.high <= 1.0


def test_recent_is_the_last_hundred_and_nothing_is_forgotten() -> None:
    book = Book()
    for number in range(DECIDED_KEPT + 50):
        result = Result.DOWN if number < DECIDED_KEPT - 50 else Result.UP
        keep_decided(book, decided(result=result))
    scores = scores_of(book)
    assert len(book.decided) == DECIDED_KEPT
    assert (scores.recent.trades, scores.recent.win_rate) == (100, 1.0)
    assert (scores.overall.trades, scores.overall.won) == (DECIDED_KEPT + 50, 100)


def test_signals_that_could_not_be_bought_are_shown() -> None:
    scores = scores_of(Book(signals=9, unbought={"not_fillable": 2, "edge_too_small": 3}))
    assert (scores.signals, scores.unbought) == (9, 5)
    assert list(scores.unbought_reasons) == ["edge_too_small", "not_fillable"]


def test_a_rule_without_skill_wins_often_and_shows_a_loss() -> None:
    """Buying at a fair price plus spread and fee: right four times in five, and losing."""
    dice = random.Random(1)  # noqa: S311 - dice for a test
    trades = [
        decided(result=Result.UP if dice.random() < 0.79 else Result.DOWN, probability_ppm=790_000)
        for _ in range(4000)
    ]
    score = score_of(tally_of(trades, Tally()))
    assert score.win_rate > 0.75
    assert score.win_rate < score.break_even
    assert score.profit < 0
    assert score.expectation_interval.high < 0.015
    assert abs(score.brier_ours - score.brier_price) < 0.01


@given(st.lists(st.sampled_from(list(Result)), max_size=40), st.integers(0, 40))
def test_a_tally_is_the_same_however_it_is_split(results: list[Result], at: int) -> None:
    trades = [decided(result=result) for result in results]
    whole = tally_of(trades, Tally())
    assert tally_of(trades[at:], tally_of(trades[:at], Tally())) == whole


def test_a_win_rate_and_the_price_beside_it_weigh_trades_alike() -> None:
    """Many cheap shares and few dear ones: weighed by shares, the price would flatter the rate."""
    cheap = msgspec.structs.replace(
        decided(result=Result.DOWN), shares_micro=40_000_000, payout_micro=0
    )
    score = score_of(tally_of([decided(), cheap], Tally()))
    assert score.mean_price == pytest.approx((0.8 + 0.2) / 2)
    assert score.win_rate - score.break_even == pytest.approx(score.expectation)


def test_adopted_shares_count_as_money_and_not_as_skill() -> None:
    tally = tally_of([decided(is_adopted=True, probability_ppm=0)], Tally())
    assert (tally.trades, tally.judged) == (1, 0)
    assert score_of(tally).profit == pytest.approx(1.9)
    assert tally.brier_ours_ppm <= MICRO


def test_the_interval_of_an_expectation_is_that_of_what_pays_less_what_it_costs() -> None:
    """Forty of fifty won at 81 cents with fees: as good as twenty of twenty-five that are apart."""
    tally = Tally(trades=50, won=40, share_cost_micro=50 * 800_000, share_fee_micro=50 * 10_000)
    apart = wilson(20, 25)
    score = score_of(tally)
    assert score.win_rate_interval == apart
    assert score.expectation_interval.low == pytest.approx(apart.low - 0.81)
    assert score.expectation_interval.high == pytest.approx(apart.high - 0.81)


def test_a_void_share_pays_one_half_in_what_is_expected_and_nothing_in_the_win_rate() -> None:
    score = score_of(Tally(trades=4, won=2, void=2, share_cost_micro=4 * 500_000))
    assert score.win_rate_interval == wilson(1, 1)
    assert score.expectation_interval.low == pytest.approx(wilson(1.5, 2).low - 0.5)


def ending(window: Window, result: Result) -> Decided:
    trade = decided(result=result)
    entry = msgspec.structs.replace(trade.entry, slug=window.slug, end_s=window.end_s)
    return msgspec.structs.replace(trade, entry=entry)


def test_trades_that_win_and_lose_together_say_less_than_as_many_apart() -> None:
    """Eight windows of a quarter hour with one fate are hardly more than one trade."""
    alike = [[Result.UP] * 8, [Result.DOWN] * 8] * 6
    mixed = [[Result.UP] * 4 + [Result.DOWN] * 4] * 12
    widths = []
    for quarters in (alike, mixed):
        trades = [
            ending(Window(SLOT, START_S + 900 * number), result)
            for number, results in enumerate(quarters)
            for result in results
        ]
        interval = score_of(tally_of(trades, Tally())).expectation_interval
        widths.append(interval.high - interval.low)
    assert widths[0] > 1.8 * widths[1]


@pytest.mark.parametrize("prices", [(0.45, 0.60), (0.75, 0.97), (0.92, 0.97)])
@pytest.mark.parametrize("edge", [0.0, -0.015])
def test_an_interval_holds_the_truth_where_windows_of_a_quarter_hour_are_correlated(
    prices: tuple[float, float], edge: float
) -> None:
    """A normal interval was too narrow by half: a losing rule looked good in 13 of 100 records."""
    outcome = simulated(prices, edge, records=250, seed=7)
    assert outcome.covered >= 0.92 - 0.04  # of so few records; `bench/intervals.py` takes 4 000
    assert outcome.above_zero <= 0.04 + 0.02


def test_what_was_staked_and_what_it_earned_are_in_dollars() -> None:
    """Millionths that are shown as dollars, or without their fees, are noticed by no formula."""
    tally = Tally(trades=1, cost_micro=8_000_000, fee_micro=100_000, payout_micro=10_000_000)
    score = score_of(tally)
    assert (score.staked, score.fees, score.profit) == (8.1, 0.1, 1.9)


@pytest.mark.parametrize("trades", [20, 32, 100])
def test_no_win_rate_can_be_above_one(trades: int) -> None:
    """At these numbers of wins without a loss, rounding puts the formula's bound above one."""
    assert wilson(trades, trades).high == 1.0
