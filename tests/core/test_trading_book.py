"""The body: stable as JSON, bounded, and never committed when its sums disagree."""

import msgspec
import pytest

from foresight.book import (
    ANOMALIES_KEPT,
    CLOSES_KEPT,
    DECIDED_KEPT,
    REASONS_MAX,
    SCHEMA,
    Book,
    Closes,
    SlotMemory,
    count_unbought,
    extended,
    flag,
    fork,
    keep_decided,
    memory_of,
    spend,
    spent_today_micro,
    violations_of,
)
from foresight.market import SCHEMA as MARKET
from foresight.market import Candles
from state.schema import Schema
from tests.core.trading_values import (
    START_S,
    closes,
    decided,
    holding,
    offer,
    open_order,
    position,
    seen,
)


def full_book() -> Book:
    book = holding(Book(now_s=START_S, cycle=5), position())
    book.slots["btc-5m"] = SlotMemory(reason="quiet", price=100.5)
    book.closes["BTC"] = closes(100)
    keep_decided(book, decided())
    book.spent_micro += 8_100_000
    flag(book, "kind", "subject", detail="detail")
    return book


def round_trip(schema: Schema[Book], book: Book) -> Book:
    back: Book = schema.decode(schema.encode(book), schema.schema_id)
    return back


def test_a_book_survives_its_json() -> None:
    book = full_book()
    assert round_trip(SCHEMA, book) == book
    assert SCHEMA.encode(round_trip(SCHEMA, book)) == SCHEMA.encode(book)
    assert violations_of(book) == []


def test_no_null_is_stored_so_that_no_number_can_hide_as_one() -> None:
    assert b"null" not in bytes(SCHEMA.encode(full_book()))
    market = seen(START_S, offers={"btc-5m": offer()})
    assert b"null" not in bytes(MARKET.encode(market))
    assert MARKET.decode(MARKET.encode(market), MARKET.schema_id) == market


def test_the_shapes_are_the_ones_that_were_released() -> None:
    """A change of shape needs a new version and steps; this is where it shows."""
    assert (SCHEMA.schema_id.name, SCHEMA.schema_id.version) == ("foresight.book", 1)
    assert (MARKET.schema_id.name, MARKET.schema_id.version) == ("foresight.market", 1)


def test_a_fork_leaves_the_original_alone() -> None:
    book = full_book()
    before = SCHEMA.encode(book)
    copy = fork(book)
    copy.slots["x"] = SlotMemory()
    copy.closes.clear()
    copy.orders["x"] = open_order()
    copy.positions.clear()
    copy.decided.clear()
    copy.anomalies.clear()
    copy.now_s = 0
    count_unbought(copy, "x")
    assert SCHEMA.encode(book) == before


def test_closes_are_extended_by_what_is_newer_and_bounded() -> None:
    known = Closes(minutes=(1, 2), prices=(1.0, 2.0))
    assert extended(known, Candles(minutes=(2, 4), prices=(9.0, 4.0))) == Closes(
        minutes=(1, 2, 4), prices=(1.0, 2.0, 4.0)
    )
    assert extended(known, Candles(minutes=(1,), prices=(9.0,))) is known
    long = extended(Closes(), Candles(minutes=tuple(range(200)), prices=(1.0,) * 200))
    assert (len(long.minutes), long.newest) == (CLOSES_KEPT, 199)


def test_a_close_is_found_by_its_minute_or_not_at_all() -> None:
    known = Closes(minutes=(1, 2, 4), prices=(1.0, 2.0, 4.0))
    assert (known.at(4), known.at(2), known.at(3), known.at(0)) == (4.0, 2.0, None, None)
    assert Closes().at(1) is None
    assert Closes().newest == -1


def test_every_list_is_bounded() -> None:
    book = Book()
    for number in range(1000):
        keep_decided(book, decided())
        flag(book, "kind", str(number), detail="")
        count_unbought(book, f"reason {number}")
    assert len(book.decided) == DECIDED_KEPT
    assert book.archived.trades == 1000 - DECIDED_KEPT
    assert [anomaly.subject for anomaly in book.anomalies][-1] == "999"
    assert len(book.anomalies) == ANOMALIES_KEPT
    assert len(book.unbought) == REASONS_MAX + 1
    assert sum(book.unbought.values()) == 1000
    assert book.unbought["other"] == 1000 - REASONS_MAX


def test_an_anomaly_that_goes_on_is_counted() -> None:
    book = Book(cycle=3)
    flag(book, "kind", "subject", detail="first")
    book.cycle = 9
    flag(book, "kind", "subject", detail="newest")
    (anomaly,) = book.anomalies
    assert (anomaly.cycle, anomaly.last_cycle, anomaly.count) == (3, 9, 2)
    assert anomaly.detail == "newest"


def test_a_days_stake_begins_anew_at_midnight() -> None:
    book = Book(now_s=START_S)
    spend(book, 5)
    spend(book, 6)
    assert (spent_today_micro(book), book.spent_micro) == (11, 11)
    book.now_s += 86_400
    assert spent_today_micro(book) == 0
    spend(book, 7)
    assert (spent_today_micro(book), book.spent_micro) == (7, 18)


def test_an_unknown_slot_has_an_empty_memory() -> None:
    assert memory_of(Book(), "btc-5m") == SlotMemory()


@pytest.mark.parametrize("kept", ["decided", "anomalies"])
def test_a_list_beyond_its_bound_is_a_violation(kept: str) -> None:
    book = full_book()
    setattr(book, kept, getattr(book, kept) * 1000)
    assert "a list is longer than its bound" in violations_of(book)


def test_what_must_not_be_is_named() -> None:
    book = full_book()
    book.spent_micro += 1
    assert "is not the" in violations_of(book)[0]
    book = Book(spent_micro=-1)
    assert "a stake is negative" in violations_of(book)
    book = Book(closes={"BTC": Closes(minutes=(1,), prices=(float("nan"),))})
    assert violations_of(book) == ["a close of BTC is no price"]
    book = Book(orders={"x": msgspec.structs.replace(open_order(), shares_micro=0)})
    assert "has a size or a price that cannot be" in violations_of(book)[0]
    bad = msgspec.structs.replace(position(), shares_micro=0)
    assert "has a size or a cost that cannot be" in violations_of(holding(Book(), bad))[0]


def test_one_window_holds_one_order_or_one_position() -> None:
    book = holding(Book(), position())
    book.orders["x"] = open_order()
    assert violations_of(book) == [
        f"window {position().entry.slug} has more than one order or position"
    ]
    adopted = msgspec.structs.replace(position(is_adopted=True), token="adopted")  # noqa: S106 - a market's token, no secret
    assert violations_of(holding(Book(), position(), adopted)) == []
