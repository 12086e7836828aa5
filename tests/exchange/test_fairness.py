"""A simple rule earns nothing at the exchange's fair price; `make fairness` says it in full."""

from itertools import product

import pytest

from bench.fairness.judging import CHEAP, collect, judge
from bench.fairness.moments import moments, synthetic_world
from foresight.exchange.errors import TableError
from foresight.exchange.market.calibration import read_table
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import CURVES, curve_of, stand
from foresight.exchange.market.table_files import TABLES, load_table
from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Result, Side, Window
from foresight.exchange.market_clock import NS_PER_SECOND


def test_no_simple_rule_earns_at_the_fair_price() -> None:
    """A strategy without skill must not look good because the market is wrong."""
    world = synthetic_world(302, days=2, assets=("BTC", "DOGE"))
    found = collect(world, load_table("synthetic"), world.assets)
    for rule in Rule:
        verdict = judge(found[rule], quotes_min=200)
        assert verdict.cells > 50
        assert len(verdict.missed) <= 0.03 * verdict.cells, verdict.missed
        assert [name for name, _, fault in verdict.rules if fault] == []
        assert any(name == CHEAP for name, _, _ in verdict.rules)


def test_what_is_judged_and_counted_is_what_the_exchange_quotes() -> None:
    """An asset is looked at once for all its windows; the exchange looks for each quote."""
    world = synthetic_world(302, days=1, assets=("DOGE",))
    world = world._replace(end_minute=world.first_minute + 60)
    table = load_table("synthetic")
    markets = {rule: FairMarket(world.tape, seed=1, rule=rule, table=table) for rule in Rule}
    seen = list(moments(world, "DOGE", every=3, ahead=True))
    assert {(one.window.timeframe, one.rule) for one in seen} == set(product(("5m", "15m"), Rule))
    for one in seen:
        assert stand(world.tape, one.window, one.rule, one.market_ns) == one.standing
        market = markets[one.rule]
        said = table.probability_up(one.window.timeframe, one.rule, one.standing)
        assert market.probability_up(one.window, one.market_ns) == said
        result = market.result(one.window, one.window.end_ns)
        assert one.is_up is (result is Result.UP)
        for side in Side:  # a backtest asks for the sellers alone
            asks = market.asks(one.window, side, one.market_ns)
            assert asks == market.book(one.window, side, one.market_ns).asks


def test_all_of_a_window_is_walked_through_and_the_minute_before_it_where_wanted() -> None:
    world = synthetic_world(302, days=1, assets=("BTC",))
    world = world._replace(end_minute=world.first_minute + 10)
    for ahead, first_s in ((False, 0), (True, -60)):
        by_window: dict[Window, list[int]] = {}
        for one in moments(world, "BTC", every=3, ahead=ahead):
            if one.rule is Rule.LAST:
                into_s = one.market_ns // NS_PER_SECOND - one.window.start_s
                by_window.setdefault(one.window, []).append(into_s)
        window, seconds = by_window.popitem()
        last_s = window.length_s - 60
        assert seconds == [*range(first_s, last_s, 15), *range(last_s, window.length_s, 5)]


def test_a_table_prices_its_own_source_alone() -> None:
    data = (TABLES / "recorded.json").read_bytes()
    with pytest.raises(TableError, match="fitted on recorded prices"):
        read_table(data, source="synthetic")
    with pytest.raises(TableError):
        read_table(b"{}", source="recorded")
    assert read_table(data, source="recorded").source == "recorded"


def test_time_left_is_counted_in_steps_in_the_last_minute_and_in_quarters_before() -> None:
    """The beginning of a minute stands alone: everybody comes then who decides by candles."""
    assert [curve_of(steps) for steps in (1, 12, 13, 15, 16, 23, 24, 25)] == [
        *(1, 12, 13, 13, 14, 16, 17, 18)
    ]
    assert {one: curve_of(TIMEFRAME_SECONDS[one] // 5) for one in TIMEFRAME_SECONDS} == CURVES
