"""A match is not the end of a trade: it is mined and confirmed, tried again, or taken back."""

import json
from typing import Any

import msgspec
import pytest

from foresight.exchange.counters.trade_course import Trouble, course_of, fails_at
from foresight.exchange.ledger.positions import Account, take_back, trade
from foresight.exchange.ledger.prediction_entries import Entry, Fill, Terms
from foresight.exchange.market.windows import Side
from foresight.exchange.market_clock import NS_PER_SECOND
from handoff.workload import Unknown
from state.record import Outcome, Receipt
from tests.exchange.served import Opener, Running, pinned, undecided
from tests.exchange.test_desk import OWNER, START_S, WINDOW, Counter, at, crossing_time
from tests.exchange.test_settlement import to_end
from tests.exchange.test_trader_outcomes import first_order
from tests.exchange.traded import driven

pytestmark = pytest.mark.timeout(60)  # several clients or exchanges one after another

S = NS_PER_SECOND
FAILING, HOLDING = Trouble(10 * S, fails=True), Trouble()


def suffering(*troubles: Trouble, balance_micro: int = 100_000_000) -> Counter:
    """Return a counter whose first trades have these troubles, and the later ones none."""
    fates = iter([*troubles, *[HOLDING] * 100])
    return Counter(trouble=fates.__next__, balance_micro=balance_micro)


async def states(running: Running, order_id: str, outcome: str) -> list[str]:
    trades = await running.board.fetch_order_trades(order_id, outcome)
    return [trade["info"]["status"] for trade in trades]


async def watch(running: Running, order_id: str, outcome: str, seconds: int) -> list[str]:
    """Return the states of an order's one trade in the order in which they are seen."""
    seen: list[str] = []
    for _ in range(seconds):
        for state in await states(running, order_id, outcome):
            if state not in seen[-1:]:
                seen.append(state)
        running.clock.forward(1 / 60)
    return seen


async def one_trade(running: Running) -> tuple[str, str, float]:
    """Buy what the best seller has at that price; returns the order, the outcome, the shares."""
    outcome = await running.outcome()
    price, size = (await running.board.fetch_order_book(outcome))["asks"][0]
    size = min(size, 10)
    placed = await running.board.create_order(outcome, "limit", "buy", size, price, pinned())
    return placed["id"], outcome, size


@pytest.mark.asyncio
async def test_a_trade_is_matched_then_mined_then_confirmed(running: Running) -> None:
    order_id, outcome, _ = await one_trade(running)
    seen = await watch(running, order_id, outcome, 7)
    assert seen == ["MATCHED", "MINED", "CONFIRMED"]
    (trade,) = await running.board.fetch_order_trades(order_id, outcome)
    info = trade["info"]
    assert int(info["match_time"]) <= int(info["last_update"]) <= running.clock.now_ns // S


@pytest.mark.asyncio
async def test_a_trade_that_is_tried_again_is_confirmed_later(running: Running) -> None:
    await running.control("faults", {"trade_retrying": {"count": 1, "seconds": 4}})
    order_id, outcome, size = await one_trade(running)
    seen = await watch(running, order_id, outcome, 14)
    assert seen == ["MATCHED", "RETRYING", "MATCHED", "MINED", "CONFIRMED"]
    assert running.venue.ledger.orders[order_id].cash_micro > 0
    wallet = running.board.walletAddress
    (position,) = await running.board.dataPublicGetPositions({"user": wallet})
    assert position["size"] == size


@pytest.mark.asyncio
async def test_a_trade_that_fails_gives_shares_and_cash_back(running: Running) -> None:
    """Who counted the match as bought holds shares that nobody has: the venue must show it."""
    await running.control("faults", {"trade_failing": {"count": 1, "seconds": 4}})
    order_id, outcome, size = await one_trade(running)
    paid = (await running.board.fetch_balance())["USDC"]["total"]
    assert paid < 10_000
    assert await watch(running, order_id, outcome, 8) == ["MATCHED", "RETRYING", "FAILED"]
    assert (await running.board.fetch_balance())["USDC"]["total"] == 10_000
    wallet = running.board.walletAddress
    assert await running.board.dataPublicGetPositions({"user": wallet}) == []
    assert await running.board.dataPublicGetClosedPositions({"user": wallet}) == []
    assert await running.board.fetch_trades(outcome) == []  # on the chain there is none
    order = await running.board.fetch_order(order_id)
    assert (order["info"]["status"], order["filled"]) == ("MATCHED", size)  # the match stays one
    (row,) = (await running.control("ledger"))["orders"]
    assert (row["filled"], row["cash"], row["fee"]) == ("0", "0", "0")
    assert row["failed"] == row["fills"]
    assert (await running.control("faults"))["hits"] == {"trade_failing": 1}


