"""Unknown outcomes: asked about until the venue proves them, and executed once."""

from typing import Any

import msgspec
import pytest

from foresight.board import MICRO
from foresight.book import Word
from foresight.market import Market
from foresight.orders import Bought, Buy
from handoff.workload import Absent, Unknown, payload_of
from state.record import Effect, Outcome, Receipt
from tests.exchange.served import Running
from tests.exchange.test_trader_cycles import check_book_equals_ledger, check_settlements_equal
from tests.exchange.traded import Driven, demo_config, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def first_order(world: Driven) -> Effect:
    """Run until an order is planned, and hand it back as if it had not been sent."""
    world.trader.perform = _never  # type: ignore[method-assign] # the test sends it itself
    while not world.planned:
        await world.step()
    del world.trader.perform
    return world.planned[0]


async def _never(effect: Effect) -> Any:  # noqa: ANN401 - never returns
    del effect
    message = "not sent"
    raise ConnectionError(message)


LOST = ["lost_answer", "execution_unknown", "malformed", "late_answer"]


@pytest.mark.parametrize("fault", LOST)
async def test_an_answer_lost_after_acceptance_is_proven_by_asking(
    running: Running, fault: str
) -> None:
    async with driven(running, demo_config(venue={"timeout_s": 2.0})) as world:
        effect = await first_order(world)
        await running.control("faults", {fault: {"count": 1, "scope": "orders", "seconds": 9.0}})
        sent = await world.perform(effect)
        assert isinstance(sent, Unknown), "an outcome that is not known is never called refused"
        found = await world.resolve(effect)
        assert isinstance(found, Receipt)
        assert found.outcome is Outcome.CONFIRMED
        ledger = await world.ledger()
        assert (ledger["executed"], ledger["requests_received"]) == (1, 1)
        bought = payload_of(found, Bought)
        (order,) = ledger["orders"]
        assert bought.order_id == order["id"]
        assert bought.fee_micro == round(float(order["fee"]) * 1e6)


@pytest.mark.parametrize(
    "fault", ["lost_request", "server_error", "rate_limit", "ban", "too_early"]
)
async def test_an_order_that_never_arrived_is_proven_absent_and_sent_again(
    running: Running, fault: str
) -> None:
    async with driven(running) as world:
        effect = await first_order(world)
        wait_s = 1.0  # what a refusal says, where it does; it is kept to
        switch = {"count": 1, "scope": "orders", "seconds": wait_s}
        await running.control("faults", {fault: switch})
        assert isinstance(await world.perform(effect), Unknown)
        world.clock.waited_s += wait_s  # the price stays: a minute of the market is a second here
        assert await world.resolve(effect) == Absent(repeatable=True)
        again = await world.perform(effect)
        assert isinstance(again, Receipt)
        assert again.outcome is Outcome.CONFIRMED
        assert (await world.ledger())["executed"] == 1


async def test_a_second_send_is_refused_by_the_venue_and_answered_like_the_first(
    running: Running,
) -> None:
    """Salt and time stamp are pinned: a second send is the same order, not a second one."""
    async with driven(running) as world:
        effect = await first_order(world)
        first, second = await world.perform(effect), await world.perform(effect)
        assert isinstance(first, Receipt)
        assert first == second
        ledger = await world.ledger()
        assert (ledger["executed"], ledger["duplicates_refused"]) == (1, 1)


async def test_an_order_the_venue_no_longer_shows_is_found_by_its_trades(running: Running) -> None:
    async with driven(running) as world:
        effect = await first_order(world)
        sent = await world.perform(effect)
        await running.control("faults", {"blank_lookup": 1.0})
        assert await world.resolve(effect) == sent


async def test_an_unknown_order_of_a_closed_market_is_absent_for_good(running: Running) -> None:
    async with driven(running) as world:
        effect = await first_order(world)
        assert effect.not_after_ns is not None
        assert await world.resolve(effect) == Absent(repeatable=True)
        running.clock.now_ns = effect.not_after_ns
        assert await world.resolve(effect) == Absent(enforced=True, repeatable=True)
        sent = await world.perform(effect)
        assert isinstance(sent, Receipt)
        assert (sent.outcome, sent.reason.partition(":")[0]) == (
            Outcome.REFUSED,
            "refused_by_venue",
        )


