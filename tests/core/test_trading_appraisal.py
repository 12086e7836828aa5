"""What orders would have earned that a release wants otherwise: every amount is worked out by hand.

Ten shares at 0.80 cost 8.00 and a fee of 10 x 0.07 x 0.80 x 0.20 = 0.112: they earn 1.888 where
their side wins, lose 8.112 where it does not, and lose 3.112 where every share pays one half.
"""

from typing import Any

import msgspec
import pytest

from foresight.appraisal import appraise
from foresight.board import MICRO, Method, Result, Side, Tie, Window
from foresight.book import Book
from foresight.closes import Closes
from foresight.market import Candles, Detail, Market, Offer, Ruling
from foresight.orders import Buy
from handoff.workload import Appraisal, TwiceDecided, Unavailable, effect
from state.record import Effect
from tests.trading_values import FEE, RULES, SLOT, START_S, WINDOW, cycle_at, offer

WON, LOST, VOID = 1_888_000, -8_112_000, -3_112_000
START_MINUTE = START_S // 60
AFTER = Window(SLOT, WINDOW.end_s)
BEAT = Candles(minutes=(START_MINUTE - 1,), prices=(100.0,))  # the close at the window's start


def buy(window: Window = WINDOW, *, number: int = 0, **changes: Any) -> Effect:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "slug": window.slug,
        "side": Side.UP,
        "token": f"token-{window.slug}",
        "price_micro": 800_000,
        "shares_micro": 10 * MICRO,
        "tick_micro": 10_000,
        "neg_risk": False,
        "salt": 7,
        "timestamp_ms": 1,
        "fee": FEE,
    }
    order = Buy(**(values | changes))
    return effect("buy", effect_id=f"app:{window.slug}:{number}", payload=order)


def twice(
    minute: int,
    *,
    decided: tuple[Effect, ...] = (),
    wanted: tuple[Effect, ...] = (),
    closes: Candles | None = None,
    rulings: tuple[Ruling, ...] = (),
    offers: dict[str, Offer] | None = None,
) -> TwiceDecided[Market]:
    """A cycle, so many minutes after the window's start."""
    return TwiceDecided(
        cycle=cycle_at(START_S + 60 * minute),
        inputs=Market(
            candles={} if closes is None else {"BTC": closes}, rulings=rulings, offers=offers or {}
        ),
        decided=decided,
        wanted=wanted,
    )


def candles(*prices: float, last: int = START_MINUTE + 4) -> Candles:
    """Closes of a run of minutes up to the window's last one."""
    return Candles(minutes=tuple(range(last - len(prices) + 1, last + 1)), prices=prices)


def ended(
    price: float = 101.0,
    *,
    decided: tuple[Effect, ...] = (),
    wanted: tuple[Effect, ...] = (),
    tie: Tie | None = Tie.UP,
    result: Result | None = None,
) -> Appraisal:
    """Appraise orders of minute 3 of a window that begins at 100 and ends at a price."""
    rules = None if tie is None else msgspec.structs.replace(RULES, tie=tie)
    rulings = (Ruling(slug=WINDOW.slug, result=result),)
    offers = {SLOT.slot_id: offer(rules=rules)}
    return appraise(
        Book(),
        [
            twice(0, closes=BEAT),
            twice(3, decided=decided, wanted=wanted, offers=offers),
            twice(5, closes=candles(price), rulings=rulings),
        ],
    )


@pytest.mark.parametrize(
    ("price", "side", "tie", "earned"),
    [
        (101.0, Side.UP, Tie.UP, WON),
        (99.0, Side.UP, Tie.UP, LOST),
        (99.0, Side.DOWN, Tie.UP, WON),
        (101.0, Side.DOWN, Tie.UP, LOST),
        (100.0, Side.UP, Tie.UP, WON),
        (100.0, Side.DOWN, Tie.UP, LOST),
        (100.0, Side.UP, Tie.HALF, VOID),
        (100.0, Side.DOWN, Tie.HALF, VOID),
    ],
)
def test_an_order_is_worth_what_its_window_pays_less_price_and_fee(
    price: float, side: Side, tie: Tie, earned: int
) -> None:
    order = buy(side=side)
    more = ended(price, wanted=(order,), tie=tie)
    expected = Appraisal(of="orders", more=1, amount_micro=earned, unit="USDC", basis=more.basis)
    assert more == expected
    fewer = ended(price, decided=(order,), tie=tie)
    assert (fewer.more, fewer.fewer, fewer.amount_micro) == (0, 1, -earned)


@pytest.mark.parametrize(
    ("result", "earned"), [(Result.UP, WON), (Result.DOWN, LOST), (Result.VOID, VOID)]
)
def test_the_venues_word_comes_before_the_feeds(result: Result, earned: int) -> None:
    """Two price sources disagree on some windows, and only one of them pays."""
    for price in (99.0, 101.0):
        assert ended(price, wanted=(buy(),), result=result).amount_micro == earned


def test_a_question_that_fails_later_takes_no_ruling_back() -> None:
    cycles = [
        twice(0, closes=BEAT),
        twice(3, wanted=(buy(),)),
        twice(5, closes=candles(99.0), rulings=(Ruling(slug=WINDOW.slug, result=Result.UP),)),
        twice(6, rulings=(Ruling(slug=WINDOW.slug, failure="timeout"),)),
    ]
    assert appraise(Book(), cycles).amount_micro == WON


def test_an_order_that_changed_is_the_difference_of_the_two() -> None:
    """Twenty at 0.75: 20 - 15 - 20 x 0.07 x 0.75 x 0.25 = 4.7375 where they win."""
    larger = buy(price_micro=750_000, shares_micro=20 * MICRO)
    up = ended(101.0, decided=(buy(),), wanted=(larger,))
    assert (up.more, up.fewer, up.changed, up.judged) == (0, 0, 1, 1)
    assert up.amount_micro == 4_737_500 - WON
    down = ended(99.0, decided=(buy(),), wanted=(larger,))
    assert down.amount_micro == -15_262_500 - LOST


