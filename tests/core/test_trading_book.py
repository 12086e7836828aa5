"""The body: stable as JSON, bounded, and never committed when its sums disagree."""

from typing import Any, Final

import msgspec
import pytest

from foresight.board import Result
from foresight.book import (
    ANOMALIES_KEPT,
    DECIDED_KEPT,
    REASONS_MAX,
    SCHEMA,
    Book,
    SlotMemory,
    count_unbought,
    flag,
    fork,
    keep_decided,
    memory_of,
    spend,
    spent_today_micro,
    violations_of,
)
from foresight.closes import CLOSES_KEPT, Closes, extended
from foresight.market import SCHEMA as MARKET
from foresight.market import Candles, Detail
from foresight.quarters import Quarter, Quarters
from foresight.trades import Decided, Tally, added
from state.schema import Schema
from tests.trading_values import (
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
    assert (SCHEMA.schema_id.name, SCHEMA.schema_id.version) == ("foresight.book", 2)
    assert (MARKET.schema_id.name, MARKET.schema_id.version) == ("foresight.market", 2)


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


def odd_trade(**changes: Any) -> Decided:  # noqa: ANN401 - fields by their names
    """Return a trade in which no two amounts are equal and nothing divides evenly."""
    values: dict[str, Any] = {
        "shares_micro": 3_000_000,
        "cost_micro": 2_000_000,
        "fee_micro": 70_001,
        "payout_micro": 3_000_000,
    }
    return msgspec.structs.replace(decided(probability_ppm=700_001), **(values | changes))


BEFORE: Final = Tally(
    trades=2,
    won=3,
    void=5,
    shares_micro=7,
    cost_micro=11,
    fee_micro=13,
    payout_micro=17,
    share_cost_micro=19,
    share_fee_micro=23,
    share_profit_micro=29,
    share_profit_square_ppm=31,
    judged=37,
    brier_ours_ppm=41,
    brier_price_ppm=43,
)


def test_an_archived_trade_leaves_every_sum_as_it_would_have_been_shown() -> None:
    """Past three hundred trades these sums are all that is left: an error in one stays for good."""
    assert added(BEFORE, odd_trade()) == Tally(
        trades=3,
        won=4,
        void=5,
        shares_micro=3_000_007,
        cost_micro=2_000_011,
        fee_micro=70_014,
        payout_micro=3_000_017,
        share_cost_micro=19 + 666_666,
        share_fee_micro=23 + 23_333,
        share_profit_micro=29 + 309_999,
        share_profit_square_ppm=31 + 96_099,
        judged=38,
        brier_ours_ppm=41 + 89_999,
        brier_price_ppm=43 + 111_111,
        newest_s=odd_trade().decided_s,
        quarters=Quarters(open=(Quarter(number=odd_trade().entry.end_s // 900, trades=1, won=1),)),
    )


def test_sums_over_trades_are_whole_numbers() -> None:
    """A fraction would be rounded when it is stored, and a book read again would be another."""
    values = msgspec.structs.asdict(added(BEFORE, odd_trade()))
    (quarter,) = values.pop("quarters").open
    numbers = [*values.values(), *msgspec.structs.astuple(quarter)]
    assert {type(value) for value in numbers} == {int}


def test_a_lost_trade_is_judged_by_the_other_end_of_the_scale() -> None:
    """A probability of 0.7 for what did not happen is an error of 0.7, and so is a price."""
    lost = msgspec.structs.replace(odd_trade(payout_micro=0), result=Result.DOWN)
    tally = added(Tally(), lost)
    assert (tally.won, tally.void, tally.judged) == (0, 0, 1)
    assert (tally.brier_ours_ppm, tally.brier_price_ppm) == (490_001, 444_443)
    assert tally.share_profit_micro == -690_001


@pytest.mark.parametrize(("result", "is_adopted"), [(Result.VOID, False), (Result.UP, True)])
def test_what_nobody_foretold_or_nobody_decided_is_not_judged(
    result: Result, *, is_adopted: bool
) -> None:
    """Shares that were found have no probability: zero would count as a forecast gone wrong."""
    trade = msgspec.structs.replace(
        decided(is_adopted=is_adopted), result=result, shares_micro=3_000_000
    )
    tally = added(BEFORE, trade)
    assert (tally.judged, tally.brier_ours_ppm, tally.brier_price_ppm) == (37, 41, 43)
    assert tally.void == 5 + (result is Result.VOID)
    both = msgspec.structs.replace(decided(is_adopted=True), result=Result.VOID)
    assert added(BEFORE, both).judged == 37


def test_cost_and_fee_are_both_at_stake_and_both_gone_from_the_profit() -> None:
    """A fee that is added to a profit makes a rule look good that loses."""
    held = position(cost_micro=8_000_000)
    assert (held.stake_micro, held.price_micro) == (8_100_000, 800_000)
    trade = odd_trade()
    assert trade.profit_micro == 929_999
    assert trade.is_won
    third = msgspec.structs.replace(held, shares_micro=3_000_000, cost_micro=2_000_000)
    assert (third.price_micro, type(third.price_micro)) == (666_666, int)
    lost = msgspec.structs.replace(trade, result=Result.DOWN, payout_micro=0)
    assert (lost.profit_micro, lost.is_won) == (-2_070_001, False)


def test_the_bounds_of_a_book_are_the_released_ones() -> None:
    """What is stored grows with them: a body that is larger is committed more slowly."""
    book = Book()
    for number in range(300):
        keep_decided(book, decided(cycle=number))
    assert (len(book.decided), book.archived) == (300, Tally())
    keep_decided(book, decided(cycle=300))
    assert (len(book.decided), book.archived.trades) == (300, 1)
    minutes = tuple(range(121))
    long = extended(Closes(), Candles(minutes=minutes, prices=tuple(map(float, minutes))))
    assert (len(long.minutes), long.minutes[0], long.prices[0]) == (120, 1, 1.0)
    for number in range(49):
        flag(book, "kind", str(number), detail="")
        count_unbought(book, str(number))
    assert [one.subject for one in book.anomalies] == [str(number) for number in range(9, 49)]
    assert len(book.unbought) == 49
    assert (book.unbought["47"], book.unbought["other"]) == (1, 1)


def test_the_oldest_trade_is_archived_and_the_newest_kept() -> None:
    """The last hundred are what people look at: they must be the last."""
    book = Book()
    for number in range(DECIDED_KEPT + 2):
        keep_decided(book, decided(cycle=number))
    assert [trade.entry.cycle for trade in book.decided] == list(range(2, DECIDED_KEPT + 2))


def test_a_day_is_counted_from_midnight_to_midnight() -> None:
    """A limit of a day that began a second late would let two days' stakes into one."""
    midnight = START_S - START_S % 86_400
    for second, spent in ((midnight + 86_399, 5), (midnight + 86_400, 0)):
        book = Book(now_s=midnight)
        spend(book, 5)
        book.now_s = second
        assert spent_today_micro(book) == spent
    evening = Book(now_s=midnight - 1)
    spend(evening, 5)
    evening.now_s = midnight
    assert spent_today_micro(evening) == 0


def test_a_minute_without_a_price_is_a_fault() -> None:
    """Paired off with what there is, every later price would be another minute's."""
    with pytest.raises(ValueError, match="shorter"):
        extended(Closes(), Candles(minutes=(1, 2), prices=(1.0,)))
    rest = (Detail(open=1.0, high=1.0, low=1.0, volume=0.0),)
    with pytest.raises(ValueError, match="shorter"):
        extended(Closes(), Candles(minutes=(1, 2), prices=(1.0, 1.0), details=rest))
    with pytest.raises(ValueError, match="shorter"):
        Closes(minutes=(1, 2), prices=(1.0,)).at(0)


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [
        ({"shares_micro": 1}, True),
        ({"shares_micro": 0}, False),
        ({"cost_micro": 0, "fee_micro": 0}, True),
        ({"cost_micro": -1}, False),
        ({"fee_micro": -1}, False),
    ],
)
def test_a_position_may_cost_nothing_and_never_less(
    changes: dict[str, int], *, is_sound: bool
) -> None:
    """What is refused here is never committed: it must be all that is wrong and no more."""
    book = holding(Book(), msgspec.structs.replace(position(), **changes))
    assert (violations_of(book) == []) is is_sound


@pytest.mark.parametrize("field", ["shares_micro", "reserved_micro", "limit_micro"])
def test_an_order_of_nothing_is_none(field: str) -> None:
    """As above: one is the least of each, and zero is a mistake."""
    for value, is_sound in ((1, True), (0, False)):
        order = msgspec.structs.replace(open_order(), **{field: value})
        assert (violations_of(Book(orders={"x": order})) == []) is is_sound


@pytest.mark.parametrize("field", ["spent_micro", "day_spent_micro"])
def test_no_stake_is_negative(field: str) -> None:
    """A negative one would make room for more than the limit."""
    for value, is_sound in ((0, True), (-1, False)):
        book = Book()
        setattr(book, field, value)
        assert ("a stake is negative" not in violations_of(book)) is is_sound


@pytest.mark.parametrize(
    ("price", "is_sound"),
    [(1e-9, True), (0.5, True), (0.0, False), (-1.0, False), (float("inf"), False)],
)
def test_a_price_is_a_number_above_zero(price: float, *, is_sound: bool) -> None:
    """Coins of a fraction of a cent are traded; a price of nothing would be divided by."""
    book = Book(closes={"BTC": Closes(minutes=(1,), prices=(price,))})
    assert (violations_of(book) == []) is is_sound
