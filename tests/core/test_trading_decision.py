"""One cycle as a pure function: total, repeatable, and careful."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from foresight.board import Result, Side, Slot, Window
from foresight.book import SCHEMA, Book, SlotMemory, Word, violations_of
from foresight.decision import Policy, decide, look, wanted
from foresight.market import (
    Candles,
    FeedClock,
    Holdings,
    Level,
    Market,
    Offer,
    Ruling,
    VenuePosition,
)
from foresight.orders import Bought, Buy
from foresight.strategies import Silence, Strategy
from foresight.strategies.stand_aside import StandAside
from handoff.workload import Decision, Unavailable, payload_of, receipt
from state.record import Control, Effect, Outcome, Receipt
from tests.trading_values import (
    RISK,
    SLOT,
    START_S,
    WINDOW,
    Sure,
    closes,
    cycle_at,
    facts,
    offer,
    policy,
    seen,
)

NOW_S = START_S + 180


def run(
    body: Book | None = None,
    *,
    inputs: Market | Unavailable | None = None,
    by: Policy | None = None,
    now_s: int = NOW_S,
    receipts: tuple[Receipt, ...] = (),
    control: Control | None = None,
) -> Decision[Book]:
    """Decide, and prove on the way that it is pure and leaves a sound book."""
    body = body or Book()
    before = SCHEMA.encode(body)
    values: dict[str, Any] = {
        "cycle": cycle_at(now_s, control=control),
        "body": body,
        "inputs": inputs if inputs is not None else seen(now_s),
        "receipts": receipts,
    }
    decision = decide(by or policy(), **values)
    again = decide(by or policy(), **values)
    assert SCHEMA.encode(body) == before
    assert SCHEMA.encode(decision.body) == SCHEMA.encode(again.body)
    assert decision.effects == again.effects
    assert violations_of(decision.body) == []
    return decision


def bought(effect: Effect) -> Receipt:
    order = payload_of(effect, Buy)
    payload = Bought(
        order_id="0x1",
        shares_micro=order.shares_micro,
        cost_micro=order.shares_micro * 8 // 10,
        fee_micro=0,
    )
    return receipt(effect, Outcome.CONFIRMED, payload=payload)


def test_a_signal_becomes_one_order_and_its_window_one_trade() -> None:
    first = run()
    (effect,) = first.effects
    assert payload_of(effect, Buy).slug == WINDOW.slug
    assert first.body.slots[SLOT.slot_id].word is Word.ORDERED
    second = run(first.body, now_s=NOW_S + 60, receipts=(bought(effect),))
    assert second.effects == ()
    assert len(second.body.positions) == 1
    assert second.body.slots[SLOT.slot_id].word is Word.BOUGHT
    ruling = Ruling(slug=WINDOW.slug, result=Result.UP)
    third = run(
        second.body, now_s=START_S + 300, inputs=seen(START_S + 300, offers={}, rulings=(ruling,))
    )
    assert third.body.decided[0].is_won
    assert (third.body.signals, third.body.unbought) == (2, {})  # the next window spoke, unread


def test_without_the_market_receipts_are_still_taken_in() -> None:
    """A fill must not be lost because the feed is down."""
    first = run()
    inputs = Unavailable("everything is down")
    second = run(first.body, now_s=NOW_S + 60, inputs=inputs, receipts=(bought(first.effects[0]),))
    assert len(second.body.positions) == 1
    assert second.effects == ()
    assert second.body.anomalies[0].kind == "market_unavailable"


@pytest.mark.parametrize(
    ("control", "reason"), [(Control(paused=True), "paused"), (Control(halted=True), "halted")]
)
def test_the_operator_stops_new_positions(control: Control, reason: str) -> None:
    decision = run(control=control)
    assert decision.effects == ()
    assert decision.body.slots[SLOT.slot_id].reason == reason


@pytest.mark.parametrize(
    ("offers", "reason"),
    [
        ({}, "market_unread"),
        ({"btc-5m": offer(failure="VenueThrottled: 429")}, "market_unread: VenueThrottled: 429"),
        ({"btc-5m": offer(rules=None, rules_unknown="tick size 7")}, "rules_unknown: tick size 7"),
        ({"btc-5m": offer(side=Side.DOWN)}, "market_unread"),
        ({"btc-5m": offer(slug="btc-updown-5m-0")}, "market_unread"),
        ({"btc-5m": offer(asks=())}, "nobody_sells"),
        ({"btc-5m": offer(asks=(Level(990_000, 10**9),))}, "price_too_high"),
    ],
)
def test_one_slots_trouble_is_its_own_refusal(offers: dict[str, Offer], reason: str) -> None:
    decision = run(inputs=seen(NOW_S, offers=offers))
    assert decision.effects == ()
    memory = decision.body.slots[SLOT.slot_id]
    assert (memory.word, memory.reason) == (Word.DENIED, reason)


def test_a_denied_signal_counts_as_unbought_once_its_window_is_gone() -> None:
    body = run(inputs=seen(NOW_S, offers={})).body
    body = run(body, now_s=NOW_S + 60, inputs=seen(NOW_S + 60, offers={})).body
    assert (body.signals, body.unbought) == (1, {})
    quiet = policy(StandAside())
    body = run(body, now_s=START_S + 300, by=quiet).body
    assert (body.signals, body.unbought) == (1, {"market_unread": 1})
    body = run(body, now_s=START_S + 360, by=quiet).body
    assert body.unbought == {"market_unread": 1}


def test_a_denied_signal_that_is_bought_later_is_not_unbought() -> None:
    body = run(inputs=seen(NOW_S, offers={})).body
    decision = run(body, now_s=NOW_S + 60)
    assert len(decision.effects) == 1
    body = run(
        decision.body,
        now_s=START_S + 300,
        by=policy(StandAside()),
        receipts=(bought(decision.effects[0]),),
    ).body
    assert (body.signals, body.unbought) == (1, {})


class Broken(Strategy, frozen=True, kw_only=True):
    @override
    def judge(self, view: Any) -> Any:
        raise RuntimeError(str(view.elapsed))


def test_a_strategys_fault_refuses_its_slot_and_is_logged_in_the_body() -> None:
    by = msgspec.structs.replace(
        policy(), slots=(SLOT, Slot("BTC", "15m")), strategies={"5m": Broken(), "15m": Sure()}
    )
    longer = Window(Slot("BTC", "15m"), START_S)
    inputs = seen(
        NOW_S,
        offers={"btc-15m": offer(slug=longer.slug)},
        facts={"btc-5m": facts(), "btc-15m": facts(longer)},
    )
    decision = run(by=by, inputs=inputs)
    assert [payload_of(effect, Buy).slug for effect in decision.effects] == [
        f"btc-updown-15m-{START_S}"
    ]
    (anomaly,) = decision.body.anomalies
    assert (anomaly.kind, anomaly.subject) == ("strategy_faulty", "btc-5m")
    assert "RuntimeError: 3" in anomaly.detail


def test_a_candle_that_is_off_by_a_hundredth_buys_nothing() -> None:
    """The opinion that it makes is sure, and here the market sells at a price that agrees."""
    for factor in (1.01, 0.98):
        known = closes(NOW_S // 60 - 1, last=100.0 * factor)
        decision = run(inputs=seen(NOW_S, known=known))
        assert decision.effects == ()
        assert decision.body.slots[SLOT.slot_id].reason == "price_jumped"
    older = seen(NOW_S, known=closes(NOW_S // 60 - 1, last=101.0), edition=1, facts={})
    assert len(run(inputs=older).effects) == 1, "as the release decided that recorded it"


def test_a_late_view_buys_nothing() -> None:
    inputs = msgspec.structs.replace(seen(NOW_S), seen_s=NOW_S + 300)
    decision = run(inputs=inputs)
    assert decision.effects == ()
    assert decision.body.slots[SLOT.slot_id].reason == "cycle_late"


def test_the_page_sees_what_the_strategy_thinks() -> None:
    memory = run().body.slots[SLOT.slot_id]
    assert memory.probability_ppm == 900_000
    assert (memory.start_s, memory.reference) == (START_S, 100.0)
    down = run(
        by=policy(Sure(side=Side.DOWN)),
        inputs=seen(NOW_S, offers={"btc-5m": offer(side=Side.DOWN)}),
    )
    assert down.body.slots[SLOT.slot_id].probability_ppm == 100_000
    assert len(down.effects) == 1


def test_the_venue_is_asked_about_speaking_slots_alone() -> None:
    inputs, cycle = seen(NOW_S, offers={}), cycle_at(NOW_S)
    (asked,) = wanted(policy(), book=Book(), inputs=inputs, cycle=cycle).items()
    begun = msgspec.structs.replace(offer(), asks=(), is_accepting=False, book_s=0)
    assert asked == ("btc-5m", begun), "what the market said of itself, without a book yet"
    silent = policy(StandAside())
    assert wanted(silent, book=Book(), inputs=inputs, cycle=cycle) == {}
    ordered = Book(slots={"btc-5m": SlotMemory(ordered_start_s=START_S)})
    assert wanted(policy(), book=ordered, inputs=inputs, cycle=cycle) == {}
    no_candles = msgspec.structs.replace(inputs, candles={})
    assert wanted(policy(), book=Book(), inputs=no_candles, cycle=cycle) == {}
    no_facts = msgspec.structs.replace(inputs, facts={})
    assert wanted(policy(), book=Book(), inputs=no_facts, cycle=cycle) == {}


def test_the_venues_own_list_is_compared_or_its_silence_flagged() -> None:
    found = VenuePosition(
        token="t",  # noqa: S106 - a market's token, no secret
        slug=WINDOW.slug,
        side=Side.DOWN,
        shares_micro=10_000_000,
        price_micro=300_000,
    )
    decision = run(inputs=seen(NOW_S, holdings=Holdings(positions=(found,))))
    assert [anomaly.kind for anomaly in decision.body.anomalies] == ["position_adopted"]
    assert decision.body.positions["adopted:t"].entry.is_adopted
    silent = run(inputs=seen(NOW_S, holdings=Holdings(failure="VenueUnreachable: no")))
    assert [anomaly.kind for anomaly in silent.body.anomalies] == ["holdings_unread"]


def test_stakes_of_one_cycle_count_against_each_other() -> None:
    """Sixteen orders planned together must not exceed the board's limit together."""
    slots = tuple(Slot(asset, "5m") for asset in ("BTC", "ETH", "SOL", "XRP"))
    risk = msgspec.structs.replace(RISK, stake_board_usdc=60.0, stake_floor_usdc=25.0)
    by = msgspec.structs.replace(policy(risk=risk), slots=slots)
    known = closes(NOW_S // 60 - 1)
    inputs = Market(
        candles={slot.asset: Candles(minutes=known.minutes, prices=known.prices) for slot in slots},
        offers={
            slot.slot_id: offer(slug=f"{slot.asset.lower()}-updown-5m-{START_S}", token=slot.asset)
            for slot in slots
        },
        facts={slot.slot_id: facts(Window(slot, START_S)) for slot in slots},
        clock=FeedClock(now_ms=NOW_S * 1000),
        seen_s=NOW_S,
    )
    decision = run(by=by, inputs=inputs)
    reserved = sum(order.reserved_micro for order in decision.body.orders.values())
    assert 55_000_000 < reserved <= 60_000_000
    assert decision.body.slots["xrp-5m"].reason == "limit_board"


@given(
    minutes=st.lists(st.integers(-5, 3), unique=True, max_size=9),
    price=st.floats(1e-3, 1e6),
    now=st.integers(0, 899),
    speaks=st.booleans(),
)
def test_a_decision_never_raises_whatever_the_candles_are(
    minutes: list[int], price: float, now: int, *, speaks: bool
) -> None:
    newest = NOW_S // 60
    found = tuple(sorted(newest + minute for minute in minutes))
    candles = Candles(minutes=found, prices=tuple(price * (1 + 0.01 * (m % 3)) for m in found))
    risk = msgspec.structs.replace(RISK, history_minutes_min=2)
    decision = run(
        now_s=START_S + now,
        by=policy(Sure() if speaks else StandAside(), risk=risk),
        inputs=Market(
            candles={"BTC": candles},
            offers={"btc-5m": offer()},
            facts={"btc-5m": facts(reference=price)},
            clock=FeedClock(now_ms=(START_S + now) * 1000),
            seen_s=START_S + now,
        ),
    )
    assert decision.body.now_s == START_S + now


class Watching(Strategy, frozen=True, kw_only=True):
    """Says nothing, and in saying so what it was shown."""

    @override
    def judge(self, view: Any) -> Any:
        return Silence(msgspec.json.encode(view).decode()[:79])


def test_a_strategy_sees_the_window_that_runs_at_whole_minutes() -> None:
    """A minute more or less and a rule tuned to minute four speaks at another price."""
    known = closes(NOW_S // 60 - 1, last=100.05)
    for now_s in (NOW_S, NOW_S + 59):
        body = run(inputs=seen(now_s, known=known), now_s=now_s, by=policy(Watching())).body
        shown = '{"minutes":5,"elapsed":3,"reference":100.0,"price":100.05,'
        memory = body.slots[SLOT.slot_id]
        assert memory.reason.startswith(shown)
        assert (memory.word, memory.reference, memory.price) == (Word.QUIET, 100.0, 100.05)


def test_a_slot_that_a_guard_stopped_shows_no_figures() -> None:
    """What was not looked at is zero on the page, and not the last look's or a made-up number."""
    book = Book(slots={SLOT.slot_id: SlotMemory(price=5.0, reference=5.0, probability_ppm=5)})
    memory = run(book, control=Control(paused=True)).body.slots[SLOT.slot_id]
    assert (memory.reference, memory.price, memory.probability_ppm) == (0.0, 0.0, 0)
    known = Book(closes={"BTC": closes(NOW_S // 60 - 1)})
    cycle = cycle_at(NOW_S, control=Control(halted=True))
    assert look(policy(), SLOT, book=known, inputs=seen(NOW_S), cycle=cycle).sigma == 0.0


def test_a_venues_words_are_cut_at_their_bounds() -> None:
    """Words of any length come from outside; the body is committed every cycle."""
    for length in (119, 120, 121, 199, 200, 201, 999):
        words = "x" * length
        told = run(inputs=Unavailable(words)).body
        assert len(told.anomalies[0].detail) == min(length, 200)
        told = run(inputs=seen(NOW_S, holdings=Holdings(failure=words))).body
        assert len(told.anomalies[0].detail) == min(length, 200)
        unread = run(inputs=seen(NOW_S, offers={"btc-5m": offer(failure=words)})).body
        reason = f"market_unread: {words}"[:120]
        assert unread.slots[SLOT.slot_id].reason == reason


def test_a_boundary_between_two_seconds_is_the_second_before() -> None:
    """At a period of half a second the time of a decision is stored as a whole number."""
    cycle = msgspec.structs.replace(cycle_at(NOW_S), now_ns=NOW_S * 10**9 + 500_000_000)
    answer = decide(policy(), cycle=cycle, body=Book(), inputs=seen(NOW_S), receipts=())
    assert (answer.body.now_s, type(answer.body.now_s)) == (NOW_S, int)


@pytest.mark.parametrize("failure", ["VenueUnreachable: no", "AnswerUnreadable: broken"])
def test_a_list_of_positions_that_was_not_read_proves_nothing(failure: str) -> None:
    """A failed question is no answer: shares that were not listed are not missing by it."""
    first = run()
    held = run(first.body, now_s=NOW_S + 60, receipts=(bought(first.effects[0]),)).body
    held.cycle = 0
    unread = seen(NOW_S + 60, offers={}, holdings=Holdings(failure=failure))
    body = run(held, now_s=NOW_S + 60, inputs=unread).body
    assert [anomaly.kind for anomaly in body.anomalies] == ["holdings_unread"]
    assert len(body.positions) == 1
