"""The shipped configuration loses what it pays for: the sums by which `bench.shipped` says so."""

import pytest

from bench.shipped import Found, found_in
from foresight.backtest.results import Trade


def trade(slug: str, *, end_s: int, price: float, profit: float) -> Trade:
    return Trade(
        slot="btc-5m",
        slug=slug,
        start_s=end_s - 300,
        end_s=end_s,
        side="up",
        probability=0.8,
        shares=10.0,
        price=price,
        fee=0.01,
        staked=10.0 * (price + 0.01),
        result="up" if profit > 0 else "down",
        profit=profit,
        release="here",
    )


def test_what_is_paid_above_the_fair_price_and_the_fee_is_told_from_luck() -> None:
    """Taken for luck, the markup would hide a market that gives money away."""
    trades = [
        trade("one", end_s=900, price=0.82, profit=1.7),
        trade("two", end_s=1000, price=0.72, profit=-7.3),
    ]
    found = found_in(trades, {"one": 0.80, "two": 0.71})
    assert found.trades == 2
    assert found.expectation == pytest.approx((0.17 - 0.73) / 2)
    assert found.markup == pytest.approx(0.015)
    assert found.fee == pytest.approx(0.01)
    assert found.error == pytest.approx(0.0)  # both ended in one quarter hour: one draw


def test_trades_of_other_quarter_hours_are_other_draws() -> None:
    trades = [
        trade("one", end_s=900, price=0.5, profit=4.9),
        trade("two", end_s=1800, price=0.5, profit=-5.1),
    ]
    assert found_in(trades, {"one": 0.5, "two": 0.5}).error == pytest.approx(0.5 / 2**0.5)


@pytest.mark.parametrize(
    ("expectation", "is_honest"), [(-0.018, True), (-0.007, False), (-0.029, False), (0.001, False)]
)
def test_only_a_loss_near_markup_and_fee_is_honest(*, expectation: float, is_honest: bool) -> None:
    """Both ways: a market that takes more than it says is as wrong as one that gives."""
    found = Found(100, expectation, markup=0.01, fee=0.008, error=0.001)
    assert found.is_honest is is_honest
