"""Listings come in pages: who reads the first one only misses orders, trades and shares."""

from typing import Any

import ccxt
import msgspec
import pytest

from foresight.exchange.ledger.prediction_entries import Fill
from foresight.exchange.ledger.predictions import Order
from foresight.exchange.market.windows import Side
from foresight.exchange.polymarket import clob_messages, pages
from foresight.exchange.polymarket.pages import BadPageError, Limits, by_offset, clob_page
from foresight.exchange.polymarket.tokens import condition_id
from foresight.orders import Buy
from foresight.venues import polymarket
from handoff.workload import payload_of
from tests.exchange.served import Running, pinned
from tests.exchange.test_trader_outcomes import first_order
from tests.exchange.traded import driven

pytestmark = pytest.mark.timeout(60)  # several clients or exchanges one after another

ROWS = [{"id": str(number)} for number in range(250)]


def test_a_cursor_leads_from_page_to_page_and_ends() -> None:
    seen: list[Any] = []
    cursor, sizes = "", []
    while cursor != "LTE=":
        page = clob_page(ROWS, cursor, dict)
        assert (page["limit"], page["count"]) == (100, len(page["data"]))
        seen += page["data"]
        sizes.append(page["count"])
        cursor = page["next_cursor"]
    assert (seen, sizes) == (ROWS, [100, 100, 50])
    assert clob_page(ROWS, "MA==", dict) == clob_page(ROWS, "", dict)  # the official client's first
    assert clob_page([], "", dict)["next_cursor"] == "LTE="
    assert clob_page(ROWS[:100], "", dict)["next_cursor"] == "LTE="


@pytest.mark.parametrize("cursor", ["x", "LTE=", "4pyT", "ZZZ", "////"])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    """An unknown cursor read as the beginning would make a reader go round for ever."""
    with pytest.raises(BadPageError, match="invalid next_cursor"):
        clob_page(ROWS, cursor, dict)


def test_an_offset_and_a_limit_cut_a_page_out() -> None:
    limits = Limits(100, 120)
    assert by_offset(ROWS, {}, limits) == ROWS[:100]
    assert by_offset(ROWS, {"limit": "500", "offset": "10"}, limits) == ROWS[10:130]
    assert by_offset(ROWS, {"offset": "250"}, limits) == []
    for query in ({"offset": "-1"}, {"limit": "x"}, {"limit": "1e3"}, {"offset": "9" * 20}):
        with pytest.raises(BadPageError, match="invalid"):
            by_offset(ROWS, query, limits)


async def resting(running: Running, count: int, first: int = 1) -> list[str]:
    """Place orders that rest; returns their ids."""
    outcome = await running.outcome()
    placed = [
        await running.board.create_order(
            outcome, "limit", "buy", 10, 0.01, pinned(number, orderType="GTC")
        )
        for number in range(first, first + count)
    ]
    return [order["id"] for order in placed]


