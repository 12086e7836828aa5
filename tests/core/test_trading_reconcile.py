"""Book against venue: what the book does not know is adopted and flagged, never ignored."""

from typing import Any

import msgspec

from foresight.board import Result, Side, Slot, Window
from foresight.book import DECIDED_KEPT, Book, Cash, keep_decided, violations_of
from foresight.market import Holdings, Ruling, VenuePosition
from foresight.reconcile import adopt, differences
from foresight.settlement import settle
from tests.trading_values import (
    RISK,
    SLOT,
    START_S,
    WINDOW,
    decided,
    holding,
    open_order,
    position,
)

NOW_S = START_S + 200
TOKEN = f"token-{WINDOW.slug}"


def listed(*, window: Window = WINDOW, token: str = TOKEN, **changes: Any) -> VenuePosition:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "token": token,
        "slug": window.slug,
        "side": Side.UP,
        "shares_micro": 10_000_000,
        "price_micro": 800_000,
    }
    return VenuePosition(**(values | changes))


def kinds(book: Book, *positions: VenuePosition, now_s: int = NOW_S, **more: Any) -> list[str]:  # noqa: ANN401 - fields by their names
    holdings = Holdings(positions=positions, **more)
    return [one.kind for one in differences(book, holdings, now_s=now_s)]


def book_with_position() -> Book:
    return holding(Book(now_s=NOW_S, cycle=NOW_S // 60), position())


def test_agreement_is_no_difference() -> None:
    assert kinds(book_with_position(), listed()) == []
    assert kinds(Book()) == []


def test_a_listing_rounded_to_two_decimals_agrees() -> None:
    assert kinds(book_with_position(), listed(shares_micro=9_999_000)) == []
    assert kinds(book_with_position(), listed(shares_micro=10_009_000)) == []


def test_an_unknown_position_is_adopted_and_settled_like_any_other() -> None:
    book = Book(now_s=NOW_S, cycle=7)
    adopt(book, Holdings(positions=(listed(),)), now_s=NOW_S)
    (found,) = book.positions.values()
    assert found.entry.is_adopted
    assert (found.shares_micro, found.cost_micro) == (10_000_000, 8_000_000)
    assert (found.entry.slot, found.entry.end_s) == (SLOT.slot_id, WINDOW.end_s)
    assert [anomaly.kind for anomaly in book.anomalies] == ["position_adopted"]
    assert violations_of(book) == []
    adopt(book, Holdings(positions=(listed(),)), now_s=NOW_S)
    assert len(book.positions) == 1
    book.now_s = WINDOW.end_s
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.UP)], risk=RISK)
    assert book.decided[0].payout_micro == 10_000_000
    assert violations_of(book) == []


def test_more_shares_than_known_are_adopted_beside_the_known_ones() -> None:
    book = book_with_position()
    for shares in (12_000_000, 15_000_000):
        adopt(book, Holdings(positions=(listed(shares_micro=shares),)), now_s=NOW_S)
    assert sorted(one.shares_micro for one in book.positions.values()) == [5_000_000, 10_000_000]
    assert book.anomalies[0].count == 2
    assert violations_of(book) == []


def test_an_order_without_a_receipt_is_not_compared() -> None:
    """Its outcome is being asked for; adopting its shares would count them twice."""
    book = Book(now_s=NOW_S)
    book.orders["x"] = open_order()
    assert kinds(book, listed()) == []


def test_missing_shares_are_flagged_once_the_listing_had_time() -> None:
    book = book_with_position()
    assert kinds(book) == ["position_missing"]
    assert kinds(book, listed(shares_micro=3_000_000)) == ["position_missing"]
    book.cycle = 2  # the position is of cycle 1: the listing may lag
    assert kinds(book) == []


def test_ended_windows_leave_the_listing_by_themselves() -> None:
    assert kinds(book_with_position(), now_s=WINDOW.end_s) == []


def test_unredeemed_shares_of_decided_windows_are_not_adopted_again() -> None:
    """They would be paid out a second time in the book."""
    book = Book(decided=[decided()])
    assert kinds(book, listed(), now_s=WINDOW.end_s) == []
    assert kinds(Book(), listed(), now_s=WINDOW.end_s) == ["position_adopted"]
    assert kinds(Book(), listed(), now_s=WINDOW.end_s + 3600) == []
    assert kinds(book_with_position(), listed(shares_micro=12_000_000), now_s=WINDOW.end_s) == []


def test_shares_of_a_trade_that_is_no_longer_kept_in_full_are_not_adopted_again() -> None:
    """Nineteen assets decide more trades in an hour than are kept: each would be paid for twice."""
    book = Book(now_s=WINDOW.end_s + 60, cycle=7)
    keep_decided(book, decided(decided_s=WINDOW.end_s + 60))
    elsewhere = "eth-updown-5m-1"
    for number in range(DECIDED_KEPT):
        assert kinds(book, listed(), now_s=WINDOW.end_s + 1200) == []
        keep_decided(book, decided(slug=elsewhere, decided_s=WINDOW.end_s + 61 + number))
    assert kinds(book, listed(), now_s=WINDOW.end_s + 1200) == []
    later = Window(SLOT, WINDOW.end_s)
    assert kinds(book, listed(window=later), now_s=later.end_s + 600) == ["position_adopted"]


