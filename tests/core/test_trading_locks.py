"""Locks: what a run of losses or an operator locks, and the words that end it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foresight.board import Result, Slot, Window
from foresight.book import SCHEMA, AssetMemory, Book, SlotMemory
from foresight.config import Risk
from foresight.decision import decide, wanted
from foresight.locks import (
    ALL,
    Lock,
    hear,
    is_locked,
    lock_word,
    locks_of,
    replaced_by,
    unlock_word,
)
from foresight.market import Ruling
from foresight.settlement import settle
from handoff.workload import Decision
from state.record import MARKS_MAX, Control, SchemaId, Timeline
from tests.trading_values import (
    RISK,
    SLOT,
    START_S,
    WINDOW,
    cycle_at,
    holding,
    policy,
    position,
    seen,
)

NS = 1_000_000_000
NOW_S = START_S + 180
REAL = Timeline(origin_ns=0, speed=1)


def book(**changes: Any) -> Book:  # noqa: ANN401 - fields by their names
    return Book(**({"now_s": NOW_S} | changes))


def heard(known: Book, marks: dict[str, int], *, timeline: Timeline = REAL) -> Book:
    hear(known, marks, risk=RISK, timeline=timeline)
    return known


def decided(body: Book, **marks: int) -> Decision[Book]:
    cycle = cycle_at(NOW_S, control=Control(marks=marks))
    return decide(policy(), cycle=cycle, body=body, inputs=seen(NOW_S), receipts=())


def at(seconds: float) -> int:
    return round(seconds * NS)


def test_an_operator_locks_one_asset_and_no_other() -> None:
    marks = {"lock:BTC": at(NOW_S - 5)}
    decision = decided(book(), **marks)
    assert decision.effects == ()
    assert decision.body.slots[SLOT.slot_id].reason == "locked"
    cycle = cycle_at(NOW_S, control=Control(marks=marks))
    assert wanted(policy(), book=book(), inputs=seen(NOW_S), cycle=cycle) == {}
    assert len(decided(book(), **{"lock:ETH": at(NOW_S)}).effects) == 1


@pytest.mark.parametrize(
    ("marks", "locked"),
    [
        ({}, False),
        ({"lock:BTC": 5}, True),
        ({"lock:BTC": 5, "unlock:BTC": 4}, True),
        ({"lock:BTC": 5, "unlock:BTC": 6}, False),
        ({"lock:BTC": 5, "unlock:*": 6}, False),
        ({"lock:BTC": 7, "unlock:*": 6, "unlock:BTC": 5}, True),
        ({"lock:BTC": 5, "unlock:ETH": 6}, True),
        ({"unlock:BTC": 5}, False),
    ],
)
def test_the_younger_word_holds(marks: dict[str, int], *, locked: bool) -> None:
    assert is_locked(marks, "BTC") is locked


def guarded() -> Book:
    """Return a book in which all three guards lock something: since 100 s ago, for long."""
    long = SlotMemory(quiet_since_s=NOW_S - 100, quiet_until_s=NOW_S + 900)
    return book(
        slots={"btc-5m": long, "eth-15m": long},
        assets={"BTC": AssetMemory(locked_since_s=NOW_S - 100, locked_until_s=NOW_S + 900)},
        board_quiet_since_s=NOW_S - 100,
        board_quiet_until_s=NOW_S + 900,
    )


def scopes(known: Book) -> set[str]:
    return {one.scope for one in locks_of(known, {}, timeline=REAL)}


def test_a_word_ends_the_locks_that_began_before_it() -> None:
    assert scopes(guarded()) == {"*", "BTC", "btc-5m", "eth-15m"}
    for asked_s in (NOW_S - 100, NOW_S - 1, NOW_S):
        assert scopes(heard(guarded(), {"unlock:*": at(asked_s)})) == set()
        assert scopes(heard(guarded(), {"unlock:BTC": at(asked_s)})) == {"*", "eth-15m"}
    for asked_s in (1, NOW_S - 101, NOW_S + 1):  # before they began, or a clock that was ahead
        assert heard(guarded(), {"unlock:*": at(asked_s)}) == guarded()


def test_a_word_counts_once_however_often_it_is_read() -> None:
    """It stays in the record: what a guard locks afterwards is not ended by it."""
    marks = {"unlock:*": at(NOW_S - 50)}
    known = heard(guarded(), marks)
    again = heard(msgspec.structs.replace(known), marks)
    assert again == known
    later = AssetMemory(locked_since_s=NOW_S - 49, locked_until_s=NOW_S + 900)
    known.assets["BTC"] = later
    assert heard(known, marks).assets["BTC"] == later


def test_words_are_of_the_wall_and_locks_of_the_market() -> None:
    fast = Timeline(origin_ns=at(NOW_S - 600), speed=60)
    known = heard(guarded(), {"unlock:*": at(NOW_S - 600 + 9)}, timeline=fast)
    assert scopes(known) == set()
    known = heard(guarded(), {"unlock:*": at(NOW_S - 600 + 8)}, timeline=fast)
    assert known == guarded(), "eight minutes of the market after the origin: before they began"


def test_a_lock_of_an_older_release_began_its_length_before_its_end() -> None:
    """It did not keep when; a word that is older than the lock must not end it all the same."""
    until_s = NOW_S + 600
    known = book(
        slots={"btc-5m": SlotMemory(quiet_until_s=until_s)}, board_quiet_until_s=NOW_S + 600
    )
    began = {"btc-5m": until_s - RISK.cooldown_minutes * 60, ALL: NOW_S - 6_600}
    for scope, since_s in began.items():
        one = msgspec.structs.replace(known, slots=dict(known.slots))
        assert scope in scopes(heard(one, {"unlock:*": at(since_s - 1)}))
        assert scope not in scopes(heard(one, {"unlock:*": at(since_s)}))


def test_an_unlocked_board_counts_its_next_losses_from_then_on() -> None:
    """Whoever unlocks it wants the guard back, not switched off until the old lock's end."""
    known = heard(guarded(), {"unlock:*": at(NOW_S - 50)})
    known.slots, known.assets = {}, {}
    risk = msgspec.structs.replace(RISK, drawdown_usdc=8.0)
    holding(known, position())
    known.now_s = WINDOW.end_s
    settle(known, [Ruling(slug=WINDOW.slug, result=Result.DOWN)], risk=risk)
    assert (known.board_quiet_since_s, known.board_quiet_until_s > known.now_s) == (
        WINDOW.end_s,
        True,
    )


