"""Orders that would execute are held: answered, asked about, matched later or never, sent once."""

import ccxt
import pytest

from foresight.exchange.market.fees import taker_fee_micro
from foresight.exchange.market.windows import Side
from foresight.exchange.market_clock import NS_PER_MS
from foresight.orders import Bought
from handoff.workload import Pending, Unknown, payload_of
from state.record import Outcome, Receipt
from tests.exchange.served import Opener, pinned, undecided
from tests.exchange.test_desk import OWNER, WINDOW, Counter, at, crossing_time
from tests.exchange.test_trader_cycles import (
    check_book_equals_ledger,
    check_one_order_per_window,
    check_settlements_equal,
)
from tests.exchange.test_trader_outcomes import first_order
from tests.exchange.traded import driven

HOLD_NS = 250 * NS_PER_MS


def held() -> Counter:
    return Counter(hold_ns=HOLD_NS)


def test_an_order_that_would_execute_meets_the_book_of_its_release() -> None:
    """The book of the moment it was sent is no promise: that is what a hold is for."""
    counter = held()
    slot_end = 5.0
    sent = counter.order(1, at(slot_end - 0.1), cents=99)
    assert (sent.verdict, sent.fills) == ("held", ())
    counter.desk.advance(at(slot_end + 0.149))
    assert counter.ledger.orders["order-1"].status == "DELAYED"
    counter.desk.advance(at(slot_end + 60))  # late: it gets what it would have got in time
    order = counter.ledger.orders["order-1"]
    assert order.status == "MATCHED"
    book = counter.market.book(WINDOW, Side.UP, at(slot_end + 0.15).market_ns)
    assert order.fills[0].price_micro == book.asks[0].price_micro
    assert order.fills[0].market_ns == sent.market_ns + HOLD_NS


def test_a_held_order_claims_its_money_and_cannot_be_canceled() -> None:
    counter = held()
    assert counter.order(1, at(1), cents=99, size_micro=50_000_000).verdict == "held"
    assert counter.ledger.free_micro(OWNER) == 100_000_000 - 49_500_000
    assert counter.order(2, at(1.1), cents=99, size_micro=60_000_000).verdict == "refused"
    refused = counter.desk.cancel(OWNER, ["order-1"], at(1.2))
    assert "delayed" in refused["order-1"]
    assert "can't be found" in counter.desk.cancel("0xother", ["order-1"], at(1.2))["order-1"]
    assert counter.order(1, at(1.2)).verdict == "duplicate"
    counter.desk.advance(at(2))
    assert counter.ledger.held == {}
    assert counter.ledger.orders["order-1"].status == "MATCHED"


def test_shares_of_a_held_sale_are_claimed_too() -> None:
    counter = held()
    counter.order(1, at(1))
    counter.desk.advance(at(2))
    token = counter.ledger.orders["order-1"].terms.token
    sold = counter.order(2, at(2), is_buy=False, cents=1)
    assert sold.verdict == "held"
    assert counter.order(3, at(2), is_buy=False, cents=1).reason.startswith("not enough balance")
    free = counter.ledger.free_shares_micro(OWNER, token)
    counter.desk.advance(at(3))
    assert counter.ledger.orders["order-2"].status == "MATCHED"
    assert counter.ledger.free_shares_micro(OWNER, token) == free


def moment_before_it_gets_dearer(counter: Counter) -> tuple[float, int]:
    """Return a time just before everybody asks more, and the best price until then, cents."""
    for second in range(5, 290, 5):
        now, later = (
            counter.market.book(WINDOW, Side.UP, at(second + by).market_ns).asks
            for by in (-0.1, 0.15)
        )
        if now and (not later or later[0].price_micro > now[0].price_micro):
            return second - 0.1, now[0].price_micro // 10_000
    pytest.fail("this window never gets dearer; choose another seed")


@pytest.mark.parametrize("tif", ["FAK", "FOK"])
def test_an_order_that_finds_nobody_after_its_hold_ends_unmatched(tif: str) -> None:
    counter = held()
    moment, cents = moment_before_it_gets_dearer(counter)
    counter.order(1, at(moment), cents=cents, time_in_force=tif, size_micro=5_000_000)
    counter.desk.advance(at(moment + 1))
    order = counter.ledger.orders["order-1"]
    assert (order.status, order.fills) == ("UNMATCHED", [])
    assert counter.ledger.free_micro(OWNER) == 100_000_000
    assert counter.order(1, at(moment + 1)).verdict == "duplicate"


