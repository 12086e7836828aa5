"""The trader against the served exchange, cycle by cycle, through the unmodified ccxt clients."""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from foresight.board import NS
from foresight.book import Book
from foresight.errors import VenueUnreachable
from foresight.exchange.market.windows import Side, Window, parse_slug
from foresight.market import Market
from foresight.orders import Buy
from foresight.scoring import scores_of
from foresight.venues import waiting
from handoff.cadence import wall_time_ns
from handoff.outside import is_outside
from handoff.workload import NotReady, Ready, Unavailable, payload_of
from state.record import Control, Outcome
from tests.exchange.served import Running, pinned
from tests.exchange.traded import Driven, demo_config, driven

if TYPE_CHECKING:
    from foresight.trades import Decided, Position

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

QUARTER_HOUR = 15


def micro(text: str) -> int:
    return round(float(text) * 1_000_000)


def orders_of(ledger: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {order["slug"]: order for order in ledger["orders"]}


def check_book_equals_ledger(world: Driven, ledger: dict[str, Any]) -> None:
    """Compare every trade of the book with the exchange's own, to the micro-USDC."""
    at_exchange = {
        slug: (micro(order["filled"]), micro(order["cash"]), micro(order["fee"]))
        for slug, order in orders_of(ledger).items()
        if micro(order["filled"])  # what failed was taken back on both sides
    }
    book = world.body
    trades: list[Decided | Position] = [*book.decided, *book.positions.values()]
    ours = {one.entry.slug: (one.shares_micro, one.cost_micro, one.fee_micro) for one in trades}
    pending = {
        receipt.effect_id for receipt in world.receipts if receipt.outcome is Outcome.CONFIRMED
    }
    waiting = {book.orders[effect_id].entry.slug for effect_id in pending}
    assert ours == {slug: at for slug, at in at_exchange.items() if slug not in waiting}


def check_settlements_equal(world: Driven, ledger: dict[str, Any]) -> None:
    """Compare every decided trade with what the exchange says of its window."""
    assert world.body.decided
    for trade in world.body.decided:
        settled = ledger["settlements"][trade.entry.slug]
        assert settled["result"].lower() == trade.result.value


def check_one_order_per_window(world: Driven, ledger: dict[str, Any]) -> None:
    slugs = [payload_of(effect, Buy).slug for effect in world.planned]
    assert len(slugs) == len(set(slugs))
    assert len(orders_of(ledger)) == len(ledger["orders"])
    assert ledger["duplicates_refused"] == 0


async def test_forty_minutes_of_the_default_board(running: Running) -> None:
    """One order per window, the book equals the ledger, results are the venue's."""
    async with driven(running) as world:
        await world.run(40)
        ledger = await world.ledger()
        assert ledger["executed"] >= 20
        check_one_order_per_window(world, ledger)
        check_book_equals_ledger(world, ledger)
        check_settlements_equal(world, ledger)
        scores = scores_of(world.body)
        assert scores.overall.trades == len(world.body.decided)
        assert scores.signals >= scores.unbought
        assert world.body.anomalies == []
        (account,) = ledger["accounts"].values()
        held = sum(one.stake_micro for one in world.body.positions.values())
        waiting = sum(
            micro(orders_of(ledger)[world.body.orders[one.effect_id].entry.slug][what])
            for one in world.receipts
            if one.outcome is Outcome.CONFIRMED
            for what in ("cash", "fee")
        )
        profit = sum(trade.profit_micro for trade in world.body.decided)
        assert micro(account["balance"]) == 10_000_000_000 + profit - held - waiting


async def test_every_trade_says_who_decided_it(running: Running) -> None:
    async with driven(running) as world:
        await world.run(12)
        entries = [one.entry for one in world.body.decided]
        assert entries
        assert {(entry.release, entry.epoch) for entry in entries} == {("r1", 3)}
        assert len({entry.config for entry in entries}) == 1
        assert all(entry.cycle <= world.cycle for entry in entries)


async def test_the_orders_hash_is_known_before_it_is_sent(running: Running) -> None:
    """The id follows from the order alone: that is what makes an unknown outcome provable."""
    async with driven(running) as world:
        while not world.planned:
            await world.step()
        venue: Any = world.trader._venue  # noqa: SLF001 - the id is asked of the adapter itself
        ids = {venue.order_id(payload_of(effect, Buy)) for effect in world.planned}
        ledger = await world.ledger()
        assert ids == {order["id"] for order in ledger["orders"]}


async def test_pause_and_halt_stop_new_positions_and_close_nothing(running: Running) -> None:
    async with driven(running) as world:
        while not world.body.positions:
            await world.step()
        held = len(world.body.positions) + len(world.body.orders)
        planned = len(world.planned)
        world.control = Control(paused=True)
        await world.run(7)
        assert len(world.planned) == planned
        assert len(world.body.decided) >= held
        assert {memory.reason for memory in world.body.slots.values()} == {"paused"}
        world.control = Control(halted=True)
        await world.step()
        assert {memory.reason for memory in world.body.slots.values()} == {"halted"}
        world.control = Control()
        await world.run(6)
        assert len(world.planned) > planned


async def test_shares_bought_by_hand_are_adopted_and_settled(running: Running) -> None:
    async with driven(running, demo_config(risk={"stake_board_usdc": 0.0})) as world:
        window = running.window()
        await running.board.create_order(
            await running.outcome(), "limit", "buy", 10, 0.99, pinned()
        )
        await world.run(6)
        trades: list[Decided | Position] = [*world.body.positions.values(), *world.body.decided]
        adopted = [one for one in trades if one.entry.is_adopted]
        assert [one.entry.slug for one in adopted] == [window.slug]
        assert [anomaly.kind for anomaly in world.body.anomalies] == ["position_adopted"]
        await world.run(6)
        (trade,) = world.body.decided
        ledger = await world.ledger()
        assert trade.result.value == ledger["settlements"][window.slug]["result"].lower()


async def test_a_worker_whose_book_disagrees_is_not_ready(running: Running) -> None:
    """Shares in the book that the venue does not have keep a worker from taking over."""
    async with driven(running) as world:
        assert (await world.trader.reconcile(world.body, ())).differences == ()
        while not world.body.positions:
            await world.step()
        await world.step()
        assert (await world.trader.reconcile(world.body, ())).differences == ()
        await running.control("faults", {"outage": {"seconds": 5.0}})
        with pytest.raises(VenueUnreachable) as silent:  # no release's fault: asked again
            await world.trader.reconcile(world.body, ())
        assert is_outside(silent.value, world.trader.outside)


async def test_shares_that_a_newer_order_may_have_bought_keep_nobody_from_taking_over(
    running: Running,
) -> None:
    """A candidate compares with a body from before it was warm; meanwhile the owner trades on."""
    async with driven(running, demo_config(risk={"stake_board_usdc": 0.0})) as world:
        await world.step()
        window = running.window()
        await running.board.create_order(
            await running.outcome(), "limit", "buy", 10, 0.99, pinned()
        )
        assert (await world.trader.reconcile(world.body, ())).differences == ()
        running.clock.now_ns = wall_time_ns(world.timeline, window.end_s * NS)
        assert (await world.trader.reconcile(world.body, ())).differences == ()
        later = msgspec.structs.replace(world.body, now_s=window.end_s)
        (difference,) = (await world.trader.reconcile(later, ())).differences
        assert difference.startswith(f"position_adopted {window.slug}")


async def test_an_order_left_in_a_book_by_hand_is_a_difference(running: Running) -> None:
    async with driven(running) as world:
        await running.board.create_order(
            await running.outcome(), "limit", "buy", 10, 0.01, pinned(orderType="GTC")
        )
        (difference,) = (await world.trader.reconcile(Book(), ())).differences
        assert difference.startswith("order_resting 0x")


async def test_a_worker_is_ready_once_it_is_warm(running: Running) -> None:
    async with driven(running) as world:
        cycle: Any = None
        assert await world.trader.follow(cycle, world.body) == Ready()
        await world.trader.close()
        assert isinstance(await world.trader.follow(cycle, world.body), NotReady)


async def test_who_gets_warm_waits_for_an_exchange_that_is_out(running: Running) -> None:
    """A release that is merged in that moment has no fault of its own."""
    async with driven(running) as world:
        await world.trader.close()
        await running.control("faults", {"outage": {"seconds": 5.0}})
        warming = asyncio.create_task(world.trader.warm(world.body))
        done, _ = await asyncio.wait([warming], timeout=1.5)
        assert not done, "it waits"
        running.clock.forward(6)
        await warming
        await world.run(1)
        assert isinstance(world.inputs[-1], Market)


async def test_a_wait_for_the_exchange_ends(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "REACHABLE_S_MAX", 1.5)
    async with driven(running) as world:
        await world.trader.close()
        await running.control("faults", {"outage": {"seconds": 3600.0}})
        with pytest.raises(VenueUnreachable):
            await world.trader.warm(world.body)


async def test_a_cycle_costs_few_requests_and_no_more_books_than_signals(running: Running) -> None:
    async with driven(running) as world:
        await world.run(QUARTER_HOUR)
        for inputs in world.inputs:
            assert isinstance(inputs, Market)
            spoken = {slot for slot, offer in inputs.offers.items() if offer.slug}
            assert len(spoken) == len(inputs.offers) <= 16
        assert sum(len(one.offers) for one in world.inputs if isinstance(one, Market)) < 16 * 15
        assert all(
            len(one.candles["BTC"].minutes) <= 9
            for one in world.inputs[1:]
            if isinstance(one, Market)
        )


async def test_each_window_is_read_once_in_its_first_cycle(running: Running) -> None:
    """What a market says of itself is the largest answer of all, and does not change."""
    async with driven(running) as world:
        for number in range(QUARTER_HOUR):
            await world.step()
            inputs, begun = world.inputs[-1], {300: 8, 600: 8, 0: 16}
            assert isinstance(inputs, Market)
            asked = 16 if number == 0 else begun.get(world.body.now_s % 900, 0)
            assert (len(inputs.facts), inputs.facts_unread) == (asked, {})
            assert all(offer.rules is not None for offer in inputs.offers.values())
        assert all(memory.facts is not None for memory in world.body.slots.values())


async def test_an_exchange_that_is_gone_is_an_unavailable_cycle_and_no_more(
    running: Running,
) -> None:
    async with driven(running) as world:
        await world.run(3)
        await running.control("faults", {"outage": {"seconds": 1.5}})
        await world.run(1)
        assert isinstance(world.inputs[-1], Unavailable)
        assert world.body.anomalies[-1].kind == "market_unavailable"
        await world.run(12)
        assert isinstance(world.inputs[-1], Market)
        check_book_equals_ledger(world, await world.ledger())


async def test_one_assets_silence_is_its_own(running: Running) -> None:
    """An asset without candles stands still; the others trade."""
    async with driven(running, demo_config(board={"assets": ("BTC", "LTC", "ETH")})) as world:
        await world.run(10)
        assert world.body.slots["ltc-5m"].reason == "history_short"
        assert world.body.slots["btc-5m"].reason != "history_short"
        last = world.inputs[-1]
        assert isinstance(last, Market)
        assert "LTC" in last.candles["LTC"].failure


async def test_windows_are_the_exchanges_windows(running: Running) -> None:
    async with driven(running) as world:
        await world.run(5)
        for effect in world.planned:
            order = payload_of(effect, Buy)
            window = parse_slug(order.slug)
            assert isinstance(window, Window)
            assert effect.not_after_ns == running.venue.timeline.wall_ns(window.end_ns)
            assert order.side.value in {side.value.lower() for side in Side}