async def test_nobody_selling_at_the_limit_is_a_normal_outcome(running: Running) -> None:
    """The price moved away between the look and the order: refused, counted, no error."""
    async with driven(running) as world:
        effect = await first_order(world)
        order = msgspec.structs.replace(
            payload_of(effect, Buy), price_micro=10_000, shares_micro=100 * MICRO
        )
        cheap = msgspec.structs.replace(effect, payload=msgspec.Raw(msgspec.json.encode(order)))
        receipt = await world.perform(cheap)
        assert isinstance(receipt, Receipt)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_fillable")
        assert await world.resolve(cheap) == receipt
        assert await world.perform(cheap) == receipt  # its id is used up, and asked about


async def test_an_order_beyond_the_balance_is_refused_with_the_venues_words(
    running: Running,
) -> None:
    risk = {f"stake_{what}_usdc": 1e6 for what in ("window", "asset", "board", "day", "floor")}
    async with driven(running, demo_config(risk=risk)) as world:
        while not world.received:
            await world.step()
        await world.step()
        words = {memory.word for memory in world.body.slots.values()}
        assert Word.UNFILLED in words
        assert world.body.unbought["refused_by_venue"] >= 1
        refused = [one for one in world.received if one.outcome is Outcome.REFUSED]
        assert any("not enough balance" in one.reason for one in refused)


async def test_a_board_full_of_faults_ends_with_one_execution_an_order(running: Running) -> None:
    """Half of everything goes wrong; what is in the book is what the exchange did."""
    async with driven(running) as world:
        await world.run(1)
        await running.control(
            "faults",
            {
                "lost_answer": 0.2,
                "lost_request": 0.2,
                "malformed": {"probability": 0.1, "scope": "orders"},
                "execution_unknown": 0.1,
                # Each one ends what its client asks in that cycle.
                "rate_limit": {"probability": 0.02, "scope": "lookups", "seconds": 0.01},
                "server_error": {"probability": 0.1, "scope": "any"},
                "blank_lookup": 0.3,
                "void_settlement": 0.1,
                "delayed_settlement": {"probability": 0.2, "seconds": 120.0},
            },
        )
        await world.run(45)
        await running.control("faults", dict.fromkeys(await _faults_on(running), 0))
        world.control = type(world.control)(paused=True)
        await world.run(25)
        ledger = await world.ledger()
        assert ledger["executed"] >= 10
        assert (world.outbox, world.body.orders, world.body.positions) == ({}, {}, {})
        check_book_equals_ledger(world, ledger)
        check_settlements_equal(world, ledger)
        assert {trade.entry.is_adopted for trade in world.body.decided} == {False}


async def _faults_on(running: Running) -> list[str]:
    answer = await running.control("faults")
    return list(answer["on"])


async def test_broken_answers_to_questions_are_their_slots_trouble(running: Running) -> None:
    """Which question gets the broken answer is up to the order they arrive in: hence the tries."""
    async with driven(running) as world:
        await world.run(2)
        await running.control("faults", {"malformed": {"probability": 0.5, "scope": "any"}})
        failures: set[str] = set()
        seen: list[Market] = []
        for _ in range(40):
            await world.step()
            seen = [one for one in world.inputs if isinstance(one, Market)]
            failures |= {
                candles.failure.partition(": ")[2].partition(":")[0]
                for one in seen
                for candles in one.candles.values()
            }
            if len(seen) >= 6 and "AnswerUnreadable" in failures:
                break
        assert "AnswerUnreadable" in failures
        assert len(seen) >= 6


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"stale_book": {"probability": 1.0, "seconds": 120.0}}, "book_stale"),
        ({"hidden_reference": 1.0}, "reference_unverified"),
    ],
)
async def test_a_market_that_cannot_be_trusted_is_not_traded(
    running: Running, fault: dict[str, Any], reason: str
) -> None:
    async with driven(running) as world:
        await running.control("faults", fault)
        reasons: set[str] = set()
        for _ in range(30):
            await world.step()
            reasons = {memory.reason for memory in world.body.slots.values()}
            if reason in reasons:
                break
        assert world.planned == []
        assert reason in reasons
