"""Orders: the same decision makes the same bytes, and every outcome has its place in the book."""

import msgspec
import pytest

from foresight.board import Side
from foresight.book import Book, SlotMemory, Word, violations_of
from foresight.orders import PAYLOAD, Bought, Buy, Intent, apply_receipt, plan, salt_of
from foresight.risk import Stake
from handoff.workload import payload_of, receipt
from state.record import Delivery, Effect, Outcome, Receipt, Timeline
from tests.trading_values import RULES, START_S, WINDOW, cycle_at, open_order

NOW_S = START_S + 180
TIMELINE = Timeline(origin_ns=(START_S - 600) * 1_000_000_000, speed=60)
BOUGHT = Bought(order_id="0x1", shares_micro=9_000_000, cost_micro=7_380_000, fee_micro=93_000)


def planned(book: Book, *, order_s: float = 60.0) -> Effect:
    intent = Intent(
        window=WINDOW,
        side=Side.UP,
        token="token-up",  # noqa: S106 - a market's token, no secret
        probability_ppm=900_000,
        stake=Stake(limit_micro=820_000, shares_micro=10_000_000, reserved_micro=8_303_320),
        rules=RULES,
        neg_risk=False,
    )
    return plan(
        book,
        intent,
        app="app",
        config="c1",
        cycle=cycle_at(NOW_S),
        timeline=TIMELINE,
        order_s=order_s,
    )


def final(effect: Effect, outcome: Outcome, *, payload: object = None, reason: str = "") -> Receipt:
    return receipt(effect, outcome, payload=payload, reason=reason)


def test_the_same_decision_makes_the_same_effect() -> None:
    """Two sends of one effect are one order: salt and time stamp belong to the effect."""
    assert planned(Book()) == planned(Book())
    effect = planned(Book())
    order = payload_of(effect, Buy)
    assert effect.effect_id == f"app:{WINDOW.slug}:{NOW_S // 60}"
    assert (effect.kind, effect.lane, effect.delivery) == ("buy", "btc-5m", Delivery.BY_ID)
    assert order.salt == salt_of(42, effect.effect_id)
    assert 0 < order.salt < 2**53
    assert PAYLOAD.decode(effect.payload, PAYLOAD.schema_id) == order


def test_wall_clock_times_follow_the_timeline() -> None:
    """The market runs sixty times faster; signatures and deadlines stay in real time."""
    effect = planned(Book())
    order = payload_of(effect, Buy)
    assert order.timestamp_ms == (START_S - 600) * 1000 + (180 + 600) * 1000 // 60
    assert effect.not_after_ns == (START_S - 600) * 10**9 + 900 * 10**9 // 60


def test_an_order_is_not_sent_long_after_it_was_decided() -> None:
    """A price that was right is a gift to others ten seconds later: the wall's, at any speed."""
    decided_ns = (START_S - 600) * 10**9 + (180 + 600) * 10**9 // 60
    assert planned(Book(), order_s=0.5).not_after_ns == decided_ns + 5 * 10**8
    ends_ns = decided_ns + 2 * 10**9  # the window's own end, on the wall
    assert planned(Book(), order_s=2.5).not_after_ns == ends_ns


def test_other_seeds_and_ids_have_other_salts() -> None:
    assert len({salt_of(seed, name) for seed in (1, 2) for name in ("a", "b")}) == 4


def test_a_trade_carries_who_decided_it() -> None:
    book = Book()
    effect = planned(book)
    entry = book.orders[effect.effect_id].entry
    assert (entry.release, entry.config, entry.epoch, entry.cycle) == ("r1", "c1", 3, NOW_S // 60)
    assert (entry.slot, entry.slug, entry.end_s) == ("btc-5m", WINDOW.slug, START_S + 300)


def test_a_confirmed_order_becomes_a_position() -> None:
    book = Book(now_s=NOW_S)
    effect = planned(book)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=BOUGHT))
    assert book.orders == {}
    position = book.positions["token-up"]
    assert (position.shares_micro, position.stake_micro) == (9_000_000, 7_473_000)
    assert position.price_micro == 820_000
    assert position.order_id == "0x1"
    assert book.spent_micro == book.day_spent_micro == 7_473_000
    assert book.slots["btc-5m"].word is Word.BOUGHT
    assert book.anomalies == []
    assert violations_of(book) == []


@pytest.mark.parametrize(
    ("outcome", "reason", "counted"),
    [
        (Outcome.REFUSED, "not_fillable", "not_fillable"),
        (Outcome.REFUSED, "refused_by_venue: not enough balance", "refused_by_venue"),
        (Outcome.REFUSED, "not sent: halted", "refused"),
        (Outcome.EXPIRED, "proven never executed", "expired"),
        (Outcome.UNKNOWN, "", "unknown"),
    ],
)
def test_an_order_that_bought_nothing_is_counted_by_its_reason(
    outcome: Outcome, reason: str, counted: str
) -> None:
    book = Book(slots={"btc-5m": SlotMemory(ordered_start_s=START_S)})
    effect = planned(book)
    apply_receipt(book, final(effect, outcome, reason=reason))
    assert book.unbought == {counted: 1}
    assert (book.orders, book.positions, book.spent_micro) == ({}, {}, 0)
    memory = book.slots["btc-5m"]
    assert memory.word is Word.UNFILLED
    assert memory.reason == (reason or counted)
    assert memory.ordered_start_s == START_S  # one order per window, filled or not