def lose(
    known: Book, at_s: int, *, risk: Risk, result: Result = Result.DOWN, asset: str = "BTC"
) -> int:
    """Decide one trade; return until when its asset is locked."""
    window = Window(Slot(asset, "5m"), at_s - at_s % 300 - 300)
    holding(known, position(window))
    known.now_s = at_s
    settle(known, [Ruling(slug=window.slug, result=result)], risk=risk)
    return known.assets.get(asset, AssetMemory()).locked_until_s


GUARDED = Risk(stop_guard_losses=3, stop_guard_lookback_minutes=60, stop_guard_minutes=30)


def test_so_many_losses_of_an_asset_lock_it() -> None:
    known = Book()
    assert lose(known, START_S, risk=GUARDED) == 0
    assert lose(known, START_S + 300, risk=GUARDED, result=Result.UP) == 0
    assert lose(known, START_S + 600, risk=GUARDED, asset="ETH") == 0
    assert lose(known, START_S + 900, risk=GUARDED) == 0
    locked_s = START_S + 1200
    assert lose(known, locked_s, risk=GUARDED) == locked_s + 1800
    assert locks_of(known, {}, timeline=REAL) == (
        Lock(scope="BTC", reason="stop_guard", since_s=locked_s, until_s=locked_s + 1800),
    )


def test_losses_longer_ago_than_the_lookback_lock_nothing() -> None:
    for late_s, is_locked_then in ((3_599, True), (3_600, False)):
        known = Book()
        lose(known, START_S, risk=GUARDED)
        lose(known, START_S + 300, risk=GUARDED)
        assert bool(lose(known, START_S + late_s, risk=GUARDED)) is is_locked_then


