"""Settlement: the venue's word decides, the sums agree, and losses have consequences."""

from typing import Any

import msgspec
import pytest

from foresight.board import Result, Side, Slot, Window, window_at, window_of_slug
from foresight.book import (
    RESULT_STEPS,
    Book,
    Gain,
    SlotMemory,
    keep_result,
    violations_of,
)
from foresight.config import Risk
from foresight.market import Level, Ruling
from foresight.risk import Denial, Stake, stake_on
from foresight.settlement import ASKED_MAX, awaited, due, payout_micro, settle
from foresight.strategies.base import Opinion
from tests.trading_values import (
    RISK,
    RULES,
    SLOT,
    START_S,
    WINDOW,
    holding,
    open_order,
    position,
)

END_S = WINDOW.end_s


def ended(result: Result | None, *, risk: Risk = RISK, now_s: int = END_S) -> Book:
    book = holding(Book(now_s=now_s), position())
    settle(book, [Ruling(slug=WINDOW.slug, result=result)], risk=risk)
    return book


def test_ended_windows_with_positions_are_asked_for_oldest_first() -> None:
    later = Window(Slot("ETH", "5m"), START_S + 300)
    book = holding(Book(), position(later), position())
    book.orders["x"] = open_order(Window(Slot("SOL", "5m"), START_S))
    assert due(book, END_S - 1) == ()
    assert due(book, END_S) == (WINDOW.slug,)
    assert due(book, END_S + 300) == (WINDOW.slug, later.slug)


def test_no_more_windows_are_asked_for_than_the_bound() -> None:
    many = [position(Window(SLOT, START_S + 300 * number)) for number in range(ASKED_MAX + 5)]
    asked = due(holding(Book(), *many), END_S + 10**6)
    assert len(asked) == ASKED_MAX
    assert asked[0] == WINDOW.slug


def test_windows_without_a_result_keep_no_other_one_waiting() -> None:
    """The oldest 24 were asked for: as many that never get a result blocked all later ones."""
    many = [position(Window(SLOT, START_S + 300 * number)) for number in range(130)]
    book = holding(Book(), *many)
    turns = [due(book, END_S + 10**6, turn=turn) for turn in range(5)]
    newest = {one.entry.slug for one in many[-ASKED_MAX // 2 :]}
    assert all(newest <= set(asked) and len(set(asked)) == ASKED_MAX for asked in turns)
    assert {slug for asked in turns for slug in asked} == {one.entry.slug for one in many}


@pytest.mark.parametrize(
    ("result", "payout", "profit", "won"),
    [
        (Result.UP, 10_000_000, 1_900_000, True),
        (Result.DOWN, 0, -8_100_000, False),
        (Result.VOID, 5_000_000, -3_100_000, False),
    ],
)
def test_a_position_becomes_a_decided_trade(
    result: Result, payout: int, profit: int, *, won: bool
) -> None:
    book = ended(result)
    (trade,) = book.decided
    assert (trade.payout_micro, trade.profit_micro, trade.is_won) == (payout, profit, won)
    assert trade.entry.release == "r1"
    assert trade.decided_s == END_S
    assert book.positions == {}
    assert violations_of(book) == []


def test_a_down_share_pays_when_the_venue_says_down() -> None:
    assert payout_micro(Result.DOWN, side=Side.DOWN, shares_micro=10_000_000) == 10_000_000
    assert payout_micro(Result.UP, side=Side.DOWN, shares_micro=10_000_000) == 0


def test_no_result_yet_changes_nothing() -> None:
    book = ended(None)
    assert len(book.positions) == 1
    assert book.anomalies == []


def test_a_result_before_the_end_is_not_believed() -> None:
    book = ended(Result.UP, now_s=END_S - 1)
    assert len(book.positions) == 1


def test_a_result_that_never_comes_is_flagged() -> None:
    book = ended(None, now_s=END_S + 3600)
    assert [anomaly.kind for anomaly in book.anomalies] == ["settlement_overdue"]
    assert len(book.positions) == 1


def test_losses_in_a_row_silence_the_slot() -> None:
    risk = Risk(cooldown_losses=2, cooldown_minutes=30)
    book = ended(Result.DOWN, risk=risk)
    assert book.slots[SLOT.slot_id] == SlotMemory(losses=1)
    holding(book, position())
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=risk)
    assert book.slots[SLOT.slot_id] == SlotMemory(
        losses=0, quiet_since_s=END_S, quiet_until_s=END_S + 1800
    )


def test_a_win_ends_the_row_and_a_void_window_does_not_count() -> None:
    book = holding(Book(now_s=END_S, slots={SLOT.slot_id: SlotMemory(losses=3)}), position())
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.VOID)], risk=RISK)
    assert book.slots[SLOT.slot_id].losses == 3
    holding(book, position())
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.UP)], risk=RISK)
    assert book.slots[SLOT.slot_id].losses == 0