@pytest.mark.asyncio
async def test_open_orders_come_in_pages_and_our_client_reads_them_all(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order of nobody's on the second page keeps a worker out as one on the first does."""
    monkeypatch.setattr(pages, "CLOB_ROWS", 2)
    ids = await resting(running, 5)
    first = await running.board.clobPrivateGetDataOrders()
    assert [row["id"] for row in first["data"]] == ids[:2]
    after = {"next_cursor": first["next_cursor"]}
    second = await running.board.clobPrivateGetDataOrders(after)
    assert [row["id"] for row in second["data"]] == ids[2:4]
    with pytest.raises(ccxt.ExchangeNotAvailable, match="invalid next_cursor"):
        await running.board.clobPrivateGetDataOrders({"next_cursor": "x"})
    async with driven(running) as world:
        holdings = await world.trader._venue.holdings()  # noqa: SLF001 - the adapter is asked
        assert holdings is not None
        assert sorted(holdings.resting) == sorted(ids)


@pytest.mark.asyncio
async def test_orders_and_trades_are_listed_by_market_time_and_id(running: Running) -> None:
    (resting_id,) = await resting(running, 1)
    outcome = await running.outcome(Side.DOWN, "ETH")
    bought = await running.board.create_order(outcome, "limit", "buy", 5, 0.99, pinned(9))
    btc, eth = condition_id(running.window()), condition_id(running.window("ETH"))
    for query, count in (({"market": btc}, 1), ({"market": eth}, 0), ({"id": resting_id}, 1)):
        assert len((await running.board.clobPrivateGetDataOrders(query))["data"]) == count
    now_s = running.clock.now_ns // 1_000_000_000
    trades = (await running.board.clobPrivateGetDataTrades({"market": eth}))["data"]
    assert {trade["taker_order_id"] for trade in trades} == {bought["id"]}
    for query, count in (
        ({"market": btc}, 0),
        ({"id": trades[0]["id"]}, 1),
        ({"after": str(now_s)}, len(trades)),
        ({"after": str(now_s + 1)}, 0),
        ({"before": str(now_s)}, len(trades)),
        ({"before": str(now_s - 1)}, 0),
    ):
        assert len((await running.board.clobPrivateGetDataTrades(query))["data"]) == count
    with pytest.raises(ccxt.ExchangeNotAvailable, match="invalid after"):
        await running.board.clobPrivateGetDataTrades({"after": "noon"})


@pytest.mark.asyncio
async def test_of_a_long_history_only_the_rows_of_the_page_are_written(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing all of them for each page kept everybody waiting after some thousand trades."""
    monkeypatch.setattr(pages, "CLOB_ROWS", 1)
    written: list[str] = []
    write = clob_messages.trade

    def noted(one: Order, fill: Fill, *rest: Any) -> Any:  # noqa: ANN401 - as it is called
        written.append(fill.id)
        return write(one, fill, *rest)

    monkeypatch.setattr(clob_messages, "trade", noted)
    outcome = await running.outcome()
    for number in (1, 2, 3):
        await running.board.create_order(outcome, "limit", "buy", 5, 0.99, pinned(number))
    first = await running.board.clobPrivateGetDataTrades({})
    assert written == [row["id"] for row in first["data"]]
    assert first["next_cursor"] != "LTE=", "there is more than was written"


@pytest.mark.asyncio
async def test_trades_come_in_pages_and_our_client_adds_all_of_them_up(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that walks the book has a trade a level; half of them is half of the shares."""
    monkeypatch.setattr(pages, "CLOB_ROWS", 1)
    async with driven(running) as world:
        small = payload_of(await first_order(world), Buy)
        order = msgspec.structs.replace(small, price_micro=990_000, shares_micro=1_500_000_000)
        venue: Any = world.trader._venue  # noqa: SLF001 - the adapter is asked
        bought = await venue.buy(order)
        (row,) = (await world.ledger())["orders"]
        assert len(row["fills"]) > 2
        assert bought.shares_micro == round(float(row["filled"]) * 1e6)
        assert await venue.find(order) == bought
    public = await running.board.dataPublicGetTrades({"limit": 1})
    assert len(public) == 1


@pytest.mark.asyncio
async def test_positions_come_in_pages_and_our_client_reads_them_all(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, asset in enumerate(("BTC", "ETH", "SOL", "XRP", "DOGE")):
        outcome = await running.outcome(Side.UP, asset)
        await running.board.create_order(outcome, "limit", "buy", 5, 0.99, pinned(number + 1))
    user = {"user": running.board.walletAddress}
    everything = await running.board.dataPublicGetPositions(user)
    assert len(everything) == 5
    page = {"limit": 2, "offset": 4}
    assert await running.board.dataPublicGetPositions(user | page) == everything[4:]
    above = sorted(row["size"] for row in everything)[2]
    some = await running.board.dataPublicGetPositions(user | {"sizeThreshold": str(above)})
    assert {row["size"] >= above for row in some} == {True}
    assert len(some) < 5
    with pytest.raises(ccxt.ExchangeNotAvailable, match="invalid sizeThreshold"):
        await running.board.dataPublicGetPositions(user | {"sizeThreshold": "nan"})
    monkeypatch.setattr(polymarket, "POSITIONS_MAX", 2)
    async with driven(running) as world:
        holdings = await world.trader._venue.holdings()  # noqa: SLF001 - the adapter is asked
        assert holdings is not None
        assert len(holdings.positions) == 5


@pytest.mark.asyncio
async def test_what_is_below_a_share_is_listed_on_request_only(running: Running) -> None:
    """The reference venue leaves it out unless a threshold says otherwise."""
    outcome = await running.outcome()
    ask = (await running.board.fetch_order_book(outcome))["asks"][0][0]
    await running.board.create_order(outcome, "limit", "buy", 5, ask, pinned())
    held = running.venue.ledger.accounts
    (position,) = next(iter(held.values())).positions.values()
    keep = position.size_micro - 500_000
    sale = (keep - keep % 10_000) / 1e6
    await running.board.create_order(outcome, "limit", "sell", sale, 0.01, pinned(2))
    user = {"user": running.board.walletAddress}
    assert await running.board.dataPublicGetPositions(user) == []
    (dust,) = await running.board.dataPublicGetPositions(user | {"sizeThreshold": "0.01"})
    assert 0.5 <= dust["size"] < 0.52
