"""Trades that may still fail: waited for, taken back to the cent, and never for ever."""

from typing import Any

import msgspec
import pytest

from foresight.board import Result, Side, Slot, Window
from foresight.book import (
    LISTING_LAG_CYCLES,
    SCHEMA,
    Book,
    Word,
    let_go,
    spent_today_micro,
    violations_of,
)
from foresight.confirmation import (
    UNCONFIRMED_S,
    is_held_up,
    since_s,
    take_states,
    waited_for,
)
from foresight.decision import decide
from foresight.market import SCHEMA as MARKET
from foresight.market import Holdings, Market, Ruling, Stage, Trades, VenuePosition, health_of
from foresight.orders import Bought, Buy
from foresight.reconcile import differences
from foresight.trades import Fill, Position
from handoff.workload import Decision, payload_of, receipt
from state.record import Effect, Outcome, Receipt, SchemaId
from tests.core.test_trading_decision import NOW_S, run
from tests.trading_values import (
    SLOT,
    START_S,
    WINDOW,
    Sure,
    closes,
    cycle_at,
    holding,
    offer,
    policy,
    position,
    seen,
)

END_S = WINDOW.end_s
ONE = Fill(trade="t1", shares_micro=6_000_000, cost_micro=4_800_000, fee_micro=60_001)
TWO = Fill(trade="t2", shares_micro=4_000_000, cost_micro=3_200_000, fee_micro=39_999)
UP = Ruling(slug=WINDOW.slug, result=Result.UP)


def unconfirmed(*fills: Fill, **changes: Any) -> Position:  # noqa: ANN401 - fields by their names
    """Return a position of 10 shares for 8.00 USDC and 0.10 of fee, with trades that may fail."""
    return msgspec.structs.replace(position(**changes), unconfirmed=fills or (ONE, TWO))


def told(**stages: Stage) -> Trades:
    return Trades(stages=stages)


def bought(effect: Effect, *fills: Fill) -> Receipt:
    payload = Bought(
        order_id="0x1",
        shares_micro=sum(fill.shares_micro for fill in fills),
        cost_micro=sum(fill.cost_micro for fill in fills),
        fee_micro=sum(fill.fee_micro for fill in fills),
        unconfirmed=fills,
    )
    return receipt(effect, Outcome.CONFIRMED, payload=payload)