def test_a_held_order_takes_no_more_than_what_its_rest_leaves_of_the_money() -> None:
    """Met by more offers than it was sent for it owes more fee: the account went below nothing."""
    checked = 0
    for second in range(5, 290, 5):
        counter = held()
        offers = counter.market.book(WINDOW, Side.UP, at(second - 0.1).market_ns).asks
        if not offers:
            continue
        cents, size_micro = offers[0].price_micro // 10_000, offers[0].size_micro + 50_000_000
        size_micro = size_micro // 1_000_000 * 1_000_000
        account = counter.ledger.accounts[OWNER]
        fee = taker_fee_micro(shares_micro=offers[0].size_micro, price_micro=cents * 10_000)
        account.balance_micro = size_micro // 100 * cents + fee
        asked = {"cents": cents, "size_micro": size_micro, "time_in_force": "GTC"}
        checked += counter.order(1, at(second - 0.1), **asked).verdict == "held"
        counter.desk.advance(at(second + 1))
        assert counter.ledger.free_micro(OWNER) >= 0
        counter.desk.advance(at(299))
        assert account.balance_micro >= 0
    assert checked


def test_a_limit_order_that_crosses_no_more_after_its_hold_rests() -> None:
    counter = held()
    moment, cents = moment_before_it_gets_dearer(counter)
    asked = {"cents": cents, "time_in_force": "GTC"}
    assert counter.order(1, at(moment), **asked).verdict == "held"
    counter.desk.advance(at(moment + 0.25))
    assert counter.ledger.orders["order-1"].status == "LIVE"
    below = counter.order(2, at(moment + 0.25), cents=1, time_in_force="GTC")
    assert below.verdict == "accepted"  # it executes nothing: nothing to hold
    assert counter.desk.cancel(OWNER, ["order-1", "order-2"], at(moment + 0.25)) == {}


def test_a_hold_that_outlives_the_window_ends_unmatched() -> None:
    counter = held()
    last = next(
        moment
        for moment in (299.9, 299.8)
        if counter.market.book(WINDOW, Side.UP, at(moment).market_ns).asks
    )
    assert counter.order(1, at(last), cents=99).verdict == "held"
    counter.desk.advance(at(299.95))
    statuses = [counter.ledger.orders["order-1"].status]
    counter.desk.advance(at(300))  # a market that takes no orders answers for all it took
    statuses.append(counter.ledger.orders["order-1"].status)
    assert statuses == ["DELAYED", "UNMATCHED"]
    assert counter.ledger.accounts[OWNER].balance_micro == 100_000_000


def test_two_held_orders_take_one_after_the_other() -> None:
    """What the first one took is not there for the second, however late somebody looks."""
    counter = Counter(hold_ns=HOLD_NS, balance_micro=10_000_000_000)
    best = counter.market.book(WINDOW, Side.UP, at(1.25).market_ns).asks[0]
    cents = best.price_micro // 10_000
    asked = {"size_micro": best.size_micro, "cents": cents, "time_in_force": "GTC"}
    counter.order(1, at(1), **asked)
    counter.order(2, at(1.01), **asked)
    counter.desk.advance(at(1.3))
    first, second = (counter.ledger.orders[f"order-{number}"] for number in (1, 2))
    assert (first.status, first.filled_micro) == ("MATCHED", best.size_micro)
    assert (second.status, second.filled_micro) == ("LIVE", 0)


@pytest.mark.asyncio
async def test_the_client_sees_delayed_then_matched(opener: Opener) -> None:
    async with undecided(opener, hold_ms=250) as running:
        outcome = await running.outcome()
        placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        info = placed["info"]
        assert (info["status"], info["success"]) == ("delayed", True)
        assert (info["takingAmount"], info["makingAmount"]) == ("", "")
        assert info["transactionsHashes"] == []
        with pytest.raises(ccxt.ExchangeNotAvailable, match="Duplicated"):
            await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        assert (await running.board.cancel_order(placed["id"]))["status"] == "open"
        assert (await running.board.fetch_order(placed["id"]))["info"]["status"] == "DELAYED"
        assert await running.board.fetch_open_orders(outcome) == []  # it rests in no book
        assert await running.board.fetch_order_trades(placed["id"], outcome) == []
        running.clock.forward(0.25 / 60)
        order = await running.board.fetch_order(placed["id"])
        assert (order["info"]["status"], order["filled"] > 10) == ("MATCHED", True)
        assert await running.board.fetch_order_trades(placed["id"], outcome)


