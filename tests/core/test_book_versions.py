"""The body of an older release is taken over, and given back as it was."""

import msgspec

from foresight.book import SCHEMA, Book, Cash, keep_decided
from foresight.closes import DETAILS_KEPT, Closes, extended
from foresight.market import SCHEMA as MARKET
from foresight.market import Candles, Detail, Market, WindowFacts
from foresight.reconcile import take_kind
from foresight.scoring import earned_by
from foresight.trades import OLDER, RELEASES_KEPT, Tally, tally_of
from state.record import SchemaId
from tests.core.test_trading_book import full_book
from tests.trading_values import START_S, closes, decided

BOOK_1 = SchemaId(name="foresight.book", version=1, fingerprint="")
MARKET_1 = SchemaId(name="foresight.market", version=1, fingerprint="")


def first_version() -> msgspec.Raw:
    """Return a full body as 0.2.0 would have written it."""
    return SCHEMA.encode_down(full_book(), BOOK_1)


def test_a_body_of_version_1_goes_up_and_comes_down_unchanged() -> None:
    SCHEMA.require_way_back(first_version(), BOOK_1)
    up = SCHEMA.decode(first_version(), BOOK_1)
    assert SCHEMA.encode_down(up, BOOK_1) == first_version()


def test_a_body_of_version_1_holds_nothing_that_0_2_0_does_not_know() -> None:
    """An older release ignores what it does not know and would lose it; so nothing is left in."""
    plain = msgspec.json.decode(first_version())
    for name in ("venue", "cash", "results", "tallies"):
        assert name not in plain
    text = bytes(first_version())
    for name in ("facts", "details", "unconfirmed", "quarters", "newest_s"):
        assert f'"{name}"'.encode() not in text


def test_the_guard_knows_the_losses_of_an_older_body() -> None:
    book = SCHEMA.decode(first_version(), BOOK_1)
    trade = book.decided[0]
    assert [(one.start_s, one.profit_micro) for one in book.results] == [
        (trade.decided_s, trade.profit_micro)
    ]
    assert (book.venue, book.cash) == ("", None)


def test_what_each_release_earned_is_known_of_an_older_body() -> None:
    """Its releases were said to have decided no trade; found ones are no release's."""
    book = full_book()
    book.decided.append(decided(release="", is_adopted=True))
    book.archived = tally_of([decided()] * 5, Tally())
    up = SCHEMA.decode(SCHEMA.encode_down(book, BOOK_1), BOOK_1)
    assert [(each.release, each.venue, each.score.trades) for each in earned_by(up)] == [
        (OLDER, "", 5),
        ("r1", "", 1),
    ]
    assert earned_by(up)[-1].score.profit == 1.9
    take_kind(up, "paper")
    keep_decided(up, decided())
    assert [(each.venue, each.score.trades) for each in earned_by(up)] == [
        ("paper", 5),
        ("paper", 2),
    ]


def test_an_older_body_of_many_releases_has_the_newest_by_name() -> None:
    book = Book()
    for number in range(RELEASES_KEPT + 3):
        keep_decided(book, decided(release=f"r{number}", decided_s=START_S + number))
    up = SCHEMA.decode(SCHEMA.encode_down(book, BOOK_1), BOOK_1)
    assert len(up.tallies) == RELEASES_KEPT + 1
    assert up.tallies[f":{OLDER}"].trades == 3


def test_what_only_this_version_keeps_is_left_out_on_the_way_down() -> None:
    book = full_book()
    book.venue, book.cash = "local", Cash(held_micro=5, off_micro=1)
    book.slots["btc-5m"] = msgspec.structs.replace(
        book.slots["btc-5m"], facts=WindowFacts(start_s=START_S, reference=1.5)
    )
    book.archived = tally_of([decided()], Tally())
    down = SCHEMA.encode_down(book, BOOK_1)
    up = SCHEMA.decode(down, BOOK_1)
    assert up.positions == book.positions
    assert up.decided == book.decided
    assert up.archived.trades == 1
    assert up.slots["btc-5m"].facts is None


def test_inputs_of_version_1_say_so_and_go_back() -> None:
    """A guard denies for a fact that is missing today; version 1 never asked for it."""
    market = Market(candles={"BTC": Candles(minutes=(1,), prices=(2.0,))}, edition=1)
    down = MARKET.encode_down(market, MARKET_1)
    assert b"edition" not in bytes(down)
    assert MARKET.decode(down, MARKET_1) == market
    detail = (Detail(open=1.0, high=2.0, low=1.0, volume=3.0),)
    rich = Market(candles={"BTC": Candles(minutes=(1,), prices=(2.0,), details=detail)})
    assert b"details" not in bytes(MARKET.encode_down(rich, MARKET_1))


def test_the_average_of_a_minute_is_known_where_all_of_its_candle_is() -> None:
    old = closes(100, count=3)
    assert old.average(100) is None
    fresh = Candles(
        minutes=(101, 103),
        prices=(4.0, 8.0),
        details=(
            Detail(open=1, high=5, low=0.5, volume=9),
            Detail(open=2, high=9, low=1, volume=9),
        ),
    )
    known = extended(old, fresh)
    assert (known.average(100), known.average(102), known.average(104)) == (None, None, None)
    assert (known.average(101), known.average(103)) == (10.5 / 4, 20 / 4)
    bare = extended(known, Candles(minutes=(104,), prices=(8.0,)))
    assert bare.average(103) is None, "what has no place of its own must not be read as another's"


def test_details_are_kept_for_the_newest_minutes_alone() -> None:
    book: Closes = Closes()
    for minute in range(200):
        detail = (Detail(open=1.0, high=1.0, low=1.0, volume=float(minute)),)
        book = extended(book, Candles(minutes=(minute,), prices=(1.0,), details=detail))
    assert len(book.details) == DETAILS_KEPT
    assert book.details[-1].volume == 199


def test_sums_are_kept_by_release_and_older_ones_summed_up() -> None:
    """What a version earned is asked for long after its trades are gone from the list."""
    book = Book(venue="paper")
    for number in range(RELEASES_KEPT + 3):
        trade = decided(release=f"r{number}", decided_s=START_S + number)
        for _ in range(2):
            keep_decided(book, trade)
    assert len(book.tallies) == RELEASES_KEPT + 1
    assert book.tallies[f"paper:{OLDER}"].trades == 6
    assert book.tallies["paper:r34"].trades == 2
    assert "paper:r2" not in book.tallies
    assert sum(one.trades for one in book.tallies.values()) == 2 * (RELEASES_KEPT + 3)
