"""Cash: net of what is under way; what no trade accounts for is believed at the second reading."""

from typing import Any

import msgspec
import pytest

from foresight.board import FeeSchedule, Result, Side, Slot, Window, fee_micro
from foresight.book import SCHEMA, Book, Cash, keep_decided, receive, spend, violations_of
from foresight.confirmation import take_states
from foresight.market import SCHEMA as MARKET
from foresight.market import Holdings, Market, Ruling, Stage, Trades, VenuePosition
from foresight.reconcile import adopt, take_kind
from foresight.scoring import scores_of
from foresight.trades import Fill, OpenOrder, Position
from state.record import SchemaId
from tests.core.test_trading_decision import NOW_S, run
from tests.trading_values import (
    SLOT,
    START_S,
    WINDOW,
    closes,
    decided,
    holding,
    open_order,
    position,
    seen,
)

USDC = 1_000_000
START = 1_000 * USDC
END_S = WINDOW.end_s
TOKEN = f"token-{WINDOW.slug}"
WON = Ruling(slug=WINDOW.slug, result=Result.UP)


def listed(window: Window = WINDOW, **changes: Any) -> VenuePosition:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "token": f"token-{window.slug}",
        "slug": window.slug,
        "side": Side.UP,
        "shares_micro": 10 * USDC,
        "price_micro": 800_000,
    }
    return VenuePosition(**(values | changes))