def test_shares_may_be_newer_than_the_book_until_their_window_has_ended_in_it() -> None:
    """A book that never decided anything is older than nothing."""
    found = Holdings(positions=(listed(),))

    def is_newer(book_s: int, now_s: int) -> bool:
        (difference,) = differences(Book(now_s=book_s), found, now_s=now_s)
        return difference.is_newer

    assert is_newer(NOW_S, NOW_S)
    assert is_newer(NOW_S, WINDOW.end_s)
    assert is_newer(0, NOW_S)
    assert not is_newer(WINDOW.end_s, WINDOW.end_s)
    assert not is_newer(0, WINDOW.end_s)


def test_what_is_of_another_kind_is_flagged_and_left_alone() -> None:
    book = Book(now_s=NOW_S)
    holdings = Holdings(
        positions=(listed(slug="who-wins"),), foreign=("election",), resting=("0xaa",)
    )
    adopt(book, holdings, now_s=NOW_S)
    assert [anomaly.kind for anomaly in book.anomalies] == ["position_foreign", "order_resting"]
    assert book.positions == {}


def test_a_window_off_the_board_is_adopted_too() -> None:
    window = Window(Slot("ADA", "15m"), START_S)
    book = Book(now_s=NOW_S)
    adopt(book, Holdings(positions=(listed(window=window),)), now_s=NOW_S)
    assert [one.entry.slot for one in book.positions.values()] == ["ada-15m"]


def test_a_listing_lags_two_cycles_and_no_more() -> None:
    """Asked too early, every fresh purchase is missing; too late, a lost one stays unseen."""
    for cycle, found in ((2, []), (3, ["position_missing"])):
        book = holding(Book(now_s=NOW_S, cycle=cycle), position(cycle=1))
        assert kinds(book) == found


def test_dust_is_less_than_a_hundredth_of_a_share_on_both_sides() -> None:
    """The listing has two decimals: what rounds away is no difference, a hundredth is one."""
    book = book_with_position()
    assert kinds(book, listed(shares_micro=10_010_000)) == ["position_adopted"]
    assert kinds(book, listed(shares_micro=10_009_999)) == []
    assert kinds(book, listed(shares_micro=9_990_000)) == ["position_missing"]
    assert kinds(book, listed(shares_micro=9_990_001)) == []


def test_a_position_of_a_hundredth_that_is_not_listed_is_missing() -> None:
    """What the venue does not list is zero there, neither more nor less."""
    for shares, found in ((10_000, ["position_missing"]), (9_999, [])):
        small = msgspec.structs.replace(position(), shares_micro=shares)
        book = holding(Book(now_s=NOW_S, cycle=NOW_S // 60), small)
        assert kinds(book) == found
    (missing,) = differences(book_with_position(), Holdings(), now_s=NOW_S)
    assert missing.detail == "book 10000000 up micro-shares, venue 0"


def test_what_is_missing_or_strange_is_never_called_newer() -> None:
    """Only unknown shares can be of an order that this book has not seen yet."""
    holdings = Holdings(foreign=("election",), resting=("0xaa",))
    found = differences(book_with_position(), holdings, now_s=NOW_S)
    assert [(one.kind, one.is_newer) for one in found] == [
        ("position_missing", False),
        ("position_foreign", False),
        ("order_resting", False),
    ]


def test_a_strangers_row_hides_none_of_those_behind_it() -> None:
    """A row that is left alone is one row: the next may be shares that nobody knows of."""
    eth = Window(Slot("ETH", "5m"), START_S)
    ours = listed(window=eth, token="t")  # noqa: S106 - a market's token, no secret
    assert kinds(Book(now_s=NOW_S), listed(slug="who-wins"), ours) == ["position_adopted"]
    book = Book(now_s=NOW_S)
    book.orders["x"] = open_order()
    assert kinds(book, listed(), ours) == ["position_adopted"]


def test_shares_of_an_ended_window_are_adopted_within_its_hour() -> None:
    """Until then they may be of an order that was lost; later they are what nobody redeemed."""
    assert kinds(Book(), listed(), now_s=WINDOW.end_s + 3599) == ["position_adopted"]
    assert kinds(Book(), listed(), now_s=WINDOW.end_s + 3600) == []


def test_what_adopted_shares_cost_is_a_whole_number() -> None:
    """A fraction in the body would not add up after it was stored."""
    book = Book(now_s=NOW_S)
    row = listed(shares_micro=10_000_001, price_micro=333_333)
    adopt(book, Holdings(positions=(row,)), now_s=NOW_S)
    (found,) = book.positions.values()
    assert (found.cost_micro, type(found.cost_micro)) == (3_333_330, int)


def test_cash_keeps_no_worker_out() -> None:
    """It differs for a moment after each order: a release must be able to come between two."""
    book = book_with_position()
    book.cash = Cash(held_micro=5)
    for held_micro in (None, 0, 5, 10**12):
        assert kinds(book, listed(), cash_micro=held_micro) == []