def test_a_cooldown_of_zero_is_off_and_adopted_shares_do_not_count() -> None:
    book = ended(Result.DOWN, risk=Risk(cooldown_losses=0))
    assert book.slots[SLOT.slot_id].quiet_until_s == 0
    book = holding(Book(now_s=END_S), position(is_adopted=True))
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=RISK)
    assert book.slots == {}


def test_what_was_won_by_hand_covers_no_loss_of_a_strategy() -> None:
    """What was lost counts, whoever bought: it may be an order of ours without an answer."""
    for result, counted in ((Result.UP, []), (Result.DOWN, [-8_100_000])):
        book = holding(Book(now_s=END_S), position(is_adopted=True))
        settle(book, [Ruling(slug=WINDOW.slug, result=result)], risk=RISK)
        assert [one.profit_micro for one in book.results] == counted
        assert len(book.decided) == 1


def test_a_drawdown_stops_the_board_once() -> None:
    """Losses that stopped the board must not stop it again for ever."""
    risk = Risk(drawdown_usdc=20, drawdown_lookback_minutes=60, drawdown_stop_minutes=10)
    book = Book(now_s=END_S, results=[Gain(start_s=END_S - 60, profit_micro=-2 * 8_100_000)])
    holding(book, position())
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=risk)
    assert book.board_quiet_until_s == END_S + 600
    book.now_s = END_S + 900
    holding(book, position())
    settle(book, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=risk)
    assert book.board_quiet_until_s == END_S + 600


def test_many_small_losses_trip_the_guard_at_the_very_one_that_reaches_the_limit() -> None:
    """Only the last 300 trades were looked at: 1 440 losses of 0.40 never reached 150 USDC."""
    risk = Risk(drawdown_usdc=150, drawdown_lookback_minutes=720, drawdown_stop_minutes=60)
    book = Book(now_s=END_S)
    tripped = 0
    for trade in range(1, 1441):
        book.now_s += 60
        holding(book, position(cost_micro=300_000))
        settle(book, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=risk)
        if book.board_quiet_until_s:
            tripped = trade
            break
    assert tripped == 375
    assert len(book.results) <= RESULT_STEPS + 1


def test_the_guards_memory_is_bounded_and_loses_at_most_a_hundredth_of_its_lookback() -> None:
    lookback_s = 720 * 60
    book = Book(now_s=START_S)
    for _ in range(3000):
        book.now_s += 60
        keep_result(book, -1, lookback_s=lookback_s)
    assert len(book.results) <= RESULT_STEPS + 1
    kept = -sum(one.profit_micro for one in book.results)
    assert 0.99 * 720 - 1 <= kept <= 720


def test_old_losses_and_a_limit_of_zero_stop_nothing() -> None:
    book = holding(
        Book(now_s=END_S, results=[Gain(start_s=END_S - 7200, profit_micro=-9 * 8_100_000)]),
        position(),
    )
    settle(
        book,
        [Ruling(slug=WINDOW.slug, result=Result.DOWN)],
        risk=Risk(drawdown_usdc=20, drawdown_lookback_minutes=60),
    )
    assert book.board_quiet_until_s == 0
    assert ended(Result.DOWN, risk=Risk(drawdown_usdc=0)).board_quiet_until_s == 0


def test_exactly_the_bound_of_windows_is_asked_for_in_one_cycle() -> None:
    """Fifty fit in one request; one less and a full board falls behind."""
    many = [position(Window(SLOT, START_S + 300 * number)) for number in range(60)]
    assert len(due(holding(Book(), *many), END_S + 10**6)) == 50
    assert len(due(holding(Book(), *many[:50]), END_S + 10**6)) == 50


def test_thirty_results_that_are_ten_hours_late_hold_up_no_later_one() -> None:
    """A full board goes on beside them: each later window is settled within two cycles."""
    late = [position(Window(SLOT, START_S - 300 * number)) for number in range(1, 31)]
    book = holding(Book(now_s=START_S), *late)
    slots = [Slot(asset, length) for asset in "ABCDEFGH" for length in ("5m", "15m")]
    delayed = {one.entry.slug for one in late}
    for minute in range(10 * 60):
        book.now_s = START_S + 60 * minute
        for slot in slots:
            window = window_at(slot, book.now_s)
            if window.start_s == book.now_s:
                holding(book, position(window))
        asked = due(book, book.now_s, turn=minute)
        told = [Ruling(slug=slug, result=Result.UP) for slug in asked if slug not in delayed]
        settle(book, told, risk=RISK)
        waiting = {one.entry.slug for one in book.positions.values()} - delayed
        ends = [window_of_slug(slug).end_s for slug in waiting]  # type: ignore[union-attr] # of ours
        assert min(ends) > book.now_s - 2 * 60
    assert delayed <= {one.entry.slug for one in book.positions.values()}
    settle(book, [Ruling(slug=slug, result=Result.UP) for slug in due(book, book.now_s)], risk=RISK)
    assert not delayed & {one.entry.slug for one in book.positions.values()}