def test_nothing_filled_is_nothing_bought() -> None:
    book = Book()
    effect = planned(book)
    nothing = msgspec.structs.replace(BOUGHT, shares_micro=0, cost_micro=0, fee_micro=0)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=nothing))
    assert book.unbought == {"not_fillable": 1}
    assert book.positions == {}


def test_a_receipt_that_cannot_be_read_is_flagged() -> None:
    book = Book()
    effect = planned(book)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload={"order_id": 7}))
    assert [anomaly.kind for anomaly in book.anomalies] == ["receipt_unreadable"]
    assert book.orders == {}


def test_a_receipt_of_an_unknown_order_is_flagged() -> None:
    book = Book()
    apply_receipt(book, final(planned(Book()), Outcome.CONFIRMED, payload=BOUGHT))
    assert [anomaly.kind for anomaly in book.anomalies] == ["receipt_without_order"]
    assert book.positions == {}


def test_a_second_entry_for_the_same_shares_is_flagged_and_not_booked() -> None:
    book = Book(now_s=NOW_S)
    effect = planned(book)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=BOUGHT))
    book.orders[effect.effect_id] = msgspec.structs.replace(open_order(), token="token-up")  # noqa: S106 - a market's token, no secret
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=BOUGHT))
    assert [anomaly.kind for anomaly in book.anomalies] == ["shares_held_already"]
    assert book.spent_micro == 7_473_000


def test_paying_more_than_planned_is_flagged() -> None:
    book = Book(now_s=NOW_S)
    effect = planned(book)
    dear = msgspec.structs.replace(BOUGHT, cost_micro=9_000_000)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=dear))
    assert [anomaly.kind for anomaly in book.anomalies] == ["paid_too_much"]
    assert book.spent_micro == 9_093_000


def test_paying_exactly_what_was_planned_is_no_alarm() -> None:
    """The limit says the most that an order can cost: that much is as planned."""
    for more, kinds in ((0, []), (1, ["paid_too_much"])):
        book = Book(now_s=NOW_S)
        effect = planned(book)
        said = msgspec.structs.replace(BOUGHT, cost_micro=8_200_000 + more)
        apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=said))
        assert [anomaly.kind for anomaly in book.anomalies] == kinds
        assert len(book.positions) == 1


@pytest.mark.parametrize(
    ("shares_micro", "fee_micro", "kinds"),
    [
        (10_000_000, 103_320, []),  # at the limit: 0.07 x 0.82 x 0.18 a share
        (10_250_000, 114_800, []),  # at 0.80: more shares, and beyond the reserve by their fee
        (10_250_000, 124_800, []),  # a cent more may be rounding
        (10_250_000, 124_801, ["paid_too_much"]),
        (10_000_000, 114_800, ["paid_too_much"]),  # that fee is due at a better price alone
    ],
)
def test_a_better_price_costs_more_fee_and_is_no_alarm(
    shares_micro: int, fee_micro: int, kinds: list[str]
) -> None:
    """The same dollars buy more shares nearer to one half, where the fee is higher."""
    book = Book(now_s=NOW_S)
    effect = planned(book)
    said = Bought(
        order_id="0x1", shares_micro=shares_micro, cost_micro=8_200_000, fee_micro=fee_micro
    )
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=said))
    assert [anomaly.kind for anomaly in book.anomalies] == kinds
    assert book.spent_micro == 8_200_000 + fee_micro


def test_the_smallest_fill_is_a_position() -> None:
    """A millionth of a share that is forgotten is found later as somebody else's."""
    book = Book(now_s=NOW_S)
    effect = planned(book)
    little = msgspec.structs.replace(BOUGHT, shares_micro=1, cost_micro=1, fee_micro=0)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload=little))
    assert book.positions["token-up"].shares_micro == 1
    assert book.unbought == {}


def test_a_receipt_that_cannot_be_read_counts_as_unbought_and_says_so() -> None:
    """The window is over for this slot, and the page must not show it as on its way."""
    book = Book()
    effect = planned(book)
    apply_receipt(book, final(effect, Outcome.CONFIRMED, payload={"order_id": 7}))
    assert book.unbought == {"receipt_unreadable": 1}
    assert book.slots["btc-5m"].word is Word.UNFILLED


def test_a_long_reason_is_cut_at_its_bound() -> None:
    """A venue's words are as long as it likes; sixteen slots of them are in every commit."""
    for length in (119, 120, 121, 500):
        book = Book()
        apply_receipt(book, final(planned(book), Outcome.REFUSED, reason="x" * length))
        assert len(book.slots["btc-5m"].reason) == min(length, 120)


def test_a_salt_is_the_same_in_every_release() -> None:
    """Another salt is another order to the venue: an order sent again would be bought twice."""
    assert salt_of(42, "app:btc-updown-5m-1763827200:1") == 2_978_601_323_593_783
    assert salt_of(7, "x") == 24_100_778_112_147


def test_the_payload_of_an_order_has_the_shape_that_was_released() -> None:
    """An order in doubt is read again by another release: a new shape needs a new version."""
    assert (PAYLOAD.schema_id.name, PAYLOAD.schema_id.version) == ("foresight.buy", 1)


@pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.UNKNOWN, Outcome.REFUSED])
def test_what_was_not_confirmed_buys_nothing_whatever_its_payload_says(outcome: Outcome) -> None:
    """An outcome that nobody knows is no purchase: the venue's own list will show one."""
    book = Book(now_s=NOW_S)
    effect = planned(book)
    apply_receipt(book, final(effect, outcome, payload=BOUGHT))
    assert (book.positions, book.spent_micro) == ({}, 0)