def later(before: Decision[Book], minutes: int, **more: Any) -> Decision[Book]:  # noqa: ANN401 - fields by their names
    """Decide minutes after the first look, on the same market."""
    now_s = NOW_S + 60 * minutes
    receipts = more.pop("receipts", ())
    inputs = seen(now_s, known=closes(now_s // 60 - 1), **({"offers": {}} | more))
    return run(before.body, now_s=now_s, inputs=inputs, receipts=receipts)


def later_cycle(before: Decision[Book], **more: Any) -> Decision[Book]:  # noqa: ANN401 - fields by their names
    """Decide one cycle after another one, in the same minute."""
    number = before.body.cycle + 1
    inputs = seen(NOW_S + 60, known=closes(NOW_S // 60), **({"offers": {}} | more))
    cycle = msgspec.structs.replace(cycle_at(NOW_S + 60), number=number)
    return decide(policy(Sure()), cycle=cycle, body=before.body, inputs=inputs, receipts=())


def test_a_matched_order_whose_trades_fail_is_reversed_to_the_cent() -> None:
    """A venue matches first and pays later: what was never paid must not be settled."""
    first = run()
    (effect,) = first.effects
    held = later(first, 1, receipts=(bought(effect, ONE, TWO),))
    assert held.body.spent_micro == 8_100_000
    assert held.body.slots[SLOT.slot_id].word is Word.BOUGHT
    half = later(held, 1, trades=told(t1=Stage.FAILED, t2=Stage.MINED))
    (left,) = half.body.positions.values()
    assert (left.shares_micro, left.cost_micro, left.fee_micro) == (4_000_000, 3_200_000, 39_999)
    assert left.unconfirmed == (TWO,)
    assert half.body.spent_micro == spent_today_micro(half.body) == 3_239_999
    none = later(half, 1, trades=told(t2=Stage.FAILED))
    assert none.body.positions == {}
    assert none.body.spent_micro == spent_today_micro(none.body) == 0
    assert none.body.unbought == {"trade_failed": 1}
    assert none.body.slots[SLOT.slot_id].word is Word.UNFILLED
    assert none.body.anomalies[0].kind == "trade_failed"
    assert none.body.anomalies[0].count == 2


def still_listed(token: str) -> Holdings:
    """Return a listing that shows all ten shares, as before the failure."""
    row = VenuePosition(
        token=token,
        slug=WINDOW.slug,
        side=Side.UP,
        shares_micro=10_000_000,
        price_micro=800_000,
        cost_micro=8_000_000,
        fee_micro=100_000,
    )
    return Holdings(positions=(row,))


@pytest.mark.parametrize("failed", [{"t1"}, {"t1", "t2"}])
def test_shares_that_were_taken_back_are_not_adopted_from_a_listing_that_is_late(
    failed: set[str],
) -> None:
    """A listing that is late shows what failed: it would be held, and lost once more."""
    first = run()
    held = later(first, 1, receipts=(bought(first.effects[0], ONE, TWO),))
    (position,) = held.body.positions.values()
    stages = dict.fromkeys(("t1", "t2"), Stage.CONFIRMED) | dict.fromkeys(failed, Stage.FAILED)
    taken = later(held, 1, trades=told(**stages))
    sums = [taken.body.spent_micro]
    for _ in range(LISTING_LAG_CYCLES + 1):
        taken = later_cycle(taken, holdings=still_listed(position.token))
        sums.append(taken.body.spent_micro)
        assert [one.kind for one in taken.body.anomalies] == ["trade_failed"]
    assert len(set(sums)) == 1
    # What is listed after that is there.
    found = later_cycle(taken, holdings=still_listed(position.token))
    assert "position_adopted" in [one.kind for one in found.body.anomalies]


def test_what_an_order_that_bought_nothing_left_in_a_listing_is_not_adopted_at_once() -> None:
    """All its trades failed before its answer was read: the listing may show them all the same."""
    first = run()
    (effect,) = first.effects
    token = payload_of(effect, Buy).token
    refused = later(first, 1, receipts=(receipt(effect, Outcome.REFUSED, reason="not_fillable"),))
    late = later_cycle(refused, holdings=still_listed(token))
    assert (late.body.positions, late.body.anomalies) == ({}, [])


def test_what_was_taken_back_is_remembered_for_as_long_as_it_matters() -> None:
    book = Book(cycle=10)
    for number in range(40):
        let_go(book, f"token-{number}")
        book.cycle += 1
    assert list(book.let_go) == ["token-37", "token-38", "token-39"]


def test_a_window_whose_order_failed_is_not_bought_again() -> None:
    """One order per window: a second one might be matched beside a first that was tried again."""
    first = run()
    held = later(first, 0, receipts=(bought(first.effects[0], ONE),))
    again = later(held, 1, trades=told(t1=Stage.FAILED), offers={SLOT.slot_id: offer()})
    assert again.body.positions == {}
    assert again.effects == ()


def test_a_delayed_order_that_ends_unmatched_holds_nothing_and_is_not_sent_again() -> None:
    """The venue took it and found nobody: its slot is done with this window."""
    first = run()
    (effect,) = first.effects
    refused = receipt(effect, Outcome.REFUSED, reason="not_fillable")
    again = later(first, 1, receipts=(refused,), offers={SLOT.slot_id: offer()})
    assert (again.body.positions, again.body.orders, again.effects) == ({}, {}, ())
    assert again.body.spent_micro == 0
    assert payload_of(effect, Buy).slug == WINDOW.slug


def test_confirmed_trades_are_no_longer_asked_for() -> None:
    book = holding(Book(now_s=NOW_S), unconfirmed())
    assert waited_for(book) == {"t1", "t2"}
    take_states(book, told(t1=Stage.CONFIRMED, t2=Stage.RETRYING))
    assert waited_for(book) == {"t2"}
    take_states(book, told(t2=Stage.CONFIRMED))
    assert waited_for(book) == frozenset()
    assert (book.anomalies, violations_of(book)) == ([], [])
    assert book.positions[position().token] == position()


@pytest.mark.parametrize("stage", [Stage.MATCHED, Stage.MINED, Stage.RETRYING, None])
def test_a_trade_that_may_still_fail_changes_nothing(stage: Stage | None) -> None:
    book = holding(Book(now_s=NOW_S), unconfirmed())
    stages = {} if stage is None else {"t1": stage, "t2": stage}
    take_states(book, Trades(stages=stages))
    assert book.positions[position().token] == unconfirmed()


def decided_at(now_s: int, *, trades: Trades | None = None) -> Book:
    book = holding(Book(now_s=now_s - 60, cycle=now_s // 60 - 1), unconfirmed())
    inputs = seen(now_s, offers={}, rulings=(UP,), trades=trades)
    return run(book, now_s=now_s, inputs=inputs).body


def test_a_position_is_not_decided_before_its_trades_are() -> None:
    """A payout of shares that were never paid would be profit out of nothing."""
    for now_s in (END_S, END_S + UNCONFIRMED_S - 1):
        waiting = decided_at(now_s)
        assert (waiting.decided, len(waiting.positions)) == ([], 1)
        assert waiting.anomalies == []
    confirmed = decided_at(END_S, trades=told(t1=Stage.CONFIRMED, t2=Stage.CONFIRMED))
    assert confirmed.decided[0].payout_micro == 10_000_000
    half = decided_at(END_S, trades=told(t1=Stage.FAILED, t2=Stage.CONFIRMED))
    assert half.decided[0].payout_micro == 4_000_000
    assert half.decided[0].profit_micro == 4_000_000 - 3_239_999


def test_after_an_hour_a_position_is_decided_as_it_is_and_flagged() -> None:
    """A venue that never says must not keep a stake in the book for ever."""
    book = decided_at(END_S + UNCONFIRMED_S)
    assert book.decided[0].payout_micro == 10_000_000
    assert [one.kind for one in book.anomalies] == ["trades_unconfirmed"]
    assert UNCONFIRMED_S == 3600
    assert is_held_up(unconfirmed(), END_S + 3599)
    assert not is_held_up(position(), END_S)


def test_states_that_were_not_read_are_flagged_and_change_nothing() -> None:
    book = holding(Book(now_s=NOW_S), unconfirmed())
    take_states(book, Trades(failure="VenueUnreachable: no answer"))
    assert book.anomalies[0].kind == "trades_unread"
    assert len(book.positions) == 1
    failed = Market(trades=Trades(failure="x"))
    assert (health_of(failed).asked, health_of(failed).answered) == (1, 0)


def test_money_that_came_back_is_of_the_day_it_was_paid_on() -> None:
    """A stake of yesterday that comes back must not make room for more today."""
    midnight = START_S - START_S % 86_400 + 86_400
    last = Window(SLOT, midnight - 300)
    book = holding(Book(now_s=midnight - 60), unconfirmed(window=last))
    take_states(book, told(t1=Stage.FAILED))
    assert spent_today_micro(book) == 8_100_000 - 4_860_001
    evening = holding(Book(now_s=midnight - 60), unconfirmed(window=last))
    evening.now_s = midnight + 60
    evening.day, evening.day_spent_micro = midnight // 86_400, 5_000_000
    take_states(evening, told(t1=Stage.FAILED))
    assert spent_today_micro(evening) == 5_000_000
    assert evening.spent_micro == 8_100_000 - 4_860_001


def test_shares_that_may_still_fail_are_not_compared_with_the_listing() -> None:
    """The venue may list them or not, before and after: neither is a difference."""
    book = holding(Book(now_s=NOW_S, cycle=NOW_S // 60), unconfirmed())
    listed = VenuePosition(
        token=position().token,
        slug=WINDOW.slug,
        side=Side.UP,
        shares_micro=12_000_000,
        price_micro=800_000,
    )
    assert differences(book, Holdings(), now_s=NOW_S) == ()
    assert differences(book, Holdings(positions=(listed,)), now_s=NOW_S) == ()
    inputs = seen(
        NOW_S,
        offers={},
        trades=told(t1=Stage.FAILED, t2=Stage.FAILED),
        holdings=Holdings(positions=(listed,)),
    )
    after = run(book, inputs=inputs).body
    assert (after.positions, [one.kind for one in after.anomalies]) == ({}, ["trade_failed"])


def test_trades_are_asked_for_from_the_oldest_window_on() -> None:
    older = unconfirmed(window=Window(Slot("ETH", "15m"), START_S - 900))
    assert since_s(holding(Book(), unconfirmed(), older)) == START_S - 900
    assert since_s(holding(Book(), position())) == 0


def test_the_previous_release_gets_a_book_and_inputs_without_trades() -> None:
    first = SchemaId(name="foresight.book", version=1, fingerprint="")
    down = SCHEMA.encode_down(holding(Book(), unconfirmed()), first)
    assert b"unconfirmed" not in bytes(down)
    assert SCHEMA.decode(down, first).positions == {position().token: position()}
    older = SchemaId(name="foresight.market", version=1, fingerprint="")
    inputs = MARKET.encode_down(Market(trades=told(t1=Stage.MATCHED), edition=1), older)
    assert MARKET.decode(inputs, older) == Market(edition=1)