def book_of(*positions: Position, now_s: int = NOW_S, held_micro: int = START) -> Book:
    """Return a book whose cash was right before these positions were bought."""
    book = Book(now_s=now_s - 60, cycle=now_s // 60 - 1, cash=Cash(held_micro=held_micro))
    return holding(book, *positions)


def after(book: Book, cash_micro: int | None, *rows: VenuePosition, **more: Any) -> Book:  # noqa: ANN401 - fields by their names
    """Decide a minute later with a reading of the account."""
    now_s = book.now_s + 60
    holdings = Holdings(positions=rows, cash_micro=cash_micro)
    inputs = seen(now_s, known=closes(now_s // 60 - 1), offers={}, holdings=holdings, **more)
    return run(book, inputs=inputs, now_s=now_s).body


def free_order() -> OpenOrder:
    """Return an order of 9.00 in a market without a fee."""
    return msgspec.structs.replace(open_order(), fee=FeeSchedule())


def cash_of(book: Book) -> tuple[int, int]:
    assert book.cash is not None
    return book.cash.held_micro, book.cash.off_micro


def kinds(book: Book) -> list[str]:
    return [one.kind for one in book.anomalies]


def test_the_first_reading_of_a_body_without_cash_is_its_start() -> None:
    book = after(Book(now_s=NOW_S - 60), 5 * USDC)
    assert (cash_of(book), kinds(book)) == ((5 * USDC, 0), [])


def test_what_is_under_way_at_the_start_is_found_out_and_not_flagged() -> None:
    """An order of 9.00 may be paid in the first reading or not: the next one shows which."""
    for paid, held in ((0, START), (9 * USDC, START + 9 * USDC), (4 * USDC, START + 4 * USDC)):
        ordered = Book(now_s=NOW_S - 60, orders={"app:1": free_order()})
        start = after(ordered, START)
        assert start.cash == Cash(held_micro=START, more_micro=9 * USDC)
        start.orders.clear()
        known = after(start, START + paid)
        assert (known.cash, kinds(known)) == (Cash(held_micro=held), [])
    start = after(Book(now_s=NOW_S - 60, orders={"app:1": free_order()}), START)
    start.orders.clear()
    off = after(start, START + 9_010_000)
    assert cash_of(off) == (START, 10_000)
    assert cash_of(after(off, START + 9_010_000)) == (START + 10_000, 0)


def test_a_trade_under_way_at_the_start_may_have_come_back_already() -> None:
    matched = holding(
        Book(now_s=NOW_S - 60), msgspec.structs.replace(position(), unconfirmed=(fill(),))
    )
    start = after(matched, START)
    assert start.cash == Cash(held_micro=START, less_micro=8_100_000)
    failed = Trades(stages={"t1": Stage.FAILED})
    found = after(after(start, START, trades=failed), START)
    assert (found.cash, found.positions) == (Cash(held_micro=START), {})
    assert kinds(found) == ["trade_failed"]


def test_what_a_window_paid_at_another_kind_of_venue_says_nothing_of_this_account() -> None:
    """Windows have the same names everywhere: simulated shares would hide real ones of a window."""
    book = Book(now_s=END_S, venue="paper")
    trade = decided()
    keep_decided(book, trade)
    spend(book, trade.cost_micro + trade.fee_micro)
    book.now_s += 60
    take_kind(book, "local")
    by_hand = listed(shares_micro=20 * USDC, worth_micro=20 * USDC, is_redeemable=True)
    start = after(book, 100 * USDC, by_hand)
    assert (cash_of(start), kinds(start)) == ((100 * USDC, 0), ["position_adopted"])
    redeemed = after(after(start, 120 * USDC, rulings=(WON,)), 120 * USDC)
    assert (cash_of(redeemed), kinds(redeemed)) == ((120 * USDC, 0), ["position_adopted"])


def test_inputs_without_a_reading_are_not_compared() -> None:
    """Inputs of version 1 never asked for it, and a listing that failed says nothing."""
    assert after(Book(now_s=NOW_S - 60), None).cash is None
    failed = seen(NOW_S, offers={}, holdings=Holdings(failure="no answer"))
    assert run(Book(), inputs=failed).body.cash is None
    known = after(book_of(), None)
    assert (cash_of(known), kinds(known)) == ((START, 0), [])


def test_purchases_and_payouts_move_the_cash_to_the_micro_usdc() -> None:
    book = book_of(position())
    assert cash_of(book) == (START - 8_100_000, 0)
    book.now_s = END_S - 60
    paid = after(book, START - 8_100_000 + 10 * USDC, rulings=(WON,))
    assert cash_of(paid) == (START + 1_900_000, 0)
    again = after(paid, START + 1_900_000)
    assert (cash_of(again), kinds(again)) == ((START + 1_900_000, 0), [])
    receive(again, 5)
    assert cash_of(again) == (START + 1_900_005, 0)


@pytest.mark.parametrize("off", [-70 * USDC, 70 * USDC, 10_000, -10_000])
def test_a_difference_is_believed_at_the_second_reading_and_is_no_profit(off: int) -> None:
    """Money that came or went by hand is the owner's; a strategy has not earned or lost it."""
    first = after(book_of(), START + off)
    assert (cash_of(first), kinds(first)) == ((START, off), [])
    second = after(first, START + off)
    assert (cash_of(second), kinds(second)) == ((START + off, 0), ["cash_adjusted"])
    assert scores_of(second).overall.profit == 0
    third = after(second, START + off)
    assert (cash_of(third), third.anomalies[0].count) == ((START + off, 0), 1)


def test_a_difference_that_is_gone_again_was_none() -> None:
    for between in (START, START - 5 * USDC):
        first = after(book_of(), START + 5 * USDC)
        second = after(first, between)
        assert kinds(second) == []
        assert cash_of(second) == (START, between - START)


def test_of_two_readings_the_smaller_difference_is_believed() -> None:
    """The rest was seen once: it waits for a second reading of its own."""
    first = after(book_of(), START + 5 * USDC)
    second = after(first, START + 8 * USDC)
    assert cash_of(second) == (START + 5 * USDC, 3 * USDC)
    third = after(second, START + 8 * USDC)
    assert (cash_of(third), kinds(third)) == ((START + 8 * USDC, 0), ["cash_adjusted"])
    assert third.anomalies[0].count == 2


def test_less_than_a_cent_is_rounding() -> None:
    book = after(after(book_of(), START + 9_999), START - 9_999)
    assert (cash_of(book), kinds(book)) == ((START, 0), [])


def test_an_order_without_a_receipt_may_be_paid_or_not() -> None:
    """It reserves 9.00: any reading down to that much less is no difference."""
    for paid, off in ((0, 0), (9 * USDC, 0), (9 * USDC + 10_000, -10_000), (-10_000, 10_000)):
        book = book_of()
        book.orders["app:1"] = free_order()
        assert cash_of(after(book, START - paid)) == (START, off)


def test_an_order_that_is_filled_better_than_it_was_planned_is_no_difference() -> None:
    """The same USDC and a higher fee: two readings were flagged as money that went away."""
    order = msgspec.structs.replace(open_order(), reserved_micro=8_600_000)
    fee = fee_micro(order.fee, shares_micro=85 * USDC, price_micro=100_000)
    assert 8_500_000 + fee > 9_000_000
    book = book_of()
    book.orders["app:1"] = order
    for _ in range(2):
        book = after(book, START - 8_500_000 - fee)
        assert (cash_of(book), kinds(book)) == ((START, 0), [])
    assert cash_of(after(book, START - 8_500_000 - 595_000 - 10_000))[1] < 0


def fill(trade: str = "t1") -> Fill:
    return Fill(trade=trade, shares_micro=10 * USDC, cost_micro=8 * USDC, fee_micro=100_000)


@pytest.mark.parametrize("stage", [Stage.MATCHED, Stage.CONFIRMED, None])
def test_a_trade_that_is_not_confirmed_may_not_be_paid_yet(stage: Stage | None) -> None:
    book = book_of(msgspec.structs.replace(position(), unconfirmed=(fill(),)))
    trades = Trades(stages={} if stage is None else {"t1": stage})
    paid = START - 8_100_000
    for reading, off in ((paid, 0), (START, 0), (START + 10_000, 10_000), (paid - 10_000, -10_000)):
        found = after(book, reading, listed(), trades=trades)
        assert cash_of(found) == (paid, off)


def test_a_trade_that_fails_gives_its_cash_back_to_the_cent() -> None:
    book = book_of(msgspec.structs.replace(position(), unconfirmed=(fill(),)))
    failed = Trades(stages={"t1": Stage.FAILED})
    for reading in (START, START - 8_100_000):
        found = after(book, reading, trades=failed)
        assert (cash_of(found), found.positions) == ((START, 0), {})
        assert kinds(found) == ["trade_failed"]
    assert cash_of(after(after(book, START, trades=failed), START)) == (START, 0)
    take_states(book, Trades(stages={"t1": Stage.FAILED}))
    assert cash_of(book) == (START, 0)


def test_an_ended_window_may_be_paid_before_its_result_is_read() -> None:
    """Its shares leave the listing when they are paid: those that are listed are not paid yet."""
    book = book_of(position(), now_s=END_S + 60)
    paid = START - 8_100_000
    for reading, off in ((paid, 0), (paid + 10 * USDC, 0), (paid + 10_010_000, 10_000)):
        assert cash_of(after(book, reading)) == (paid, off)
    assert cash_of(after(book, paid + 10 * USDC, listed())) == (paid, 10 * USDC)
    assert cash_of(after(book, paid, listed())) == (paid, 0)


def test_a_payout_may_come_a_moment_after_the_reading() -> None:
    book = book_of(position(), now_s=END_S + 60)
    paid = START - 8_100_000
    for reading, off in ((paid, 0), (paid + 10 * USDC, 0), (paid - 10_000, -10_000)):
        found = after(book, reading, rulings=(WON,))
        assert cash_of(found) == (paid + 10 * USDC, off)
        assert found.decided[0].profit_micro == 1_900_000
    booked = after(book, paid, rulings=(WON,))
    assert cash_of(after(booked, paid))[1] == -10 * USDC, "by the next reading it has come"


def windows(count: int) -> list[Window]:
    return [Window(SLOT, START_S - 7200 - 300 * number) for number in range(1, count + 1)]


def test_six_hundred_unredeemed_rows_are_no_difference() -> None:
    """Winnings are in the listing and not in the account until somebody redeems them."""
    rows = [
        listed(window, is_redeemable=True, worth_micro=10 * USDC * (number % 2))
        for number, window in enumerate(windows(600))
    ]
    start = after(Book(now_s=NOW_S - 60), START, *rows)
    assert cash_of(start) == (START + 3_000 * USDC, 0)
    later = after(start, START, *rows)
    assert cash_of(later) == (START + 3_000 * USDC, 0)
    some = after(later, START + 1_000 * USDC, *rows[200:])
    assert cash_of(some) == (START + 3_000 * USDC, 0)
    none = after(after(some, START + 3_000 * USDC), START + 3_000 * USDC)
    assert cash_of(none) == (START + 3_000 * USDC, 0)
    assert kinds(none) == ["winnings_unredeemed"]
    detail = "3000.00 USDC of 300 ended windows wait to be redeemed"
    first = after(Book(now_s=NOW_S + 7200), START, *rows)
    assert first.anomalies[0].detail == detail


def test_what_decided_trades_pay_is_known_without_the_listings_word() -> None:
    book = Book(now_s=END_S, cash=Cash(held_micro=START), decided=[decided()])
    book.spent_micro = 8_100_000
    assert cash_of(after(book, START - 10 * USDC, listed())) == (START, 0)
    lost = Book(now_s=END_S, cash=Cash(held_micro=START), decided=[decided(result=Result.DOWN)])
    lost.spent_micro = 8_100_000
    assert cash_of(after(lost, START, listed())) == (START, 0)
    assert cash_of(after(lost, START - USDC, listed())) == (START, -USDC)


def test_a_row_of_which_nothing_is_known_may_be_worth_all_or_nothing() -> None:
    old = Window(Slot("ETH", "5m"), START_S - 7200)
    for reading, off in ((START, 0), (START - 10 * USDC, 0), (START - 11 * USDC, -USDC)):
        assert cash_of(after(book_of(), reading, listed(old))) == (START, off)


def test_winnings_that_wait_for_an_hour_are_flagged() -> None:
    """The program redeems nothing: whoever does must know that it is time."""
    won = listed(is_redeemable=True, worth_micro=10 * USDC)
    for now_s, flagged in ((END_S + 3599, []), (END_S + 3600, ["winnings_unredeemed"])):
        book = Book(now_s=now_s - 60, decided=[decided()])
        book.spent_micro = 8_100_000
        assert kinds(after(book, START, won)) == flagged
    lost = listed(is_redeemable=True)
    assert kinds(after(Book(now_s=END_S + 7200), START, lost)) == []


def test_what_was_bought_by_hand_is_adopted_at_its_real_cost_and_in_no_figure() -> None:
    """An average over our shares and theirs would book a profit or a loss that nobody made."""
    row = listed(shares_micro=15 * USDC, cost_micro=12_500_000, fee_micro=150_000)
    book = after(book_of(position()), START - 12_650_000, row)
    found = book.positions[f"adopted:{TOKEN}"]
    assert (found.shares_micro, found.cost_micro, found.fee_micro) == (5 * USDC, 4_500_000, 50_000)
    assert (cash_of(book), kinds(book)) == ((START - 12_650_000, 0), ["position_adopted"])
    shown = scores_of(book).by_hand
    assert (shown.held, shown.staked, shown.decided) == (1, 4.55, 0)
    book.now_s = END_S - 60
    after_end = after(book, START - 12_650_000 + 15 * USDC, rulings=(WON,))
    scores = scores_of(after_end)
    assert (scores.overall.trades, scores.recent.trades) == (1, 1)
    assert scores.overall.profit == pytest.approx(1.9)
    assert (scores.by_hand.held, scores.by_hand.decided) == (0, 1)
    assert scores.by_hand.profit == pytest.approx(0.45)
    assert cash_of(after_end) == (START + 2_350_000, 0)


def test_a_listing_without_costs_is_adopted_at_its_average() -> None:
    book = Book(now_s=NOW_S)
    adopt(book, Holdings(positions=(listed(),)), now_s=NOW_S)
    assert book.positions[f"adopted:{TOKEN}"].cost_micro == 8 * USDC


def test_adopted_trades_stay_out_of_the_figures_when_they_are_archived() -> None:
    book = Book()
    for number in range(700):
        one = decided(is_adopted=number % 2 == 0)
        book.spent_micro += one.cost_micro + one.fee_micro

        keep_decided(book, one)
    scores = scores_of(book)
    assert (scores.overall.trades, scores.by_hand.decided) == (350, 350)
    assert (book.archived.trades, book.adopted.trades) == (200, 200)
    assert violations_of(book) == []


def test_the_previous_release_gets_all_sums_in_their_one_place() -> None:
    book = Book(decided=[decided(is_adopted=True)])
    book.adopted = msgspec.structs.replace(book.adopted, trades=2, cost_micro=5, newest_s=7)
    book.archived = msgspec.structs.replace(book.archived, trades=3, fee_micro=4, newest_s=9)
    first = SchemaId(name="foresight.book", version=1, fingerprint="")
    down = SCHEMA.encode_down(book, first)
    plain = msgspec.json.decode(down)
    assert plain["archived"] == {"trades": 5, "cost_micro": 5, "fee_micro": 4}
    assert "adopted" not in plain
    older = SchemaId(name="foresight.market", version=1, fingerprint="")
    row = listed(cost_micro=1, fee_micro=2, is_redeemable=True, worth_micro=3)
    inputs = Market(holdings=Holdings(positions=(row,), cash_micro=5), edition=1)
    back = MARKET.decode(MARKET.encode_down(inputs, older), older)
    assert back.holdings == Holdings(positions=(listed(),))
