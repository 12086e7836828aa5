"""Every filter that the spot venue advertises is enforced, at both sides of its bounds."""

import pytest

from foresight.exchange.binance.decimals import amount, atoms_of
from foresight.exchange.binance.filters import ORDERS_MAX, Situation, check, shown
from foresight.exchange.binance.refusals import FILTER, Refusal
from foresight.exchange.ledger.spot import SpotTerms

TICK = atoms_of("0.01", "tick")
SITUATION = Situation(tick=TICK, average=atoms_of("100", "average"), waiting=ORDERS_MAX - 1)


def broken(price: str, quantity: str, *, kind: str = "LIMIT", waiting: int = 0) -> str:
    """Return the text of the refusal, or nothing."""
    terms = SpotTerms(
        client_id="one",
        asset="BTC",
        is_buy=True,
        kind=kind,
        time_in_force="GTC",
        quantity=atoms_of(quantity, "quantity"),
        price=0 if kind == "MARKET" else atoms_of(price, "price"),
    )
    try:
        check(terms, SITUATION._replace(waiting=waiting))
    except Refusal as refusal:
        return refusal.text.removeprefix("Filter failure: ") if refusal.code == FILTER else "?"
    return ""


@pytest.mark.parametrize(
    ("price", "quantity", "name"),
    [
        ("100", "1", ""),
        ("100.005", "1", "PRICE_FILTER"),
        ("20", "1", ""),
        ("19.99", "1", "PERCENT_PRICE_BY_SIDE"),
        ("500", "1", ""),
        ("500.01", "1", "PERCENT_PRICE_BY_SIDE"),
        ("10000000.01", "1", "PRICE_FILTER"),
        ("100", "0.00001", "NOTIONAL"),
        ("100", "0.05", ""),
        ("100", "0.04999", "NOTIONAL"),
        ("100", "1.000001", "LOT_SIZE"),
        ("100", "9000000.00001", "LOT_SIZE"),
        ("100", "90000", ""),
        ("100", "90000.00001", "NOTIONAL"),
    ],
)
def test_a_limit_order_breaks_the_filter_of_that_name(price: str, quantity: str, name: str) -> None:
    """Clients round to the steps that are listed: what is enforced must be the same."""
    assert broken(price, quantity) == name


@pytest.mark.parametrize(
    ("quantity", "name"),
    [
        ("0.05", ""),
        ("0.04999", "NOTIONAL"),
        ("1000000", ""),
        ("1000000.00001", "MARKET_LOT_SIZE"),
        ("9000000.00001", "LOT_SIZE"),
    ],
)
def test_a_market_order_is_measured_at_the_average_price(quantity: str, name: str) -> None:
    """It has no price of its own, and the largest notional does not apply to it."""
    assert broken("", quantity, kind="MARKET") == name


def test_so_many_orders_may_wait_and_no_more() -> None:
    """A market order never waits."""
    assert not broken("100", "1", waiting=ORDERS_MAX - 1)
    assert broken("100", "1", waiting=ORDERS_MAX) == "MAX_NUM_ORDERS"
    assert not broken("100", "1", kind="MARKET", waiting=ORDERS_MAX)


def test_the_list_says_what_is_enforced() -> None:
    """Six filters are listed; each is broken by a case above."""
    listed = {row["filterType"]: row for row in shown(TICK)}
    assert listed.keys() == {
        *("PRICE_FILTER", "PERCENT_PRICE_BY_SIDE", "LOT_SIZE", "MARKET_LOT_SIZE"),
        *("NOTIONAL", "MAX_NUM_ORDERS"),
    }
    assert listed["PRICE_FILTER"]["tickSize"] == amount(TICK)
    assert listed["PERCENT_PRICE_BY_SIDE"]["bidMultiplierDown"] == "0.2"
    assert listed["MAX_NUM_ORDERS"]["maxNumOrders"] == ORDERS_MAX


@pytest.mark.parametrize(
    ("text", "code"),
    [("1e3", -1100), ("-1", -1100), ("\u0661", -1100), ("0.000000001", -1111), ("0", -1013)],
)
def test_an_amount_is_digits_and_a_point(text: str, code: int) -> None:
    """What Python would read too is not what the venue reads."""
    with pytest.raises(Refusal) as refused:
        atoms_of(text, "quantity")
    assert refused.value.code == code
