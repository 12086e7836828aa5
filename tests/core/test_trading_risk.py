"""Guards and stakes: every denial has its reason, and no limit is exceeded."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foresight.board import COST_MIN_MICRO, MICRO, FeeSchedule, Side, Slot, Window, fee_micro
from foresight.book import Book, SlotMemory
from foresight.config import Risk
from foresight.market import Level, Offer
from foresight.risk import (
    Denial,
    Stake,
    deny_all,
    deny_jump,
    deny_late,
    deny_look,
    deny_market,
    stake_on,
)
from foresight.strategies import Opinion
from state.record import Control
from tests.trading_values import (
    FEE,
    RISK,
    RULES,
    SLOT,
    START_S,
    WINDOW,
    closes,
    holding,
    offer,
    open_order,
    position,
)

NOW_S = START_S + 180
NEWEST = NOW_S // 60 - 1
ASKS = (Level(800_000, 500 * MICRO),)


def opinion(probability: float = 0.9, price_max: float = 0.97) -> Opinion:
    return Opinion(
        side=Side.UP,
        probability_ppm=round(probability * MICRO),
        price_max_micro=round(price_max * MICRO),
    )


def look(book: Book | None = None, **changes: Any) -> Denial | None:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "closes": closes(NEWEST),
        "reference": 100.0,
        "risk": RISK,
        "now_s": NOW_S,
    }
    return deny_look(book or Book(now_s=NOW_S), WINDOW, **(values | changes))


def stake(
    *,
    book: Book | None = None,
    asks: tuple[Level, ...] = ASKS,
    risk: Risk = RISK,
    **view: Any,  # noqa: ANN401 - fields by their names
) -> Stake | Denial:
    return stake_on(
        opinion(**view), asks, RULES, book=book or Book(now_s=NOW_S), window=WINDOW, risk=risk
    )


def test_the_operator_comes_first() -> None:
    assert deny_all(Control()) is None
    assert deny_all(Control(paused=True)) is Denial.PAUSED
    assert deny_all(Control(paused=True, halted=True)) is Denial.HALTED


def test_a_window_is_ordered_once() -> None:
    memory = SlotMemory(ordered_start_s=START_S)
    assert look() is None
    assert look(Book(slots={SLOT.slot_id: memory})) is Denial.ORDERED_ALREADY
    earlier = SlotMemory(ordered_start_s=START_S - 300)
    assert look(Book(slots={SLOT.slot_id: earlier})) is None


def test_a_stale_or_short_feed_is_not_traded_on() -> None:
    assert look(closes=closes(NEWEST, count=19)) is Denial.HISTORY_SHORT
    assert look(closes=closes(NEWEST - 1)) is None  # one minute late is tolerated
    assert look(closes=closes(NEWEST - 2)) is Denial.FEED_STALE


@pytest.mark.parametrize(
    ("last", "denial"),
    [(100.0, None), (100.11, None), (99.93, None), (100.13, "jumped"), (99.91, "jumped")],
)
def test_a_price_that_jumped_is_not_believed(last: float, denial: str | None) -> None:
    """Prices swing by two basis points here: five times that is the most that is taken for one."""
    known = closes(NEWEST, price=100.0, last=last)
    expected = Denial.PRICE_JUMPED if denial else None
    assert deny_jump(known, risk=RISK) is expected
    assert deny_jump(known, risk=msgspec.structs.replace(RISK, jump_max_sigmas=0)) is None


def test_a_price_may_have_moved_further_over_a_gap() -> None:
    """Four minutes without a candle are twice as far, and what a jump is measured by is older."""
    known = closes(NEWEST, price=100.0, last=100.15)
    late = msgspec.structs.replace(known, minutes=(*known.minutes[:-1], NEWEST + 3))
    assert deny_jump(known, risk=RISK) is Denial.PRICE_JUMPED
    assert deny_jump(late, risk=RISK) is None


def test_a_window_without_its_price_to_beat_is_not_traded() -> None:
    for unknown in (Denial.FACTS_UNREAD, Denial.REFERENCE_MISSING, Denial.REFERENCE_UNVERIFIED):
        assert look(reference=unknown) is unknown


def test_cooldown_and_drawdown_end_by_themselves() -> None:
    book = Book(slots={SLOT.slot_id: SlotMemory(quiet_until_s=NOW_S + 1)})
    assert look(book) is Denial.COOLDOWN
    assert look(Book(slots={SLOT.slot_id: SlotMemory(quiet_until_s=NOW_S)})) is None
    assert look(Book(board_quiet_until_s=NOW_S + 1)) is Denial.DRAWDOWN
    assert look(Book(board_quiet_until_s=NOW_S)) is None


def test_a_view_of_later_than_its_cycle_is_not_acted_upon() -> None:
    assert deny_late(RISK, now_s=NOW_S, seen_s=NOW_S + 60) is None
    assert deny_late(RISK, now_s=NOW_S, seen_s=NOW_S + 61) is Denial.CYCLE_LATE


@pytest.mark.parametrize(
    ("seen", "denial"),
    [
        (None, Denial.MARKET_UNREAD),
        (offer(failure="VenueThrottled: 429"), Denial.MARKET_UNREAD),
        (offer(rules=None, rules_unknown="tie rule"), Denial.RULES_UNKNOWN),
        (offer(is_accepting=False), Denial.MARKET_CLOSED),
        (offer(book_s=NOW_S - 31), Denial.BOOK_STALE),
        (offer(reference=0.0), Denial.REFERENCE_UNVERIFIED),
        (offer(reference=100.2), Denial.REFERENCE_UNVERIFIED),
    ],
)
def test_a_market_that_is_not_understood_is_not_traded(seen: Offer | None, denial: Denial) -> None:
    answer = deny_market(seen, reference=100.0, sigma=0.001, risk=RISK, now_s=NOW_S)
    assert answer is denial


def test_a_market_that_is_understood_gives_its_rules() -> None:
    seen = offer(reference=100.05, book_s=NOW_S - 30)
    assert deny_market(seen, reference=100.0, sigma=0.001, risk=RISK, now_s=NOW_S) is RULES
    relaxed = msgspec.structs.replace(RISK, reference_required=False)
    silent = offer(reference=0.0)
    assert deny_market(silent, reference=100.0, sigma=0.001, risk=relaxed, now_s=NOW_S) is RULES


def test_kelly_stakes_on_the_edge_after_price_and_fee() -> None:
    answer = stake()
    assert isinstance(answer, Stake)
    paid = 0.80 + 0.07 * 0.8 * 0.2
    assert 25.0 - 0.85 < answer.reserved_micro / MICRO <= 25.0  # the window's limit, whole shares
    roomy = msgspec.structs.replace(RISK, stake_window_usdc=1000, stake_asset_usdc=1000)
    answer = stake(risk=msgspec.structs.replace(roomy, stake_board_usdc=1000))
    assert isinstance(answer, Stake)
    kelly = 1000 * 0.25 * (0.9 - paid) / (1 - paid)
    assert kelly - 0.85 < answer.reserved_micro / MICRO <= kelly
    assert answer.limit_micro == 820_000


def test_the_limit_price_keeps_the_least_edge() -> None:
    """Slippage may cost part of the edge, never more than all of it."""
    answer = stake(probability=0.825)
    assert isinstance(answer, Stake)
    assert answer.limit_micro == 810_000  # at 0.82 the fee would turn the edge negative
    assert stake(probability=0.805) is Denial.EDGE_TOO_SMALL


@pytest.mark.parametrize(
    ("view", "denial"),
    [
        ({"asks": ()}, Denial.NOBODY_SELLS),
        ({"price_max": 0.79}, Denial.PRICE_TOO_HIGH),
        ({"asks": (Level(1_000_000, MICRO),)}, Denial.PRICE_TOO_HIGH),
        ({"probability": 0.81}, Denial.EDGE_TOO_SMALL),
        ({"risk": Risk(edge_max_cents=8.8)}, Denial.EDGE_IMPLAUSIBLE),  # it is 8.88
        ({"risk": Risk(edge_max_cents=100, capital_usdc=6)}, Denial.SIZE_TOO_SMALL),
        ({"risk": Risk(edge_max_cents=100, stake_window_usdc=1)}, Denial.LIMIT_WINDOW),
        ({"risk": Risk(edge_max_cents=100, stake_asset_usdc=1)}, Denial.LIMIT_ASSET),
        ({"risk": Risk(edge_max_cents=100, stake_board_usdc=1)}, Denial.LIMIT_BOARD),
        ({"risk": Risk(edge_max_cents=100, stake_day_usdc=1)}, Denial.LIMIT_DAY),
    ],
)
def test_every_denial_has_its_reason(view: dict[str, Any], denial: Denial) -> None:
    assert stake(**view) is denial


def test_what_is_held_and_ordered_takes_room() -> None:
    other = Window(Slot("BTC", "15m"), START_S)
    eth = Window(Slot("ETH", "5m"), START_S)
    book = holding(Book(now_s=NOW_S), position(other, cost_micro=40_000_000))
    assert stake(book=book) is not Denial.LIMIT_ASSET
    book = holding(Book(now_s=NOW_S), position(other, cost_micro=49_000_000))
    assert stake(book=book) is Denial.LIMIT_ASSET
    book = holding(Book(now_s=NOW_S), position(eth, cost_micro=249_000_000))
    assert stake(book=book) is Denial.LIMIT_BOARD
    book = Book(now_s=NOW_S, day=NOW_S // 86_400, day_spent_micro=2_490_000_000)
    book.orders["x"] = open_order(eth)
    assert stake(book=book) is Denial.LIMIT_DAY
    tomorrow = Book(now_s=NOW_S + 86_400, day=NOW_S // 86_400, day_spent_micro=2_490_000_000)
    assert isinstance(stake(book=tomorrow), Stake)


def test_a_floor_trades_without_an_edge_and_never_above_the_limits() -> None:
    demo = Risk(edge_min_cents=-4.0, stake_floor_usdc=8.0, stake_window_usdc=20.0)
    answer = stake(probability=0.79, risk=demo)
    assert isinstance(answer, Stake)
    assert 8.0 - 0.85 < answer.reserved_micro / MICRO <= 8.0


def test_a_share_that_costs_everything_has_no_kelly_stake() -> None:
    rules = msgspec.structs.replace(RULES, fee=msgspec.structs.replace(FEE, rate_ppm=999_999))
    risk = Risk(edge_min_cents=-100, stake_floor_usdc=3.0)
    asks = (Level(500_000, MICRO), Level(990_000, MICRO))
    answer = (
        stake_on(opinion(), asks[1:], rules, book=Book(), window=WINDOW, risk=risk),
        stake_on(opinion(price_max=0.99), asks[1:], rules, book=Book(), window=WINDOW, risk=risk),
    )
    assert answer[0] is Denial.PRICE_TOO_HIGH
    assert isinstance(answer[1], Stake)


def test_a_limit_finer_than_half_a_cent_is_not_named() -> None:
    """At a tick of a tenth of a cent only limits on half cents cost whole cents a few shares."""
    rules = msgspec.structs.replace(RULES, tick_micro=1_000)
    asks = (Level(813_000, 500 * MICRO),)
    risk = msgspec.structs.replace(RISK, slippage_cents=0.4)
    answer = stake_on(opinion(), asks, rules, book=Book(), window=WINDOW, risk=risk)
    assert isinstance(answer, Stake)
    assert answer.limit_micro == 815_000
    assert answer.shares_micro % (2 * MICRO) == 0
    tight = msgspec.structs.replace(RISK, slippage_cents=0.1)
    answer = stake_on(opinion(), asks, rules, book=Book(), window=WINDOW, risk=tight)
    assert answer is Denial.PRICE_TOO_HIGH


STEEP: Final = FeeSchedule(rate_ppm=250_000, exponent=2)
"""A schedule by which a USDC pays the highest fee at a third, and not where a share is cheapest."""


@given(
    probability=st.floats(0.01, 0.99),
    ask=st.integers(1, 99),
    window=st.integers(0, 60),
    asset=st.integers(0, 60),
    held=st.integers(0, 50_000_000),
    floor=st.integers(0, 30),
    slippage=st.integers(0, 10),
    fee=st.sampled_from([FEE, STEEP]),
)
@example(
    probability=0.5, ask=20, window=20, asset=60, held=0, floor=30, slippage=10, fee=STEEP
)  # there a worse price costs the higher fee
def test_no_order_can_cost_more_than_any_limit(
    *,
    probability: float,
    ask: int,
    window: int,
    asset: int,
    held: int,
    floor: int,
    slippage: int,
    fee: FeeSchedule,
) -> None:
    risk = Risk(
        edge_min_cents=-100,
        edge_max_cents=100,
        stake_window_usdc=window,
        stake_asset_usdc=asset,
        stake_floor_usdc=floor,
        slippage_cents=slippage,
    )
    book = Book(now_s=NOW_S)
    if held:
        holding(book, position(Window(Slot("BTC", "15m"), START_S), cost_micro=held))
    rules = msgspec.structs.replace(RULES, fee=fee)
    asks = (Level(ask * 10_000, MICRO),)
    answer = stake_on(opinion(probability), asks, rules, book=book, window=WINDOW, risk=risk)
    if isinstance(answer, Stake):
        assert answer.limit_micro % 10_000 == 0
        assert answer.shares_micro % MICRO == 0
        spent = answer.shares_micro * answer.limit_micro // MICRO
        assert spent >= COST_MIN_MICRO
        worst = spent + max(
            fee_micro(fee, shares_micro=spent * MICRO // price, price_micro=price)
            for price in range(ask * 10_000, answer.limit_micro + 1, 10_000)
        )
        assert worst <= answer.reserved_micro
        assert answer.reserved_micro <= window * MICRO
        assert answer.reserved_micro + held <= asset * MICRO


FREE: Final = msgspec.structs.replace(RULES, fee=FeeSchedule())
"""Rules of a market without a fee: sums are exact."""


def free_stake(
    risk: Risk,
    asks: tuple[Level, ...] = ASKS,
    **view: Any,  # noqa: ANN401 - fields by their names
) -> Stake | Denial:
    return stake_on(opinion(**view), asks, FREE, book=Book(now_s=NOW_S), window=WINDOW, risk=risk)


def test_exactly_enough_history_is_enough() -> None:
    """Twenty candles are what the file asks for: the twentieth must not be waited past."""
    assert look(closes=closes(NEWEST, count=20)) is None
    assert look(closes=closes(NEWEST, count=19)) is Denial.HISTORY_SHORT


def test_a_price_to_beat_at_the_tolerance_is_ours() -> None:
    """A price that lies one tolerance away is still one that both sources can mean."""
    for beat, is_ours in ((150.0, True), (50.0, True), (150.5, False), (49.5, False)):
        answer = deny_market(
            offer(reference=beat), reference=100.0, sigma=0.5, risk=RISK, now_s=NOW_S
        )
        assert (answer is RULES) is is_ours


@pytest.mark.parametrize(
    ("probability", "is_traded"), [(0.9, True), (0.899999, False), (0.899, False), (0.901, True)]
)
def test_exactly_the_least_edge_is_traded(probability: float, *, is_traded: bool) -> None:
    """Cents of the file are hundredths of a dollar: at ten cents an edge of 0.1 is the first."""
    risk = msgspec.structs.replace(RISK, edge_min_cents=10.0)
    answer = free_stake(risk, probability=probability)
    assert isinstance(answer, Stake) is is_traded
    assert is_traded or answer is Denial.EDGE_TOO_SMALL


def test_slippage_is_meant_in_cents() -> None:
    """Less than a tick of slippage is none: the limit is the best price itself."""
    for cents, limit in ((0.99, 800_000), (1.0, 810_000), (1.99, 810_000), (2.0, 820_000)):
        answer = free_stake(msgspec.structs.replace(RISK, slippage_cents=cents))
        assert isinstance(answer, Stake)
        assert answer.limit_micro == limit


def test_the_best_seller_is_the_first() -> None:
    """A dear seller further down the book neither stops a purchase nor sets its price."""
    asks = (Level(800_000, MICRO), Level(990_000, MICRO))
    answer = stake(asks=asks)
    assert isinstance(answer, Stake)
    assert answer.limit_micro == 820_000
    assert stake(asks=asks[::-1]) is Denial.PRICE_TOO_HIGH


def test_a_share_for_a_dollar_is_never_bought() -> None:
    """It can win nothing, whatever a strategy would pay and however it may lose on purpose."""
    whole = (Level(1_000_000, 500 * MICRO),)
    risk = Risk(edge_min_cents=-100, stake_floor_usdc=5.0)
    assert free_stake(risk, whole, price_max=1.0) is Denial.PRICE_TOO_HIGH
    below = (Level(990_000, 500 * MICRO),)
    assert isinstance(free_stake(risk, below, price_max=1.0), Stake)


def test_one_dollar_is_the_least_that_is_spent() -> None:
    """The venue refuses less; exactly that much is an order."""
    half = (Level(500_000, 500 * MICRO),)
    risk = Risk(slippage_cents=0, stake_window_usdc=1.0, edge_max_cents=100)
    answer = free_stake(risk, half)
    assert answer == Stake(limit_micro=500_000, shares_micro=2 * MICRO, reserved_micro=MICRO)
    less = msgspec.structs.replace(risk, stake_window_usdc=0.99)
    assert free_stake(less, half) is Denial.LIMIT_WINDOW


def test_a_stake_that_has_all_the_room_it_wants_is_too_small_by_itself() -> None:
    """No limit is to blame for a stake that would be as small without it."""
    risk = msgspec.structs.replace(
        RISK, capital_usdc=0, stake_floor_usdc=0.9, stake_window_usdc=0.9
    )
    assert free_stake(risk) is Denial.SIZE_TOO_SMALL
    narrow = msgspec.structs.replace(risk, stake_window_usdc=0.89)
    assert free_stake(narrow) is Denial.LIMIT_WINDOW


def test_found_shares_of_a_window_take_its_room() -> None:
    """What was adopted is money at stake like any other: it is not bought a second time."""
    found = position(cost_micro=24_500_000, is_adopted=True)
    assert stake(book=holding(Book(now_s=NOW_S), found)) is Denial.LIMIT_WINDOW


def day_of(usdc: float) -> Risk:
    return msgspec.structs.replace(RISK, stake_day_usdc=usdc)


def test_an_order_on_its_way_counts_on_a_day_without_purchases() -> None:
    """The first orders of a day may not exceed its limit together either."""
    book = Book(now_s=NOW_S)
    book.orders["x"] = open_order(Window(Slot("ETH", "5m"), START_S))  # 9 USDC
    assert stake(book=book, risk=day_of(9.5)) is Denial.LIMIT_DAY
    assert isinstance(stake(book=book, risk=day_of(11)), Stake)


def test_no_order_is_larger_than_a_million_shares() -> None:
    """Limits of a billion dollars at a cent a share would make numbers that nobody checks."""
    risk = Risk(
        edge_max_cents=100,
        stake_floor_usdc=1e9,
        stake_window_usdc=1e9,
        stake_asset_usdc=1e9,
        stake_board_usdc=1e9,
        stake_day_usdc=1e9,
    )
    answer = free_stake(risk, (Level(10_000, MICRO),))
    assert isinstance(answer, Stake)
    assert answer.shares_micro == 1_000_000 * MICRO


def test_a_stake_is_whole_numbers() -> None:
    """Fractions of a millionth would be another number after the record was stored."""
    answer = stake()
    assert isinstance(answer, Stake)
    assert {type(value) for value in msgspec.structs.astuple(answer)} == {int}
