"""An order that rests is an offer like any other: it is seen in the book, from both outcomes."""

import pytest

from foresight.exchange.market.pricing import Book
from foresight.exchange.market.windows import Side
from tests.exchange.served import Running, pinned
from tests.exchange.test_desk import WINDOW, Counter, at, crossing_time

GTC = {"time_in_force": "GTC", "size_micro": 7_000_000}


def sizes(book: Book) -> tuple[dict[int, int], dict[int, int]]:
    """Return both sides of a book: size by price in cents."""
    bids, asks = (
        {level.price_micro // 10_000: level.size_micro for level in levels}
        for levels in (book.bids, book.asks)
    )
    return bids, asks


def added(counter: Counter, side: Side, seconds: float) -> tuple[dict[int, int], dict[int, int]]:
    """Return what the shown book has beyond that of the others."""
    now = at(seconds)
    others = sizes(counter.market.book(WINDOW, side, now.market_ns))
    shown = sizes(counter.desk.book(WINDOW, side, now))
    bids, asks = (
        {cents: size - before.get(cents, 0) for cents, size in after.items()}
        for before, after in zip(others, shown, strict=True)
    )
    return (
        {cents: size for cents, size in bids.items() if size},
        {cents: size for cents, size in asks.items() if size},
    )


def test_a_resting_buy_is_a_bid_and_an_ask_of_the_other_outcome() -> None:
    """Whoever quotes looks for itself in the book; without it, it would quote again and again."""
    counter = Counter()
    counter.order(1, at(0.1), cents=2, **GTC)
    counter.order(2, at(0.1), cents=2, **GTC)
    counter.order(3, at(0.1), cents=3, side=Side.DOWN, **GTC)
    assert added(counter, Side.UP, 0.2) == ({2: 14_000_000}, {97: 7_000_000})
    assert added(counter, Side.DOWN, 0.2) == ({3: 7_000_000}, {98: 14_000_000})
    counter.desk.cancel("0xowner", ["order-1"], at(0.3))
    assert added(counter, Side.UP, 0.3)[0] == {2: 7_000_000}


def test_an_order_at_a_price_of_others_adds_to_their_size_in_price_order() -> None:
    counter = Counter()
    best = counter.market.book(WINDOW, Side.UP, at(0.1).market_ns).bids[0]
    counter.order(1, at(0.1), cents=best.price_micro // 10_000, **GTC)
    for number, cents in enumerate((2, 3)):
        counter.order(10 + number, at(0.1), cents=cents, **GTC)
        counter.order(20 + number, at(0.1), cents=cents, side=Side.DOWN, **GTC)
    book = counter.desk.book(WINDOW, Side.UP, at(0.1))
    assert book.bids[0] == (best.price_micro, best.size_micro + 7_000_000)
    assert [one.price_micro for one in book.bids] == sorted(
        (one.price_micro for one in book.bids), reverse=True
    )
    asks = [one.price_micro for one in book.asks]
    assert asks == sorted(asks)


def test_a_resting_sale_is_an_ask_and_what_is_held_is_in_no_book() -> None:
    counter = Counter()
    counter.order(1, at(0.1))
    sale = {"is_buy": False, "cents": 99, "time_in_force": "GTC", "size_micro": 5_000_000}
    counter.order(2, at(0.2), **sale)
    taken = added(counter, Side.UP, 6)  # in the next slot nothing is taken from the others
    assert taken == ({}, {99: 5_000_000})
    held = Counter(hold_ns=60_000_000_000)
    assert held.order(1, at(0.1), cents=99, **GTC).verdict == "held"
    assert added(held, Side.UP, 0.2) == ({}, {})


def test_an_order_leaves_the_book_when_the_market_meets_it() -> None:
    """A book that still shows it would have a buyer above the best seller."""
    counter = Counter()
    cents = counter.market.book(WINDOW, Side.UP, at(0.1).market_ns).bids[0].price_micro // 10_000
    counter.order(1, at(0.1), cents=cents, **GTC)
    moment = crossing_time(counter, cents)
    assert added(counter, Side.UP, moment - 0.1)[0] == {cents: 7_000_000}
    book = counter.desk.book(WINDOW, Side.UP, at(moment))
    assert book.bids[0].price_micro < book.asks[0].price_micro
    assert counter.ledger.orders["order-1"].status == "MATCHED"


@pytest.mark.asyncio
async def test_a_client_sees_its_own_order(running: Running) -> None:
    outcome = await running.outcome()
    params = pinned(orderType="GTC")
    await running.board.create_order(outcome, "limit", "buy", 12.5, 0.01, params)
    up = await running.board.fetch_order_book(outcome)
    assert [size for price, size in up["bids"] if price == 0.01] == [12.5]
    down = await running.board.fetch_order_book(await running.outcome(Side.DOWN))
    assert [size for price, size in down["asks"] if price == 0.99] == [12.5]
    await running.board.cancel_all_orders()
    again = await running.board.fetch_order_book(outcome)
    assert [size for price, size in again["bids"] if price == 0.01] == []
