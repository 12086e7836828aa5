"""What one earned above another: 0 where they decide alike, and told apart only by skill."""

from __future__ import annotations

import random
from typing import Any

import pytest

from foresight.backtest.difference import (
    ALIKE,
    NO_EVIDENCE,
    Difference,
    difference_of,
    level_for,
)
from foresight.backtest.results import BacktestResult, Trade
from foresight.scoring import Interval, score_of
from foresight.trades import Tally

QUARTER_S = 900
PRICE = 0.90
RECORDS = 60


def trade(number: int, *, won: bool, side: str = "up", **changes: Any) -> Trade:  # noqa: ANN401 - fields by their names
    """One share in the window of a number; eight of them end in one quarter hour."""
    start_s = number // 8 * QUARTER_S
    price, fee = changes.pop("price", PRICE), 0.005
    result = changes.pop("result", side if won else {"up": "down", "down": "up"}[side])
    paid = 0.5 if result == "void" else float(won)
    return Trade(
        slot="btc-5m",
        slug=f"a-{number}",
        start_s=start_s,
        end_s=start_s + 300,
        side=side,
        probability=0.9,
        shares=changes.pop("shares", 10.0),
        price=price,
        fee=fee,
        staked=10 * (price + fee),
        result=result,
        profit=10 * (paid - price - fee) if "shares" not in changes else 0.0,
        release="r",
    )


def number_of(one: Trade) -> int:
    return int(one.slug.removeprefix("a-"))


def result(name: str, trades: list[Trade]) -> BacktestResult:
    score = score_of(Tally())
    return BacktestResult(
        name=name,
        config="",
        strategies={},
        rule="last",
        delay_s=1.0,
        table="",
        judged_from=0,
        judged_until=1,
        cycles=1,
        signals=len(trades),
        unbought={},
        score=score,
        evidence="",
        slots=(),
        undecided=0,
        trades=trades,
    )


def compared(first: list[Trade], second: list[Trade], *, tried: int = 1) -> Difference:
    return difference_of(result("a", first), result("b", second), tried=tried)


def random_trades(rng: random.Random, windows: int, chance: float, *, side: str) -> list[Trade]:
    """Shares that are won together within a quarter hour more often than apart."""
    trades, together = [], 0.0
    for number in range(windows):
        together = rng.random() if number % 8 == 0 else together
        won = (together if rng.random() < 0.4 else rng.random()) < chance
        trades.append(trade(number, won=won, side=side))
    return trades


def test_who_decides_alike_differs_by_exactly_0() -> None:
    trades = [trade(number, won=number % 5 > 0) for number in range(40)]
    found = compared(trades, list(trades))
    assert (found.difference, found.interval) == (0.0, Interval(0.0, 0.0))
    assert found.says == ALIKE
    assert (found.windows, found.alike) == (40, 40)
    assert compared([], []).says == ALIKE


def test_windows_that_are_decided_alike_take_the_difference_towards_0_and_add_no_doubt() -> None:
    """They are known: only what is decided otherwise is left to chance."""
    rng = random.Random(1)  # noqa: S311 - the same trades each time
    few = random_trades(rng, 80, 0.9, side="up")
    alike = [trade(number, won=True) for number in range(800, 1600)]
    alone, beside = compared(few, []), compared([*few, *alike], list(alike))
    assert beside.difference == pytest.approx(alone.difference * 80 / 880)
    width = alone.interval.high - alone.interval.low
    assert beside.interval.high - beside.interval.low == pytest.approx(width * 80 / 880)


def test_shares_bought_dearly_and_all_won_prove_nothing_yet() -> None:
    """Of twenty that win at 95 c, the spread says that none is ever lost."""
    trades = [trade(number * 4, won=True, price=0.95) for number in range(20)]
    found = compared([], trades)
    assert found.difference == pytest.approx(0.045)
    assert found.interval.low < 0 < found.interval.high
    assert found.says == NO_EVIDENCE


def test_windows_of_one_quarter_hour_are_one_event() -> None:
    found = compared([], [trade(number, won=True, price=0.10) for number in range(8)])
    assert found.interval == Interval(-2.0, 2.0)


