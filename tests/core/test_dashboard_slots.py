"""A card says what is held, what the price does, and nothing that is not known."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from foresight.board import MICRO, Result, Side
from foresight.book import Book, SlotMemory, Word
from foresight.dashboard.slots import Held, slot_views
from foresight.dashboard.slots_markup import price_text, slots_html
from foresight.market import WindowFacts
from foresight.trades import OpenOrder
from state.record import (
    Timeline,
)
from tests.core.dashboard_values import (
    NOW_MS,
    START_S,
    book,
    closes,
    decided,
    entry,
    position,
)


def slot(of: Book, slot_id: str = "btc-5m") -> Any:  # noqa: ANN401 - read by attribute
    views = {view.slot: view for view in slot_views(of, Timeline(), NOW_MS)}
    return views[slot_id]


def test_slots_come_by_asset_and_length() -> None:
    of = book(slots=dict.fromkeys(["zec-5m", "btc-15m", "aaa-5m", "btc-5m", "odd"], SlotMemory()))
    names = [view.slot for view in slot_views(of, Timeline(), NOW_MS)]
    assert names == ["btc-5m", "btc-15m", "zec-5m", "aaa-5m"]


def test_a_card_knows_its_window_and_the_price_to_beat() -> None:
    view = slot(book())
    assert (view.window_from_ms, view.window_until_ms) == (START_S * 1000, START_S * 1000 + 300_000)
    assert (view.reference, view.price) == (129.0, 131.0)
    assert view.move == pytest.approx(131 / 129 - 1)
    assert (len(view.path), view.path_in_window) == (20, 2)


def test_windows_follow_the_timeline() -> None:
    timeline = Timeline(origin_ns=(START_S - 100) * 10**9, speed=60)
    view = slot_views(book(), timeline, START_S * 1000)[0]
    assert view.window_until_ms - view.window_from_ms == 5_000


def test_the_markets_own_reference_comes_first() -> None:
    memory = SlotMemory(start_s=START_S, reference=130.5, word=Word.QUIET, reason="too_early")
    view = slot(book(slots={"btc-5m": memory}))
    assert (view.reference, view.word, view.reason) == (130.5, "quiet", "too_early")


def test_what_the_market_said_holds_while_no_strategy_was_asked() -> None:
    """A market that settles by average has another price to beat than our last close."""
    memory = SlotMemory(facts=WindowFacts(start_s=START_S, reference=130.5))
    assert slot(book(slots={"btc-5m": memory})).reference == 130.5
    for facts in (WindowFacts(start_s=START_S), WindowFacts(start_s=START_S - 300, reference=1.0)):
        assert slot(book(slots={"btc-5m": SlotMemory(facts=facts)})).reference == 129.0


def test_what_was_said_of_an_older_window_is_not_repeated() -> None:
    memory = SlotMemory(start_s=START_S - 300, reference=1.0, word=Word.QUIET, reason="too_early")
    view = slot(book(slots={"btc-5m": memory}))
    assert (view.reference, view.word, view.reason) == (129.0, "new", "")


def test_a_price_that_lacks_newer_ones_says_of_when_it_is() -> None:
    """An asset's feed fell silent: its last close stood there as the price of now, bet ahead."""
    newest_s = (closes().newest + 1) * 60
    held = {"a": position()}
    for late_s, is_old in ((0, False), (119, False), (120, True), (3600, True)):
        view = slot(book(now_s=newest_s + late_s, positions=held))
        assert view.price_at_ms == (newest_s * 1000 if is_old else None), late_s
        assert (view.price, view.move is None) == (131.0, is_old)
        assert (view.holding.is_ahead is None) is is_old
        html = slots_html([view])
        assert ("! <time" in html, "▲ 1" in html) == (is_old, not is_old)
    assert slot(book(closes={}, now_s=newest_s + 3600)).price_at_ms is None


def test_an_unknown_price_is_unknown() -> None:
    view = slot(book(closes={}))
    assert (view.price, view.reference, view.move, view.path) == (None, None, None, ())


@pytest.mark.parametrize(("side", "ahead"), [(Side.UP, True), (Side.DOWN, False)])
def test_a_position_says_whether_the_price_is_on_its_side(side: Side, ahead: bool) -> None:  # noqa: FBT001 - a value of the table
    held = slot(book(positions={"t": position(entry=entry(side=side))})).holding
    assert (held.held, held.side, held.price, held.shares) == (Held.OPEN, side.value, 0.9, 20.0)
    assert held.is_ahead is ahead


def test_a_bet_on_an_ended_window_is_not_shown_beside_the_next_ones_price() -> None:
    """It read as if the price of now decided it."""
    old = position(entry=entry(f"btc-updown-5m-{START_S - 300}"))
    view = slot(book(positions={"t": old}))
    assert view.holding is None
    (ended,) = view.ended
    assert (ended.held, ended.is_ahead, ended.until_ms) == (Held.AWAITING, None, START_S * 1000)
    both = slot(book(positions={"old": old, "new": position()}))
    assert (both.holding.held, both.holding.more, len(both.ended)) == (Held.OPEN, 0, 1)
    html = slots_html((both,))
    card, _, below = html.partition("</ul>")
    assert "awaiting" not in card
    assert "awaiting" in below


def test_the_reason_on_a_card_stands_in_its_text() -> None:
    """A phone has no pointer that hovers."""
    memory = SlotMemory(word=Word.DENIED, reason="edge_small", start_s=START_S)
    html = slots_html((slot(book(slots={"btc-5m": memory})),))
    assert ">denied: edge small<" in html
    assert "How to read a card" in html


def test_an_adopted_position_has_no_probability() -> None:
    adopted = position(entry=replace(entry(), slot="", is_adopted=True))
    held = slot(book(positions={"t": adopted})).holding
    assert (held.is_adopted, held.probability) == (True, None)


def test_an_order_without_receipt_is_shown() -> None:
    order = OpenOrder(
        entry=entry(),
        token="t",  # noqa: S106 - of an outcome, not of access
        limit_micro=920_000,
        shares_micro=5 * MICRO,
        reserved_micro=5 * MICRO,
    )
    held = slot(book(orders={"e1": order})).holding
    assert (held.held, held.price) == (Held.ORDERED, 0.92)


@pytest.mark.parametrize(
    ("result", "outcome", "profit"),
    [(Result.UP, "won", 0.95), (Result.DOWN, "lost", -9.05), (Result.VOID, "void", -4.05)],
)
def test_the_last_result_is_the_slots_own(result: Result, outcome: str, profit: float) -> None:
    trades = [decided(Result.UP), decided(result), decided(Result.UP, slot_id="zec-15m")]
    last = slot(book(decided=trades)).last
    assert (last.outcome, last.profit) == (outcome, pytest.approx(profit))
    assert slot(book(decided=trades), "btc-15m").last is None


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (None, "—"),
        (97412.53, "97,412.5"),
        (652.184, "652.18"),
        (1.44721, "1.4472"),
        (0.411731, "0.41173"),
    ],
)
def test_a_price_has_about_six_digits(price: float | None, words: str) -> None:
    assert price_text(price) == words
