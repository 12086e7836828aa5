"""Trades that the exchange takes back: the trader's book follows its ledger to the micro-USDC."""

from typing import Any

import pytest

from foresight.board import NS
from foresight.book import Cash
from foresight.market import Market, Stage
from foresight.scoring import scores_of
from state.record import Control
from tests.exchange.served import Opener, Running, pinned, undecided
from tests.exchange.test_trader_cycles import (
    check_book_equals_ledger,
    check_one_order_per_window,
    micro,
)
from tests.exchange.traded import Driven, demo_config, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


def stages_seen(world: Driven) -> set[Stage]:
    told = [one.trades for one in world.inputs if isinstance(one, Market)]
    return {stage for trades in told if trades is not None for stage in trades.stages.values()}


async def check_cash_is_as_it_was(world: Driven) -> None:
    """Compare the account with the book's cash, and with what the decided trades came to."""
    accounts: dict[str, Any] = (await world.ledger())["accounts"]
    (account,) = accounts.values()
    profit = sum(trade.profit_micro for trade in world.body.decided)
    balance = round(float(account["balance"]) * 1_000_000)
    assert balance == 10_000_000_000 + profit
    assert world.body.cash == Cash(held_micro=balance)
    assert "cash_adjusted" not in {one.kind for one in world.body.anomalies}


async def test_cash_that_comes_and_goes_by_hand_is_adjusted_and_a_purchase_is_not(
    running: Running,
) -> None:
    """Shares that were found have a cost; a sale of them by hand has no trade in the book."""
    idle = demo_config(risk={"stake_board_usdc": 0.0}, venue={"positions_every": 1})
    async with driven(running, idle) as world:
        await world.run(1)
        assert world.body.cash == Cash(held_micro=10_000_000_000)
        await to_an_open(world)  # near its end a share may be worth less than the smallest price
        outcome = await running.outcome()
        await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        await world.run(2)
        (found,) = world.body.positions.values()
        (order,) = (await world.ledger())["orders"]
        assert found.entry.is_adopted
        assert (found.cost_micro, found.fee_micro) == (micro(order["cash"]), micro(order["fee"]))
        assert world.body.cash == Cash(held_micro=10_000_000_000 - found.stake_micro)
        await running.board.create_order(outcome, "limit", "sell", 5, 0.01, pinned(2))
        await world.run(2)
        (account,) = (await world.ledger())["accounts"].values()
        assert world.body.cash == Cash(held_micro=micro(account["balance"]))
        kinds = {one.kind for one in world.body.anomalies}
        assert kinds == {"position_adopted", "position_missing", "cash_adjusted"}
        assert scores_of(world.body).overall.trades == 0


async def to_an_open(world: Driven) -> None:
    """Run cycles until one in the first minute of a window is behind."""
    for _ in range(5):
        await world.run(1)
        if world.running.venue.now().market_ns // NS - world.running.window().start_s < 60:
            return


async def to_the_end(world: Driven) -> None:
    """Buy nothing more, and wait until everything that is held is decided."""
    world.control = Control(paused=True)
    await world.run(25)
    assert (world.outbox, world.body.orders, world.body.positions) == ({}, {}, {})


async def test_orders_are_booked_when_matched_and_confirmed_in_the_next_cycle(
    running: Running,
) -> None:
    async with driven(running) as world:
        while not world.body.positions:
            await world.step()
        (held, *_) = world.body.positions.values()
        assert held.unconfirmed
        assert sum(fill.shares_micro for fill in held.unconfirmed) == held.shares_micro
        await world.step()
        assert world.body.positions[held.token].unconfirmed == ()
        assert stages_seen(world) == {Stage.CONFIRMED}


async def test_failed_trades_are_reversed_and_the_cash_is_right(running: Running) -> None:
    """A book that kept them would settle shares that nobody paid for."""
    async with driven(running) as world:
        await running.control("faults", {"trade_failing": {"probability": 0.4, "seconds": 20.0}})
        await world.run(30)
        await to_the_end(world)
        ledger = await world.ledger()
        assert any(order["failed"] for order in ledger["orders"])
        assert {Stage.CONFIRMED, Stage.FAILED} <= stages_seen(world)
        check_one_order_per_window(world, ledger)
        check_book_equals_ledger(world, ledger)
        await check_cash_is_as_it_was(world)
        assert "trade_failed" in {one.kind for one in world.body.anomalies}
        assert "position_adopted" not in {one.kind for one in world.body.anomalies}


async def test_winnings_that_are_not_redeemed_yet_are_no_difference(opener: Opener) -> None:
    """The market as it ships: shares stay listed for minutes after they were decided."""
    async with undecided(opener, redeem_s=420) as running:
        config = demo_config(venue={"positions_every": 1})
        async with driven(running, config) as world:
            await world.run(25)
            listed = [
                row
                for one in world.inputs
                if isinstance(one, Market) and one.holdings is not None
                for row in one.holdings.positions
            ]
            assert any(row.is_redeemable and row.worth_micro for row in listed)
            world.control = Control(paused=True)
            await world.run(30)
            await check_cash_is_as_it_was(world)
            assert world.body.anomalies == []
