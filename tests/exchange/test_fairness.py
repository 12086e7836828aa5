"""A simple rule earns nothing at the exchange's fair price; `make fairness` says it in full."""

import pytest

from bench.fairness.judging import CHEAP, collect, judge
from bench.fairness.moments import synthetic_world
from foresight.exchange.errors import TableError
from foresight.exchange.market.calibration import read_table
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import curve_of
from foresight.exchange.market.table_files import TABLES, load_table


@pytest.mark.parametrize("rule", Rule)
def test_no_simple_rule_earns_at_the_fair_price(rule: Rule) -> None:
    """A strategy without skill must not look good because the market is wrong."""
    world = synthetic_world(302, days=2, assets=("BTC", "DOGE"))
    verdict = judge(collect(world, load_table("synthetic"), rule, world.assets), quotes_min=200)
    assert verdict.cells > 50
    assert len(verdict.missed) <= 0.03 * verdict.cells, verdict.missed
    assert [name for name, _, fault in verdict.rules if fault] == []
    assert any(name == CHEAP for name, _, _ in verdict.rules)


def test_a_table_prices_its_own_source_alone() -> None:
    data = (TABLES / "recorded.json").read_bytes()
    with pytest.raises(TableError, match="fitted on recorded prices"):
        read_table(data, source="synthetic")
    with pytest.raises(TableError):
        read_table(b"{}", source="recorded")
    assert read_table(data, source="recorded").source == "recorded"


def test_time_left_is_counted_in_steps_in_the_last_minute_and_in_minutes_before() -> None:
    assert [curve_of(steps) for steps in (1, 12, 13, 24, 60, 180)] == [1, 12, 13, 13, 16, 26]