@pytest.mark.asyncio
async def test_what_becomes_of_a_trade_survives_the_exchange(opener: Opener) -> None:
    async with undecided(opener) as running:
        await running.control("faults", {"trade_failing": {"count": 1, "seconds": 4}})
        order_id, outcome, _ = await one_trade(running)
        seed, origin_ns = running.venue.seed, running.venue.identity.origin_ns
    same: dict[str, Any] = {"speed": 60, "seed": seed, "origin_ns": origin_ns}
    async with opener(**same) as running:
        await running.board.fetch_event(running.window().slug)
        assert await states(running, order_id, outcome) == ["MATCHED"]
        running.clock.forward(6 / 60)
        running.venue.advance()
        assert await states(running, order_id, outcome) == ["FAILED"]
        accounts = running.venue.ledger.accounts
    lines = (opener.folder / "ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines].count("failure") == 1
    async with opener(**same) as running:
        assert running.venue.ledger.accounts == accounts
        assert running.venue.ledger.at_risk == {}


def test_shares_of_a_trade_that_fails_cannot_be_sold_before() -> None:
    """Otherwise the seller would owe them when they go back."""
    counter = suffering(*[FAILING] * 20)
    counter.order(1, at(1))
    token = counter.ledger.orders["order-1"].terms.token
    assert counter.ledger.accounts[OWNER].positions[token].size_micro > 0
    assert counter.ledger.free_shares_micro(OWNER, token) == 0
    sale = {"is_buy": False, "cents": 1, "size_micro": 1_000_000}
    assert counter.order(2, at(1), **sale).reason == "not enough balance / allowance"
    counter.desk.advance(at(13))
    assert counter.ledger.accounts[OWNER].positions == {}
    assert counter.ledger.accounts[OWNER].balance_micro == 100_000_000


def test_money_of_a_sale_that_fails_cannot_be_spent_before() -> None:
    counter = suffering(HOLDING, FAILING, balance_micro=10_000_000)
    bought = counter.order(1, at(1), cents=99, size_micro=9_000_000)
    assert len(bought.fills) == 1
    before = msgspec.structs.asdict(counter.ledger.accounts[OWNER])["balance_micro"]
    token, size = bought.terms.token, bought.fills[0].size_micro
    size -= size % 10_000
    sold = counter.order(2, at(1), is_buy=False, cents=1, size_micro=size)
    assert len(sold.fills) == 1
    assert counter.ledger.accounts[OWNER].balance_micro > before
    assert counter.ledger.free_micro(OWNER) == before
    counter.desk.advance(at(13))
    account = counter.ledger.accounts[OWNER]
    assert account.balance_micro == counter.ledger.free_micro(OWNER) == before
    position = account.positions[token]
    assert (position.size_micro, position.realized_micro) == (bought.fills[0].size_micro, 0)
    assert position.cost_micro == bought.fills[0].cash_micro


def test_a_sale_of_everything_fails_though_nobody_holds_anything() -> None:
    """An account without shares and orders still has this to wait for."""
    counter = suffering(HOLDING, FAILING)
    best = counter.market.book(WINDOW, Side.UP, at(1).market_ns).asks[0]
    exact = {"cents": best.price_micro // 10_000, "size_micro": 5_000_000, "time_in_force": "GTC"}
    assert counter.order(1, at(1), **exact).fills
    sold = counter.order(2, at(1), is_buy=False, cents=1, size_micro=5_000_000)
    assert len(sold.fills) == 1
    assert counter.ledger.accounts[OWNER].positions == {}
    counter.desk.advance(at(13))
    (position,) = counter.ledger.accounts[OWNER].positions.values()
    assert position.size_micro == 5_000_000
    assert counter.ledger.accounts[OWNER].closed == []


def test_a_trade_fails_with_its_window_at_the_latest() -> None:
    """A window pays what was bought for good: nothing is taken back from a payout."""
    counter = suffering(*[FAILING] * 20)
    last = next(
        moment
        for moment in (299.9, 299.0, 298.0)
        if counter.market.book(WINDOW, Side.UP, at(moment).market_ns).asks
    )
    counter.order(1, at(last))
    counter.desk.advance(at(10_000))
    assert counter.ledger.orders["order-1"].failed
    assert counter.ledger.settlements == {}  # nobody held anything when it ended
    assert counter.ledger.accounts[OWNER].balance_micro == 100_000_000


def test_a_resting_order_that_was_filled_may_fail_too() -> None:
    counter = suffering(*[FAILING] * 20)
    cents = counter.market.book(WINDOW, Side.UP, at(0.1).market_ns).bids[0].price_micro // 10_000
    counter.order(1, at(0.1), cents=cents, time_in_force="GTC")
    counter.desk.advance(at(crossing_time(counter, cents)))
    order = counter.ledger.orders["order-1"]
    assert (order.status, order.cash_micro > 0) == ("MATCHED", True)
    counter.desk.advance(at(10_000))
    assert (order.status, order.cash_micro) == ("MATCHED", 0)
    assert order.returned_micro == order.filled_micro == 10_000_000
    assert counter.ledger.accounts[OWNER].balance_micro == 100_000_000


@pytest.mark.parametrize("troubles", [(FAILING, HOLDING), (HOLDING, FAILING)])
def test_one_of_two_trades_fails_and_the_other_holds(troubles: tuple[Trouble, Trouble]) -> None:
    counter = suffering(*troubles, balance_micro=10_000_000_000)
    best = counter.market.book(WINDOW, Side.UP, at(1).market_ns).asks[0]
    cents = best.price_micro // 10_000
    asked = {"cents": cents, "size_micro": 5_000_000}
    orders = [counter.order(number, at(1), **asked) for number in (1, 2)]
    counter.desk.advance(at(13))
    held = orders[troubles.index(HOLDING)]
    (fill,) = held.fills
    (position,) = counter.ledger.accounts[OWNER].positions.values()
    assert (position.size_micro, position.cost_micro) == (fill.size_micro, fill.cash_micro)
    spent = fill.cash_micro + fill.fee_micro
    assert counter.ledger.accounts[OWNER].balance_micro == 10_000_000_000 - spent


def test_a_trade_of_an_old_ledger_is_confirmed() -> None:
    """Lines of 0.2.0 say nothing of what becomes of a trade: it was for good."""
    line = (
        '{"type":"fill","order_id":"0x1","fill":{"id":"0x2","cents":50,"size_micro":1,'
        '"cash_micro":1,"fee_micro":0,"is_maker":true,"wall_ns":5}}'
    )
    entry: Any = msgspec.json.decode(line, type=Entry)
    assert course_of(entry.fill, end_ns=START_S * S, market_ns=START_S * S).state == "CONFIRMED"


def test_a_state_begins_at_its_very_nanosecond() -> None:
    matched_ns, end_ns = 1_000 * S, 2_000 * S
    fill = Fill("0x1", 50, 1, 1, 0, is_maker=False, wall_ns=0, market_ns=matched_ns)
    fill = msgspec.structs.replace(fill, **FAILING._asdict())
    failed_ns = fails_at(fill, end_ns=end_ns)
    assert failed_ns == matched_ns + 12 * S
    assert fails_at(fill, end_ns=matched_ns + S) == matched_ns + S
    for moment, state in (
        (matched_ns, "MATCHED"),
        (matched_ns + 2 * S - 1, "MATCHED"),
        (matched_ns + 2 * S, "RETRYING"),
        (failed_ns - 1, "RETRYING"),
        (failed_ns, "FAILED"),
    ):
        assert course_of(fill, end_ns=end_ns, market_ns=moment).state == state


@pytest.mark.asyncio
async def test_a_failed_trade_is_not_paid_when_its_window_ends(running: Running) -> None:
    await running.control("faults", {"trade_failing": {"count": 1}})
    order_id, _, _ = await one_trade(running)
    to_end(running, running.window())
    assert (await running.board.fetch_balance())["USDC"]["total"] == 10_000
    assert len(running.venue.ledger.orders[order_id].failed) == 1


def fill(shares: int, cents: int) -> Fill:
    return Fill("0x1", cents, shares, shares * cents // 100, 0, is_maker=False, wall_ns=0)


BUY = Terms(
    "slug", "token", "Up", is_buy=True, cents=1, size_micro=1, time_in_force="FAK", wallet="w"
)
SALE = msgspec.structs.replace(BUY, is_buy=False)


def test_profit_is_right_though_a_purchase_fails_after_others_were_sold() -> None:
    """Shares sold meanwhile were sold at the mean cost of all of them, the failed ones included."""
    account = Account("a", 1_000, {}, [])
    trade(account, BUY, fill(100, 50))
    trade(account, BUY, fill(100, 70))
    trade(account, SALE, fill(100, 80))
    take_back(account, BUY, fill(100, 70), sold_micro=0, wall_ns=1)
    assert account.positions == {}
    (closed,) = account.closed
    assert closed.realized_micro == account.balance_micro - 1_000 == 80 - 50


def test_a_sale_of_all_shares_that_fails_opens_the_position_again() -> None:
    account = Account("a", 1_000, {}, [])
    trade(account, BUY, fill(100, 50))
    before = msgspec.json.encode(account)
    sold_micro = trade(account, SALE, fill(100, 80))
    assert (account.positions, len(account.closed)) == ({}, 1)
    take_back(account, SALE, fill(100, 80), sold_micro=sold_micro, wall_ns=1)
    assert msgspec.json.encode(account) == before


@pytest.mark.asyncio
async def test_a_trader_that_asks_after_the_failure_bought_nothing(running: Running) -> None:
    """Its answer was lost; what it then finds is a matched order whose trades all failed."""
    async with driven(running) as world:
        effect = await first_order(world)
        await running.control("faults", {"lost_answer": {"count": 1}, "trade_failing": 1})
        assert isinstance(await world.perform(effect), Unknown)
        running.clock.forward(13 / 60)
        found = await world.resolve(effect)
        assert isinstance(found, Receipt)
        assert (found.outcome, found.reason) == (Outcome.REFUSED, "not_fillable")
        (order,) = (await world.ledger())["orders"]
        assert (order["status"], order["failed"]) == ("MATCHED", order["fills"])