def test_what_has_no_result_is_shown_from_five_minutes_on_and_takes_room_until_it_has() -> None:
    assert awaited(ended(None, now_s=END_S + 299)) == []
    book = ended(None, now_s=END_S + 300)
    assert awaited(book) == [position()]
    later = Window(Slot("ETH", "5m"), START_S + 600)
    ask = (Level(800_000, 500 * 1_000_000),)
    opinion = Opinion(side=Side.UP, probability_ppm=900_000, price_max_micro=970_000)
    full = msgspec.structs.replace(RISK, stake_board_usdc=8.2)
    around: dict[str, Any] = {"window": later, "risk": full}
    assert stake_on(opinion, ask, RULES, book=book, **around) is Denial.LIMIT_BOARD
    decided = ended(Result.UP, now_s=END_S + 300)
    assert isinstance(stake_on(opinion, ask, RULES, book=decided, **around), Stake)


def test_a_result_is_overdue_after_an_hour_and_not_before() -> None:
    """A venue takes minutes: an alarm at every window is one that nobody reads."""
    assert ended(None, now_s=END_S + 3599).anomalies == []
    assert len(ended(None, now_s=END_S + 3600).anomalies) == 1


def test_half_of_an_odd_share_is_a_whole_micro_dollar() -> None:
    """A fraction in the body would be another number after it was stored."""
    paid = payout_micro(Result.VOID, side=Side.UP, shares_micro=3)
    assert (paid, type(paid)) == (1, int)


def lost_before(*moments: int) -> list[Gain]:
    return [Gain(start_s=moment, profit_micro=-8_100_000) for moment in moments]


def after_losses(*earlier: Gain, risk: Risk, result: Result | None = Result.DOWN) -> Book:
    book = holding(Book(now_s=END_S, results=list(earlier)), position())
    settle(book, [Ruling(slug=WINDOW.slug, result=result)], risk=risk)
    return book


@pytest.mark.parametrize(
    ("limit", "is_stopped"), [(8.0, True), (8.1, True), (8.100001, False), (8.2, False)]
)
def test_a_drawdown_of_exactly_the_limit_stops_the_board(limit: float, *, is_stopped: bool) -> None:
    """The loss is 8.10 USDC, fee included: the limit is the first loss that is too much."""
    book = after_losses(risk=Risk(drawdown_usdc=limit))
    assert (book.board_quiet_until_s > 0) is is_stopped


def test_a_drawdown_limit_is_meant_in_dollars_to_the_last_micro() -> None:
    """At a limit of hundreds a wrong scale would show in a few ten-thousandths only."""
    loss = Gain(start_s=END_S, profit_micro=-991_900_000)
    assert after_losses(loss, risk=Risk(drawdown_usdc=1000.0)).board_quiet_until_s > 0
    less = Gain(start_s=END_S, profit_micro=-991_899_999)
    assert after_losses(less, risk=Risk(drawdown_usdc=1000.0)).board_quiet_until_s == 0


def test_losses_count_for_exactly_the_lookback() -> None:
    """An hour is sixty minutes: what was lost a second longer ago is the past."""
    risk = Risk(drawdown_usdc=16.2, drawdown_lookback_minutes=60)
    inside = after_losses(*lost_before(END_S - 3599), risk=risk)
    assert inside.board_quiet_until_s > 0
    outside = after_losses(*lost_before(END_S - 3600), risk=risk)
    assert outside.board_quiet_until_s == 0


def test_the_board_is_judged_when_something_was_decided_and_not_before() -> None:
    """A lower limit in a new release must not stop the board for what was decided long ago."""
    risk = Risk(drawdown_usdc=8.0)
    idle = after_losses(*lost_before(END_S - 60), risk=risk, result=None)
    assert idle.board_quiet_until_s == 0
    assert after_losses(*lost_before(END_S - 60), risk=risk).board_quiet_until_s > 0


def test_a_win_pays_for_a_loss_before_the_board_stops() -> None:
    """A drawdown is what is missing in the end, fees of winners included, not the losses alone."""
    won = Gain(start_s=END_S - 60, profit_micro=1_900_000)
    risk = Risk(drawdown_usdc=6.2)
    assert after_losses(won, risk=risk).board_quiet_until_s > 0
    more = Risk(drawdown_usdc=6.200001)
    assert after_losses(won, risk=more).board_quiet_until_s == 0


def test_a_failed_question_about_a_result_is_no_result() -> None:
    """A venue that cannot be read has not said that a window is void, or lost."""
    book = holding(Book(now_s=END_S), position())
    settle(book, [Ruling(slug=WINDOW.slug, failure="VenueUnreachable: no answer")], risk=RISK)
    assert len(book.positions) == 1
    assert (book.decided, book.slots) == ([], {})
