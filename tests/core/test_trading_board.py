"""Slots, windows and rules: named right, and refused where they are not understood."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foresight.board import (
    MICRO,
    FeeSchedule,
    MarketWords,
    Method,
    Rules,
    RulesUnknown,
    Slot,
    Tie,
    Window,
    cost_micro,
    down_to_tick,
    down_to_whole_cents,
    fee_micro,
    fee_per_share_micro,
    limit_step_micro,
    read_rules,
    slots_of,
    window_at,
    window_of_slug,
)
from foresight.exchange.market import fees, windows
from tests.trading_values import FEE, START_S, WINDOW

# As the public venue words it, and as the local exchange does.
POLYMARKET = (
    'This market will resolve to "Up" if the Bitcoin price at the end of the time range specified '
    "in the title is greater than or equal to the price at the beginning of that range. "
    'Otherwise, it will resolve to "Down".'
)
LOCAL = (
    'Resolves to "Up" if the last BTC/USDT price at the end of the window is greater than or equal '
    'to the price at its beginning, otherwise to "Down". A void window pays one half.'
)
HALF = (
    'Resolves to "Up" if the price at the end of the time range is greater than the price at the '
    "beginning. If the two prices are exactly equal, the market will resolve 50-50."
)
SCHEDULE = {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2}


def words(**changes: Any) -> MarketWords:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "description": POLYMARKET,
        "source": "https://data.chain.link/streams/btc-usd",
        "tick": 0.01,
        "size_min": 5,
        "fees_enabled": True,
        "fee_schedule": SCHEDULE,
    }
    return MarketWords(**(values | changes))


def test_the_default_board_has_sixteen_slots() -> None:
    slots = slots_of(["BTC", "ETH"], ["5m", "15m"])
    assert [slot.slot_id for slot in slots] == ["btc-5m", "btc-15m", "eth-5m", "eth-15m"]


def test_windows_are_aligned_to_utc_and_named_as_on_the_venue() -> None:
    window = window_at(Slot("BTC", "15m"), START_S + 899)
    assert (window.start_s, window.end_s) == (START_S, START_S + 900)
    assert window.slug == f"btc-updown-15m-{START_S}"
    assert window_at(Slot("BTC", "5m"), START_S + 300).start_s == START_S + 300


@given(st.sampled_from(["BTC", "HYPE", "1INCH"]), st.sampled_from(["5m", "15m"]), st.integers(0, 9))
def test_a_slug_names_its_window_as_the_exchange_does(
    asset: str, timeframe: str, number: int
) -> None:
    window = window_at(Slot(asset, timeframe), START_S + number * 900)
    assert window_of_slug(window.slug) == window
    theirs = windows.parse_slug(window.slug)
    assert theirs is not None
    assert theirs.slug == window.slug
    assert theirs.end_s == window.end_s


@pytest.mark.parametrize(
    "slug", ["", "btc-updown-1h-0", "btc-updown-5m-7", "BTC-updown-5m-300", "btc-updown-5m-300x"]
)
def test_other_names_are_no_windows(slug: str) -> None:
    assert window_of_slug(slug) is None


def test_the_rules_of_known_markets_are_read() -> None:
    rules = read_rules(words())
    assert rules == Rules(
        tick_micro=10_000,
        size_min_micro=5_000_000,
        fee=FeeSchedule(rate_ppm=70_000, exponent=1),
        tie=Tie.UP,
        method=Method.LAST_PRICE,
        source="data.chain.link",
    )
    local = read_rules(words(description=LOCAL, source="local exchange, last BTC/USDT price"))
    assert isinstance(local, Rules)
    assert local.source == "local exchange"
    half = read_rules(words(description=HALF))
    assert isinstance(half, Rules)
    assert half.tie is Tie.HALF


def test_an_average_at_both_ends_is_told_from_a_last_price() -> None:
    text = POLYMARKET.replace("Bitcoin price", "60-second average of the Bitcoin price")
    rules = read_rules(words(description=text))
    assert isinstance(rules, Rules)
    assert rules.method is Method.AVERAGE_60S


def test_a_market_without_fees_says_so() -> None:
    rules = read_rules(words(fees_enabled=False, fee_schedule=None))
    assert isinstance(rules, Rules)
    assert rules.fee.rate_ppm == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tick": 0.02}, "tick size 0.02"),
        ({"size_min": 0}, "minimum size 0"),
        ({"fees_enabled": None}, "fee schedule is missing"),
        ({"fee_schedule": None}, "fee schedule is missing"),
        ({"fee_schedule": SCHEDULE | {"makerRate": 1}}, "makerRate"),
        ({"fee_schedule": {"exponent": 1}}, "fee schedule"),
        ({"fee_schedule": SCHEDULE | {"rate": 1.5}}, "fee schedule"),
        ({"fee_schedule": SCHEDULE | {"exponent": 3}}, "fee schedule"),
        ({"description": POLYMARKET.replace("greater than or equal to", "near")}, "tie rule"),
        ({"description": POLYMARKET.replace("at the end", "in the middle")}, "settlement method"),
        ({"description": POLYMARKET.replace("Bitcoin", "average Bitcoin")}, "settlement method"),
        ({"source": "https://example.org/prices"}, "settlement source"),
        ({"source": ""}, "settlement source"),
    ],
)
def test_unknown_rules_are_refused(changes: dict[str, Any], reason: str) -> None:
    """A rule that is guessed is money that is lost."""
    rules = read_rules(words(**changes))
    assert isinstance(rules, RulesUnknown)
    assert reason in rules.reason


@given(st.integers(1, 999), st.integers(1, 500_000_000))
def test_the_fee_is_the_exchanges_to_the_micro(mills: int, shares_micro: int) -> None:
    ours = fee_micro(FEE, shares_micro=shares_micro, price_micro=mills * 1_000)
    assert ours == fees.taker_fee_micro(shares_micro=shares_micro, price_micro=mills * 1_000)


def test_the_planned_fee_of_a_share_is_never_too_small() -> None:
    assert fee_per_share_micro(FEE, 500_000) == 17_500
    square = FeeSchedule(rate_ppm=250_000, exponent=2)
    assert fee_micro(square, shares_micro=MICRO, price_micro=500_000) == 15_630  # 0.015625 up
    assert fee_per_share_micro(FeeSchedule(), 500_000) == 0


def test_prices_and_sizes_are_rounded_down_and_costs_up() -> None:
    assert down_to_tick(859_999, 10_000) == 850_000
    assert down_to_whole_cents(13_999_999, 850_000) == 13_000_000
    assert down_to_whole_cents(13_999_999, 855_000) == 12_000_000  # 13 x 0.855 is no whole cents
    assert [limit_step_micro(tick) for tick in (100, 1_000, 10_000, 100_000)] == [
        5_000,
        5_000,
        10_000,
        100_000,
    ]
    assert cost_micro(shares_micro=1, price_micro=1) == 1
    assert cost_micro(shares_micro=10 * MICRO, price_micro=850_000) == 8_500_000


def test_a_window_of_one_slot_is_no_window_of_another() -> None:
    assert Window(Slot("ETH", "5m"), START_S) != WINDOW