def test_orders_that_are_the_same_and_effects_of_other_kinds_are_not_counted() -> None:
    alert = effect("alert", effect_id="alert-1", payload="a word")
    said = ended(decided=(buy(),), wanted=(buy(), alert))
    assert (said.more, said.fewer, said.changed, said.amount_micro) == (0, 0, 0, 0)


def test_a_window_that_the_record_ends_before_is_open() -> None:
    cycles = [twice(0, closes=BEAT), twice(3, wanted=(buy(),)), twice(4, closes=candles(101.0))]
    said = appraise(Book(), cycles)
    assert (said.more, said.unended, said.unjudged, said.judged) == (1, 1, 0, 0)
    assert said.amount_micro == 0


@pytest.mark.parametrize(
    ("first", "last"),
    [(BEAT, None), (None, candles(101.0)), (BEAT, candles(101.0, last=START_MINUTE + 3))],
)
def test_a_window_without_a_price_at_each_end_cannot_be_judged(
    first: Candles | None, last: Candles | None
) -> None:
    cycles = [twice(0, closes=first), twice(3, wanted=(buy(),)), twice(5, closes=last)]
    said = appraise(Book(), cycles)
    assert (said.more, said.unended, said.unjudged, said.judged) == (1, 0, 1, 0)
    assert said.amount_micro == 0


def test_equal_prices_cannot_be_judged_where_the_rule_for_them_is_not_recorded() -> None:
    assert ended(100.0, wanted=(buy(),), tie=None).unjudged == 1
    assert ended(101.0, wanted=(buy(),), tie=None).unjudged == 0


def test_a_slug_that_names_no_window_cannot_be_judged() -> None:
    assert ended(wanted=(buy(slug="who-knows"),)).unjudged == 1


def test_the_price_to_beat_may_be_older_than_the_first_cycle() -> None:
    book = Book(closes={"BTC": Closes(minutes=BEAT.minutes, prices=BEAT.prices)})
    cycles = [twice(3, wanted=(buy(),)), twice(5, closes=candles(99.0))]
    assert appraise(book, cycles).amount_micro == LOST


def test_a_window_has_one_order_however_often_it_is_wanted() -> None:
    """Each cycle is decided from the recorded book, which knows nothing of the first one."""
    cycles = [
        twice(0, closes=BEAT),
        twice(3, wanted=(buy(number=3),)),
        twice(4, wanted=(buy(number=4, price_micro=900_000),)),
        twice(5, closes=candles(101.0)),
    ]
    said = appraise(Book(), cycles)
    assert (said.more, said.amount_micro) == (1, WON)


def test_an_order_that_comes_a_cycle_earlier_takes_the_place_of_the_later_one() -> None:
    """Five at 0.60: 5 - 3 - 5 x 0.07 x 0.60 x 0.40 = 1.916."""
    early = buy(number=3, price_micro=600_000, shares_micro=5 * MICRO)
    cycles = [
        twice(0, closes=BEAT),
        twice(3, wanted=(early,)),
        twice(4, decided=(buy(number=4),), wanted=(buy(number=4),)),
        twice(5, closes=candles(101.0)),
    ]
    said = appraise(Book(), cycles)
    assert (said.more, said.fewer, said.changed) == (0, 0, 1)
    assert said.amount_micro == 1_916_000 - WON


def test_windows_add_up_and_a_cycle_without_inputs_is_passed_over() -> None:
    nothing: TwiceDecided[Market] = TwiceDecided(
        cycle=cycle_at(START_S + 240), inputs=Unavailable("out"), decided=(), wanted=()
    )
    cycles = [
        twice(0, closes=BEAT),
        twice(3, wanted=(buy(),)),
        nothing,
        twice(5, closes=candles(101.0)),
        twice(8, decided=(buy(AFTER, side=Side.DOWN),)),
        twice(9, decided=(buy(Window(SLOT, AFTER.end_s)),)),
        twice(10, closes=candles(102.0, last=START_MINUTE + 9)),
    ]
    said = appraise(Book(), cycles)
    assert (said.more, said.fewer, said.unended) == (1, 2, 1)
    assert said.amount_micro == WON - LOST


def averaged(minute: int, average: float) -> Candles:
    """Return a candle that closes at 100 and averages to a price."""
    rest = Detail(open=(4 * average - 100) / 3, high=(4 * average - 100) / 3, low=0.0, volume=1.0)
    rest = msgspec.structs.replace(rest, low=4 * average - 100 - rest.open - rest.high)
    return Candles(minutes=(minute,), prices=(100.0,), details=(rest,))


@pytest.mark.parametrize(("last", "earned"), [(101.0, WON), (99.0, LOST), (100.5, WON)])
def test_a_market_that_settles_by_average_is_told_by_averages(last: float, earned: int) -> None:
    """By its closes alone, a tie here, every second purchase would be appraised as lost or won."""
    rules = msgspec.structs.replace(RULES, method=Method.AVERAGE_60S)
    cycles = [
        twice(0, closes=averaged(START_MINUTE - 1, 100.5)),
        twice(3, wanted=(buy(),), offers={SLOT.slot_id: offer(rules=rules)}),
        twice(5, closes=averaged(START_MINUTE + 4, last)),
    ]
    assert appraise(Book(), cycles).amount_micro == earned
    unread = [cycles[0], cycles[1], twice(5, closes=candles(101.0))]
    assert appraise(Book(), unread).unjudged == 1, "a candle without its average tells nothing"
