"""A window ends: orders stop, the venue says the result, shares are paid."""

import ccxt
import pytest

from foresight.exchange.counters.settlement import SETTLEMENT_DELAY_NS
from foresight.exchange.market.windows import Side, Window
from tests.exchange.served import Opener, Running, pinned

pytestmark = pytest.mark.asyncio


def to_end(running: Running, window: Window, *, late_s: float = 0.0) -> None:
    """Move the clock to a window's result, plus some market seconds."""
    due_ns = window.end_ns + SETTLEMENT_DELAY_NS + round(late_s * 1e9)
    running.clock.now_ns = running.venue.timeline.wall_ns(due_ns)


async def test_the_winner_is_paid_one_and_the_loser_nothing(running: Running) -> None:
    window = running.window()
    up, down = await running.outcome(), await running.outcome(Side.DOWN)
    for_up = await running.board.create_order(up, "limit", "buy", 10, 0.99, pinned(1))
    for_down = await running.board.create_order(down, "limit", "buy", 20, 0.99, pinned(2))
    before = (await running.board.fetch_balance())["USDC"]["total"]
    to_end(running, window)
    event = await running.board.fetch_event(window.slug)
    assert event["resolved"] is True
    prices = event["markets"][0]["info"]["outcomePrices"]
    assert prices in {'["1", "0"]', '["0", "1"]'}
    won = event["markets"][0]["outcomes"][0]["winner"]
    metadata = event["info"]["eventMetadata"]
    assert won == (metadata["finalPrice"] >= metadata["priceToBeat"])
    after = (await running.board.fetch_balance())["USDC"]["total"]
    shares = (for_up if won else for_down)["info"]["takingAmount"]
    assert after - before == pytest.approx(float(shares))
    wallet = running.board.walletAddress
    assert await running.board.dataPublicGetPositions({"user": wallet}) == []
    assert len(await running.board.dataPublicGetClosedPositions({"user": wallet})) == 2
    books = await running.control("ledger")
    assert books["settlements"][window.slug]["result"] == ("Up" if won else "Down")


async def test_an_ended_window_takes_no_orders_and_has_no_book(running: Running) -> None:
    window = running.window()
    outcome = await running.outcome()
    resting = await running.board.create_order(
        outcome, "limit", "buy", 10, 0.01, pinned(orderType="GTC")
    )
    running.clock.now_ns = running.venue.timeline.wall_ns(window.end_ns)
    with pytest.raises(ccxt.BadSymbol):
        await running.board.fetch_order_book(outcome)
    with pytest.raises(ccxt.ExchangeNotAvailable, match="does not exist"):
        await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned(2))
    assert (await running.board.fetch_order(resting["id"]))["status"] == "canceled"
    event = await running.board.fetch_event(window.slug)
    assert event["resolved"] is False  # ended, the result is not out yet


async def test_a_void_window_pays_half_to_everyone(running: Running) -> None:
    window = running.window()
    await running.control("faults", {"void_settlement": {"count": 1}})
    outcome = await running.outcome()
    bought = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    before = (await running.board.fetch_balance())["USDC"]["total"]
    to_end(running, window)
    running.venue.advance()
    event = await running.board.fetch_event(window.slug)
    up = event["markets"][0]["outcomes"][0]
    assert (event["resolved"], up["winner"], up["price"]) == (True, None, 0.5)
    paid = (await running.board.fetch_balance())["USDC"]["total"] - before
    assert paid == pytest.approx(float(bought["info"]["takingAmount"]) / 2, abs=1e-6)


async def test_a_late_result_stays_late_over_a_restart(opener: Opener) -> None:
    async with opener(speed=60, seed=7) as running:
        window = running.window()
        await running.control("faults", {"delayed_settlement": {"seconds": 900}})
        to_end(running, window)
        assert not (await running.board.fetch_event(window.slug))["resolved"]
    async with opener(speed=60, seed=7) as running:
        to_end(running, window, late_s=890)
        assert not (await running.board.fetch_event(window.slug))["resolved"]
        to_end(running, window, late_s=900)
        assert (await running.board.fetch_event(window.slug))["resolved"]


async def test_the_price_to_beat_can_be_withheld(running: Running) -> None:
    await running.control("faults", {"hidden_reference": 1})
    event = await running.board.fetch_event(running.window().slug)
    assert event["info"]["eventMetadata"] == {}