@pytest.mark.asyncio
async def test_a_held_order_survives_the_exchange(opener: Opener) -> None:
    async with undecided(opener, hold_ms=250) as running:
        outcome = await running.outcome()
        placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        seed, origin_ns = running.venue.seed, running.venue.identity.origin_ns
    async with opener(hold_ms=None, speed=60, seed=seed, origin_ns=origin_ns) as running:
        assert running.venue.ledger.held.keys() == {placed["id"]}
        running.clock.forward(1)
        running.venue.advance()
        assert running.venue.ledger.orders[placed["id"]].status == "MATCHED"


@pytest.mark.asyncio
async def test_the_trader_waits_for_a_held_order_and_sends_it_once(opener: Opener) -> None:
    async with undecided(opener, hold_ms=250) as running, driven(running) as world:
        effect = await first_order(world)
        assert await world.perform(effect) == Pending("delayed")
        assert await world.resolve(effect) == Unknown("delayed")
        assert await world.perform(effect) == Pending("delayed")  # somebody's second send
        assert (await world.trader.reconcile(world.body, (effect,))).differences == ()
        running.clock.forward(0.25 / 60)
        found = await world.resolve(effect)
        assert isinstance(found, Receipt)
        assert found.outcome is Outcome.CONFIRMED
        ledger = await world.ledger()
        assert (ledger["executed"], ledger["duplicates_refused"]) == (1, 1)
        assert payload_of(found, Bought).shares_micro == round(
            float(ledger["orders"][0]["filled"]) * 1e6
        )


@pytest.mark.asyncio
async def test_delayed_then_unmatched_is_nothing_held_and_nothing_sent_twice(
    opener: Opener,
) -> None:
    """A hold that outlives every window: nobody sells any more when it is over."""
    async with undecided(opener, hold_ms=900_000) as running, driven(running) as world:
        effect = await first_order(world)
        assert await world.perform(effect) == Pending("delayed")
        running.clock.forward(900 / 60)
        found = await world.resolve(effect)
        assert isinstance(found, Receipt)
        assert (found.outcome, found.reason) == (Outcome.REFUSED, "not_fillable")
        ledger = await world.ledger()
        assert [order["status"] for order in ledger["orders"]] == ["UNMATCHED"]
        assert (ledger["executed"], ledger["requests_received"]) == (0, 1)
        holdings = await world.trader._venue.holdings()  # noqa: SLF001 - the adapter is asked
        assert holdings is not None
        assert (holdings.positions, holdings.resting) == ((), ())


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_forty_minutes_of_held_orders(opener: Opener) -> None:
    """As shipped, outcomes and payouts come later: book and ledger agree all the same."""
    async with (
        undecided(opener, hold_ms=None, redeem_s=None) as running,
        driven(running) as world,
    ):
        assert running.venue.identity.hold_ms == 250
        await world.run(40)
        ledger = await world.ledger()
        assert ledger["executed"] >= 20
        assert ledger["verdicts"]["held"] >= ledger["executed"]
        check_one_order_per_window(world, ledger)
        held_slugs = {row["slug"] for row in ledger["orders"] if row["status"] == "DELAYED"}
        booked = {order.entry.slug for order in world.body.orders.values()}
        assert held_slugs <= booked
        check_book_equals_ledger(world, ledger)
        check_settlements_equal(world, ledger)
        assert world.body.anomalies == []


def test_a_resting_order_is_filled_though_takers_are_held() -> None:
    counter = held()
    cents = counter.market.book(WINDOW, Side.UP, at(0.1).market_ns).bids[0].price_micro // 10_000
    assert counter.order(1, at(0.1), cents=cents, time_in_force="GTC").verdict == "accepted"
    counter.desk.advance(at(crossing_time(counter, cents)))
    assert counter.ledger.orders["order-1"].status == "MATCHED"