def test_two_of_equal_skill_that_choose_differently_are_not_told_apart() -> None:
    """At 95 % one of twenty such pairs is; the intervals must not be narrower than they say."""
    rng, told = random.Random(2), [0, 0]  # noqa: S311 - the same trades each time
    for _ in range(RECORDS):
        first = random_trades(rng, 96, PRICE, side="up")
        elsewhere = [
            trade(number_of(each) + 1000, won=each.result == each.side)
            for each in random_trades(rng, 96, PRICE, side="up")
        ]
        told[0] += compared(first, elsewhere).says != NO_EVIDENCE
        other_side = [
            trade(number_of(each), won=each.result == "down", side="down", price=1 - PRICE)
            for each in first
        ]
        told[1] += compared(first, other_side).says != NO_EVIDENCE
    assert max(told) <= 0.08 * RECORDS


def test_who_knows_more_is_told_apart() -> None:
    rng = random.Random(3)  # noqa: S311 - the same trades each time
    knows = random_trades(rng, 96, 0.995, side="up")
    guesses = random_trades(rng, 96, 0.75, side="up")
    guesses = [trade(number_of(one) + 1000, won=one.result == one.side) for one in guesses]
    assert compared(guesses, knows).says == "b earns more than a"
    assert compared(knows, guesses).says == "b earns less than a"


def test_what_was_paid_is_known_and_adds_no_doubt() -> None:
    """In two hours, who buys every winner at whatever price is told apart from who guesses."""
    rng = random.Random(5)  # noqa: S311 - the same trades each time
    guesses, knows = [], []
    for number in range(64):
        price = rng.uniform(0.5, 0.97)
        won = rng.random() < price
        guesses.append(trade(number, won=won, price=price))
        side, paid = ("up", price) if won else ("down", 1 - price)
        knows.append(trade(number, won=True, side=side, price=paid))
    found = compared(guesses, knows)
    assert found.alike > 30
    assert found.says == "b earns more than a"


def test_what_the_second_wins_while_the_first_loses_leaves_more_to_chance() -> None:
    """Alone both are as sure; only quarter hours know that the two move against each other."""
    ones = [trade(n, won=n // 8 % 2 == 0, price=0.5) for n in range(96) if n % 2]
    along = [trade(n, won=n // 8 % 2 == 0, price=0.5) for n in range(96) if not n % 2]
    against = [trade(n, won=n // 8 % 2 == 1, price=0.5) for n in range(96) if not n % 2]
    together, opposed = compared(ones, along).interval, compared(ones, against).interval
    assert opposed.high - opposed.low > 1.2 * (together.high - together.low)


def test_the_other_side_of_the_same_window_counts_twice() -> None:
    """Where one wins the other loses: the difference moves twice as far as either."""
    ups = [trade(number, won=number % 10 > 0) for number in range(80)]
    downs = [trade(number, won=number % 10 == 0, side="down") for number in range(80)]
    opposite, beside = compared(ups, downs), compared(ups, [])
    ratio = (opposite.interval.high - opposite.difference) / (
        beside.interval.high - beside.difference
    )
    assert ratio > 1.8


def test_half_of_a_void_share_pays() -> None:
    """It is neither won nor lost."""
    voids = [trade(number, won=False, result="void") for number in range(40)]
    assert compared([], voids).difference == pytest.approx(0.5 - PRICE - 0.005)


def test_another_stake_on_the_same_share_is_not_alike_and_earns_a_share_no_more() -> None:
    trades = [trade(number, won=True) for number in range(40)]
    more = [trade(number, won=True, shares=20.0) for number in range(40)]
    found = compared(trades, more)
    assert found.alike == 0
    assert found.says != ALIKE


def test_several_variants_widen_the_interval_by_their_number() -> None:
    """The best of 46 without skill looks like skill at 95 %."""
    assert level_for(1) == 0.95
    assert level_for(46) ** 46 == pytest.approx(0.95)
    rng = random.Random(4)  # noqa: S311 - the same trades each time
    trades = random_trades(rng, 96, 0.9, side="up")
    one, many = compared([], trades), compared([], trades, tried=46)
    assert many.interval.low < one.interval.low < one.interval.high < many.interval.high
    assert many.level > 0.998