def test_losses_that_locked_an_asset_do_not_lock_it_again() -> None:
    known = Book()
    for late_s in (0, 300, 600):
        lose(known, START_S + late_s, risk=GUARDED)
    until_s = known.assets["BTC"].locked_until_s
    lose(known, START_S + 900, risk=GUARDED)  # bought before the lock
    assert lose(known, until_s, risk=GUARDED) == until_s
    assert lose(known, until_s + 300, risk=GUARDED) == until_s
    assert lose(known, until_s + 600, risk=GUARDED) == until_s + 600 + 1800


def test_a_stop_guard_of_nothing_never_locks() -> None:
    known = Book()
    never = msgspec.structs.replace(GUARDED, stop_guard_losses=0)
    for late_s in range(0, 9_000, 300):
        assert lose(known, START_S + late_s, risk=never) == 0
    assert known.assets == {}


def test_an_asset_that_the_stop_guard_locked_is_not_bought() -> None:
    locked = AssetMemory(locked_since_s=NOW_S - 1, locked_until_s=NOW_S + 1)
    decision = decided(book(assets={"BTC": locked}))
    assert decision.effects == ()
    assert decision.body.slots[SLOT.slot_id].reason == "stop_guard"
    over = msgspec.structs.replace(locked, locked_until_s=NOW_S)
    assert len(decided(book(assets={"BTC": over})).effects) == 1
    assert len(decided(book(assets={"BTC": locked}), **{"unlock:BTC": at(NOW_S)}).effects) == 1


def test_an_unlocked_asset_is_asked_about_in_the_same_cycle() -> None:
    """Otherwise the word would take effect a cycle later than the lock itself ends."""
    cycle = cycle_at(NOW_S, control=Control(marks={"unlock:*": at(NOW_S)}))
    known = guarded()
    assert set(wanted(policy(), book=known, inputs=seen(NOW_S), cycle=cycle)) == {"btc-5m"}
    assert known == guarded(), "the book itself is not changed"


def test_the_operators_lock_is_listed_with_the_guards() -> None:
    marks = {"lock:ETH": at(NOW_S - 7), "lock:SOL": 5, "unlock:SOL": 6}
    listed = locks_of(guarded(), marks, timeline=REAL)
    assert [(one.scope, one.reason) for one in listed] == [
        ("*", "max_drawdown"),
        ("BTC", "stop_guard"),
        ("ETH", "operator"),
        ("btc-5m", "cooldown"),
        ("eth-15m", "cooldown"),
    ]
    assert listed[2] == Lock(scope="ETH", reason="operator", since_s=NOW_S - 7)


def test_the_record_keeps_one_word_an_asset() -> None:
    """Its words are bounded, and a board has at most half as many assets."""
    marks: dict[str, int] = {}
    for number in range(400):
        asset = f"A{number % 32}"
        word = lock_word(asset) if number % 3 else unlock_word(asset if number % 5 else ALL)
        gone = {word, *replaced_by(word, marks)}
        marks = {name: said for name, said in marks.items() if name not in gone} | {word: number}
        assert len(marks) <= 33 < MARKS_MAX
    assert replaced_by(unlock_word(ALL), {"lock:A": 1, "unlock:B": 2, "other": 3}) == (
        "lock:A",
        "unlock:B",
    )


def test_a_book_with_locks_goes_down_to_the_release_that_has_none() -> None:
    first = SchemaId(name="foresight.book", version=1, fingerprint="")
    down = msgspec.json.decode(SCHEMA.encode_down(guarded(), first))
    assert down == {
        "now_s": NOW_S,
        "slots": {slot: {"quiet_until_s": NOW_S + 900} for slot in ("btc-5m", "eth-15m")},
        "board_quiet_until_s": NOW_S + 900,
    }


@given(
    marks=st.dictionaries(
        st.sampled_from(["lock:BTC", "unlock:BTC", "unlock:*", "lock:", "unlock:", ":", "x"]),
        st.integers(-(2**63), 2**63),
    )
)
def test_no_word_makes_a_decision_raise(marks: dict[str, int]) -> None:
    """Words come from outside, a newer release's among them."""
    decision = decided(guarded(), **marks)
    assert decision.body.now_s == NOW_S
