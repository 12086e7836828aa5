"""The parts of the series of orders that decide what it proves."""

from collections import Counter
from pathlib import Path

import pytest

from bench.order_faults import DECK, since
from bench.orders_project import ASSETS, orders_config
from bench.orders_report import levels_of
from foresight.config import load
from foresight.evidence.errors import CannotBegin
from foresight.exchange.faults import Fault, FaultPlan

CONFIG = Path(__file__).resolve().parents[2] / "foresight.toml"


def test_the_deck_has_every_fault_of_the_exchange_that_an_order_can_meet() -> None:
    """A fault that is added and not in the deck would never be tried for hours."""
    assert set(DECK) == {fault.value for fault in Fault} - {Fault.CLIENT_ID_REUSE.value}
    plan = FaultPlan(seed=1)
    plan.set_all(DECK)
    assert set(plan.describe()) == set(DECK)


def test_hits_are_counted_across_an_exchange_that_is_started_again() -> None:
    before = Counter({"ban": 3, "outage": 1})
    assert since(before, Counter({"ban": 5, "outage": 1})) == Counter({"ban": 2})
    assert since(before, Counter({"ban": 1})) == Counter({"ban": 1})
    assert since(Counter(), before) == before


def test_the_board_of_the_series_is_read_as_it_is_meant(tmp_path: Path) -> None:
    """A guard that stops the board would leave hours without an order."""
    changed = tmp_path / "foresight.toml"
    changed.write_text(orders_config(CONFIG.read_text("utf-8")), "utf-8")
    before, after = load(str(CONFIG), {}), load(str(changed), {})
    assert after.board.assets == before.board.assets + ASSETS
    risk = after.risk
    assert (risk.drawdown_usdc, risk.cooldown_losses, risk.stop_guard_losses) == (0.0, 0, 0)
    assert risk.stake_floor_usdc > 2 * before.risk.stake_window_usdc
    with pytest.raises(CannotBegin):
        orders_config("[risk]\n")


def test_orders_over_several_levels_are_told_from_others() -> None:
    orders = [
        {"fills": ["a"], "failed": []},
        {"fills": ["b", "c"], "failed": ["c"]},
        {"fills": [], "failed": []},
    ]
    assert levels_of({"orders": orders}) == {"fills": 3, "several": 1, "most": 2, "failed": 1}
