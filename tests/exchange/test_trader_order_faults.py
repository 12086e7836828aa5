"""Two hundred orders, every fault of the exchange, owners that die: the book is the ledger."""

from collections import Counter
from typing import Any

import pytest

from foresight.board import MICRO
from foresight.book import Cash
from foresight.evidence.books import compare
from foresight.exchange.faults import Fault
from foresight.trades import Decided
from state.record import Control
from tests.exchange.replaced_owners import FORCED, Moment, Replaced, replaced
from tests.exchange.served import Opener, undecided
from tests.exchange.traded import demo_config

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(240)]

ORDERS = 200
CYCLES_MAX = 900
CYCLES_AFTER = 90  # at most, until everything is decided; the latest result takes about 30
CYCLES_REDEEM = 10  # until the last won shares are paid out, market minutes
SEVERAL_LEVELS_MIN = 30
BALANCE_MICRO = 10_000_000_000

# Stakes that one level of a book does not hold; no guard ends the day.
GREEDY = {
    "stake_floor_usdc": 60.0,
    "stake_window_usdc": 90.0,
    "stake_asset_usdc": 400.0,
    "stake_board_usdc": 3000.0,
    "stake_day_usdc": 1e6,
    "cooldown_losses": 0,
    "stop_guard_losses": 0,
    "drawdown_usdc": 0.0,
    "edge_min_cents": -8.0,
}


async def test_two_hundred_orders_under_every_fault_are_each_executed_and_booked_once(
    opener: Opener,
) -> None:
    """Nothing twice, nothing forgotten, nothing lost, and the money is right to the millionth."""
    config = demo_config(risk=GREEDY, venue={"timeout_s": 0.7})
    async with (
        undecided(opener, hold_ms=250, redeem_s=300) as running,
        replaced(running, config) as world,
    ):
        await trade(world)
        await to_the_end(world)
        ledger = await world.ledger()
        check_every_fault_came(world)
        check_orders(world, ledger)
        check_money(world, ledger)


async def trade(world: Replaced) -> None:
    """Trade until there are enough orders and every fault and every death has come."""
    for _ in range(CYCLES_MAX):
        await world.step()
        if len(world.planned) >= ORDERS and not missing(world):
            return
    assert not missing(world), "of faults and deaths"
    assert len(world.planned) >= ORDERS


def missing(world: Replaced) -> set[str]:
    """Return the faults that did not hit yet, and the moments in which nobody died."""
    hits = world.running.venue.faults.hits
    faults = {fault.value for fault in FORCED if not hits.get(fault.value)}
    return faults | {one.value for one in Moment if not world.kills[one]}


async def to_the_end(world: Replaced) -> None:
    """Buy nothing more, and wait until everything that is held is decided."""
    world.control = Control(paused=True)
    world.calm()
    for _ in range(CYCLES_AFTER):
        await world.step()
        if not (world.outbox or world.body.orders or world.body.positions):
            break
    for _ in range(CYCLES_REDEEM):
        await world.step()
    assert (world.outbox, world.body.orders, world.body.positions) == ({}, {}, {})


def check_every_fault_came(world: Replaced) -> None:
    assert set(FORCED) == set(Fault) - {Fault.CLIENT_ID_REUSE}
    assert missing(world) == set()


def check_orders(world: Replaced, ledger: dict[str, Any]) -> None:
    """Compare the exchange's orders with the book's."""
    never_decided = [one for slug, one in world.held.items() if slug not in world.decided]
    books = compare(ledger, (), [*world.decided.values()])
    assert books.is_once
    assert (books.bought_twice, books.unknown_to_book) == ((), ())
    assert (books.unknown_to_exchange, books.differing) == ((), ())
    assert books.executed == books.booked
    assert max(Counter(order["slug"] for order in ledger["orders"]).values()) == 1
    gone = {order["slug"] for order in ledger["orders"] if order["failed"]}
    assert {one.entry.slug for one in never_decided} <= gone
    assert not any(one.entry.is_adopted for one in world.decided.values())
    several = [order for order in ledger["orders"] if len(order["fills"]) > 1]
    assert len(several) >= SEVERAL_LEVELS_MIN
    assert any(order["failed"] and len(order["failed"]) < len(order["fills"]) for order in several)


def check_money(world: Replaced, ledger: dict[str, Any]) -> None:
    """Compare the account with the book's cash, and with what the decided trades came to."""
    for trade in world.decided.values():
        assert trade.result.value == ledger["settlements"][trade.entry.slug]["result"].lower()
    (account,) = ledger["accounts"].values()
    balance = round(float(account["balance"]) * MICRO)
    assert balance == BALANCE_MICRO + sum(map(profit_of, world.decided.values()))
    assert world.body.cash == Cash(held_micro=balance)
    wrong = {"cash_adjusted", "position_adopted", "position_missing"}
    assert not wrong & {one.kind for one in world.body.anomalies}
    assert world.differences == []


def profit_of(trade: Decided) -> int:
    return trade.profit_micro
