"""A cancel by market touches the orders of that market, and of that outcome where one is named."""

import ccxt
import pytest

from foresight.exchange.market.windows import Side
from foresight.exchange.polymarket.tokens import condition_id, token_id
from tests.exchange.served import Running, pinned

pytestmark = pytest.mark.asyncio


async def resting(running: Running) -> dict[tuple[str, Side], str]:
    """Place an order that rests on both outcomes of two windows; returns their ids."""
    ids: dict[tuple[str, Side], str] = {}
    for asset in ("BTC", "ETH"):
        for side in Side:
            outcome = await running.outcome(side, asset)
            params = pinned(len(ids) + 1, orderType="GTC")
            placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.01, params)
            ids[asset, side] = placed["id"]
    return ids


async def canceled_by(running: Running, **names: str) -> set[str]:
    """Cancel as the official clients do; returns the ids that the answer and the book name."""
    before = set(running.venue.ledger.live)
    answer = await running.board.clobPrivateDeleteCancelMarketOrders(names)
    assert answer["not_canceled"] == {}
    assert set(answer["canceled"]) == before - set(running.venue.ledger.live)
    return set(answer["canceled"])


async def test_a_cancel_by_market_leaves_other_markets_alone(running: Running) -> None:
    """Whoever ends one market's orders must not find all the others gone too."""
    ids = await resting(running)
    market = condition_id(running.window("BTC"))
    assert await canceled_by(running, market=market) == {ids["BTC", side] for side in Side}
    assert set(running.venue.ledger.live) == {ids["ETH", side] for side in Side}


async def test_a_market_and_an_outcome_mean_both(running: Running) -> None:
    ids = await resting(running)
    window = running.window("BTC")
    market, token = condition_id(window), token_id(window, Side.UP)
    other = condition_id(running.window("ETH"))
    assert await canceled_by(running, market=other, asset_id=token) == set()
    assert await canceled_by(running, market=market, asset_id=token) == {ids["BTC", Side.UP]}
    # The official client names what it was not told as an empty text.
    assert await canceled_by(running, market=market, asset_id="") == {ids["BTC", Side.DOWN]}
    token = token_id(running.window("ETH"), Side.UP)
    assert await canceled_by(running, market="", asset_id=token) == {ids["ETH", Side.UP]}


async def test_a_cancel_that_names_no_market_cancels_nothing(running: Running) -> None:
    """There is another call for everything; a forgotten field must not do its work."""
    await resting(running)
    for names in ({}, {"market": "", "asset_id": ""}):
        with pytest.raises(ccxt.ExchangeNotAvailable, match=r"Invalid (order )?payload"):
            await running.board.clobPrivateDeleteCancelMarketOrders(names)
    assert await canceled_by(running, market="0x" + "1" * 64) == set()
    assert len(running.venue.ledger.live) == 4
    assert len(await running.board.cancel_all_orders()) == 4
