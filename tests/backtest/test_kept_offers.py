"""Fitting tables on the offers that a journal kept: which count, what was seen, how they ended."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from typing_extensions import override

from foresight import window_facts
from foresight.backtest.calibration import Span, fit, reliability
from foresight.backtest.candle_rows import Rule
from foresight.backtest.kept_offers import Kept, Sight, seen_of, sights_in, whole_of
from foresight.board import Method, Result, Side, Slot, Tie, Window
from foresight.book import SCHEMA as BOOK
from foresight.book import Book
from foresight.cli.main import main
from foresight.decision import closes_with, look
from foresight.market import SCHEMA as MARKET
from foresight.market import Candles, Detail, FeedClock, Market, Ruling
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.registry import prices_of
from foresight.strategies.table import parse_table
from handoff.exit_codes import ExitCode
from state import transitions
from state.record import Fallback, Progress, Record, Timeline, evidence_of
from state.store import Note
from state.transitions import Cleanliness, Proof
from tests.homes import open_store
from tests.records import APP, A
from tests.trading_values import (
    RISK,
    RULES,
    SLOT,
    START_S,
    WINDOW,
    closes,
    cycle_at,
    facts,
    offer,
    policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from foresight.board import Rules
    from foresight.strategies.table import Venue

MINUTE: Final = START_S // 60
AVERAGED: Final = msgspec.structs.replace(RULES, method=Method.AVERAGE_60S)
REAL: Final = msgspec.structs.replace(RULES, source="www.binance.com")
WINDOWS: Final = 26  # of each of so many assets: more than 400 in each half
MANY: Final = tuple(f"A{number}" for number in range(40))


def at(minute: int, *, price: float | None = None, **members: Any) -> Kept:  # noqa: ANN401 - fields by their names
    """What a cycle saw, so many minutes after the window's start: a candle, if it has a price."""
    newest = MINUTE + minute - 1
    fresh = Candles() if price is None else Candles(minutes=(newest,), prices=(price,))
    return Kept(START_S + 60 * minute, Market(candles={"BTC": fresh}, **members))


def hour(last: float = 100.0) -> Candles:
    """Sixty-five minutes up to the window's start."""
    known = closes(MINUTE - 1, count=65, last=last)
    return Candles(minutes=known.minutes, prices=known.prices)


def offered(minute: int, price: float, **changes: Any) -> Kept:  # noqa: ANN401 - fields by their names
    return at(minute, price=price, offers={SLOT.slot_id: offer(**changes)})


BEFORE: Final = Kept(START_S, Market(candles={"BTC": hour()}))


def sights(*cycles: Kept, venue: Venue = "local") -> list[Sight]:
    return sights_in([BEFORE, *cycles], venue)


class Looking(Strategy, frozen=True, kw_only=True):
    """A strategy that keeps what it was shown."""

    shown: list[WindowView]

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        self.shown.append(view)
        return self.opinion(Side.UP, 0.9)


@pytest.mark.parametrize(("rules", "rule"), [(RULES, Rule.LAST), (AVERAGED, Rule.AVERAGE)])
@pytest.mark.parametrize("reference", [100.001, 0.0])
def test_a_window_has_moved_as_far_as_the_strategy_saw(
    rules: Rules, rule: Rule, reference: float
) -> None:
    """In other units the fitted chance would be read at the wrong place."""
    shown: list[WindowView] = []
    now_s = START_S + 180
    details = tuple(Detail(open=100.0, high=101.0, low=99.0, volume=1.0) for _ in range(65))
    before = Market(candles={"BTC": msgspec.structs.replace(hour(), details=details)})
    inputs = Market(
        candles={
            "BTC": Candles(
                minutes=tuple(range(MINUTE, MINUTE + 3)),
                prices=(100.1, 100.2, 100.15),
                details=details[:3],
            )
        },
        facts={SLOT.slot_id: facts(rules=rules, reference=reference)},
        offers={SLOT.slot_id: offer(rules=rules, reference=reference)},
        clock=FeedClock(now_ms=1000 * now_s),
        seen_s=now_s,
    )
    book = Book()
    for each in (before, inputs):
        book.closes = closes_with(book, each.candles)
        window_facts.note(book, each.facts)
    risk = msgspec.structs.replace(RISK, reference_required=False)
    deciding = policy(Looking(shown=shown), risk=risk)
    saw = look(deciding, SLOT, book=book, inputs=inputs, cycle=cycle_at(now_s))
    assert isinstance(saw.verdict, Opinion), saw
    ruled = Market(rulings=(Ruling(slug=WINDOW.slug, result=Result.UP),))
    cycles = [Kept(START_S, before), Kept(now_s, inputs), Kept(START_S + 360, ruled)]
    (found,) = sights_in(cycles, "local")
    assert (found.timeframe, found.minute, found.rule) == ("5m", 3, rule)
    assert found.observed.distance == pytest.approx(abs(shown[-1].distance))
    assert found.observed.is_right


@pytest.mark.parametrize(
    ("seen_at", "end", "ruled", "is_right"),
    [
        (101.0, 102.0, None, True),
        (101.0, 99.0, None, False),
        (99.0, 98.0, None, True),
        (101.0, 100.0, None, True),  # a tie is Up
        (99.0, 100.0, None, False),
        (101.0, 102.0, Result.DOWN, False),  # the venue's word comes first
        (99.0, 102.0, Result.DOWN, True),
    ],
)
def test_a_window_is_right_if_it_kept_its_side(
    seen_at: float, end: float, ruled: Result | None, *, is_right: bool
) -> None:
    rulings = () if ruled is None else (Ruling(slug=WINDOW.slug, result=ruled),)
    (found,) = sights(offered(3, seen_at), at(5, price=end, rulings=rulings))
    assert found.observed.is_right is is_right
    assert found.observed.quarter == MINUTE // 15
    assert found.span == Span(MINUTE - 1, MINUTE + 5)


@pytest.mark.parametrize(
    ("cycles", "why"),
    [
        ([offered(3, 101.0)], "it has not ended"),
        ([offered(3, 100.0), at(5, price=101.0)], "it had not moved"),
        ([offered(3, 101.0, failure="no answer"), at(5, price=101.0)], "there was no offer"),
        ([offered(3, 101.0, is_accepting=False), at(5, price=101.0)], "none could be taken"),
        ([offered(3, 101.0, rules=None), at(5, price=101.0)], "nobody knows its rule"),
        ([offered(0, 101.0, reference=99.0), at(5, price=101.0)], "it had just begun"),
        ([offered(6, 101.0), at(7, price=101.0)], "it was over"),
        ([offered(3, 101.0, slug="will-it-rain"), at(5, price=101.0)], "it is no window"),
        ([offered(3, 101.0, rules=REAL), at(5, price=101.0)], "it is of another venue"),
        (
            [
                offered(3, 101.0, rules=msgspec.structs.replace(RULES, tie=Tie.HALF)),
                at(5, price=100.0),
            ],
            "no side won",
        ),
    ],
)
def test_what_proves_nothing_does_not_count(cycles: list[Kept], why: str) -> None:
    assert sights(*cycles) == [], why


def test_generated_prices_never_pass_for_a_real_market() -> None:
    """A home that came from one venue to another keeps both in its journal."""
    of_both = [offered(3, 101.0), offered(4, 102.0, rules=REAL), at(5, price=103.0)]
    assert [each.minute for each in sights(*of_both, venue="local")] == [3]
    assert [each.minute for each in sights(*of_both, venue="paper")] == [4]


def test_candles_that_do_not_reach_back_an_hour_measure_nothing() -> None:
    late = Kept(START_S, Market(candles={"BTC": Candles(minutes=(MINUTE - 1,), prices=(100.0,))}))
    assert sights_in([late, offered(3, 101.0), at(5, price=102.0)], "local") == []


def test_a_window_counts_once_in_each_of_its_minutes() -> None:
    """With cycles of some seconds one window would stand for many."""
    again = Kept(START_S + 200, Market(offers={SLOT.slot_id: offer()}))
    found = sights(offered(3, 101.0), again, offered(4, 102.0), at(5, price=103.0))
    assert [each.minute for each in found] == [3, 4]


def traded(rules: Rules = RULES) -> Iterator[Kept]:
    """Cycles in which many assets walk anywhere, each with an offer in its window's minute 4."""
    rng = random.Random(4)  # noqa: S311 - the same walks each time
    prices = dict.fromkeys(MANY, 100.0)
    newest = -66
    for now in (0, *range(4, 5 * WINDOWS + 5, 5)):  # and one cycle more, for the last end
        minutes = range(newest + 1, now)
        candles = {}
        for asset in MANY:
            walked = []
            for _ in minutes:
                prices[asset] *= 1 + rng.gauss(0, 0.001)
                walked.append(prices[asset])
            told = tuple(MINUTE + each for each in minutes)
            candles[asset] = Candles(minutes=told, prices=tuple(walked))
        newest = now - 1
        slots = [Slot(asset, "5m") for asset in MANY] if 0 < now < 5 * WINDOWS else []
        windows = [Window(slot, START_S + 60 * (now - 4)) for slot in slots]
        offers = {each.slot.slot_id: offer(each, rules=rules, reference=0.0) for each in windows}
        yield Kept(START_S + 60 * now, Market(candles=candles, offers=offers))


def test_a_table_is_fitted_on_the_earlier_offers_and_judged_by_the_later() -> None:
    found = sights_in(traded(), "local")
    whole = whole_of(found)
    assert whole == Span(MINUTE - 1, MINUTE + 5 * WINDOWS)
    middle = sum(whole) // 2
    early, late = Span(whole.first, middle), Span(middle, whole.end)
    seen = seen_of(found, "5m", Rule.LAST, early)
    table = fit(
        seen,
        "5m",
        Rule.LAST,
        within=early,
        source="recorded",
        fitted_on="a walk",
        venue="paper",
    )
    assert list(table.minutes) == [4]
    assert (table.first_minute, table.end_minute) == early
    assert parse_table(msgspec.json.encode(table), where="it") == table
    judging = seen_of(found, "5m", Rule.LAST, late)
    told = reliability(judging, table)
    assert sum(each.windows for each in told) == len(list(judging[4])) == 13 * len(MANY)
    for each in told:
        assert abs(each.kept - each.said) < 4 * each.error + 0.05
    assert seen_of(found, "15m", Rule.LAST, whole) == {}
    assert seen_of(found, "5m", Rule.AVERAGE, whole) == {}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that we stand in, with a folder for its tables."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foresight.toml").write_text(f'[engine]\napp = "{APP}"\n', encoding="utf-8")
    (tmp_path / "tables").mkdir()
    (tmp_path / "state" / "foresight" / APP).mkdir(mode=0o700, parents=True)
    return tmp_path


def keep(place: Path, cycles: list[Kept], book: Book) -> None:
    """Let the store write a journal of these cycles."""
    store = open_store(place / "state" / "foresight" / APP, timeline=Timeline())
    first = START_S // 60
    body = BOOK.encode(book)
    record = store.create(
        Record(app=APP, progress=Progress(cycle=first - 1), body=body, schema=BOOK.schema_id)
    )
    record = store.transact(
        lambda known: transitions.seize(
            known, worker=A, seen=evidence_of(known), proof=Proof.NONE, attempt="s"
        ),
        Note(kind="seize"),
    )
    epoch = record.ownership.epoch
    for number, (now_s, inputs) in enumerate(cycles, start=first):
        store.transact(
            lambda known, number=number: transitions.decide(  # type: ignore[misc] # bound now
                known,
                worker=A,
                epoch=epoch,
                cycle=number,
                body=body,
                schema=BOOK.schema_id,
                effects=(),
                fallback=Fallback(schema=BOOK.schema_id, body=body),
                attempt=f"d{number}",
            ),
            Note(
                kind="decide",
                inputs=MARKET.encode(inputs),
                inputs_schema=MARKET.schema_id.version,
                scheduled_ns=now_s * 1_000_000_000,
            ),
        )
        store.transact(
            lambda known, number=number: transitions.settle(  # type: ignore[misc] # bound now
                known,
                worker=A,
                epoch=epoch,
                cycle=number,
                fates={},
                cleanliness=Cleanliness.CLEAN,
                attempt=f"e{number}",
            ),
            Note(kind="settle"),
        )
    store.close()


CALIBRATE: Final = ["calibrate", "--journal", "--into", "tables"]


@pytest.mark.parametrize(
    ("venue", "rules", "source"), [("paper", REAL, "recorded"), ("local", RULES, "synthetic")]
)
def test_a_journal_makes_a_table_that_says_whose_offers_they_were(
    venue: str,
    rules: Rules,
    source: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep(place, list(traded(rules)), Book(venue=venue))
    assert main([*CALIBRATE, "--json"]) == ExitCode.DONE
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert {(row["window"], row["rule"]) for row in rows} == {("5m", "last")}
    assert "no table for 15m last: no minute has 400 offers" in said.err
    (written,) = (place / "tables").iterdir()
    assert written.name == f"{venue}-offers-5m-last.json"
    table = parse_table(written.read_bytes(), where=written.name)
    assert (table.source, table.venue, list(table.minutes)) == (source, venue, [4])
    assert f"offers in the journal of a {venue} venue, 2025-11-2" in table.fitted_on
    middle = MINUTE + (5 * WINDOWS - 1) // 2
    dates = (MINUTE - 1, middle) if source == "recorded" else (0, 0)
    assert (table.first_minute, table.end_minute) == dates
    # What a real market refuses is told by the source.
    assert (table.source == prices_of("paper", replayed=False)) is (venue == "paper")


@pytest.mark.parametrize(
    ("cycles", "book", "about"),
    [
        (9, Book(venue="paper"), ": at most 120 for a minute"),
        (2, Book(venue="paper"), "keeps no offer of a decided window"),
        (9, Book(venue="local"), "keeps no offer of a decided window"),
        (
            9,
            Book(venue="paper", venue_since_s=START_S + 86_400),
            "keeps no offer of a decided window",
        ),
    ],
)
def test_too_little_is_refused_with_what_to_do(
    cycles: int, book: Book, about: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(place, list(traded(REAL))[:cycles], book)
    assert main(CALIBRATE) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert about in said.err
    assert "hint: " in said.err
    assert list((place / "tables").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "--into", "tables"],
        ["calibrate", "tables", "--journal", "--into", "tables"],
        [*CALIBRATE, "--source", "synthetic"],
    ],
)
def test_one_source_is_named(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == ExitCode.USAGE
    assert "error: " in capsys.readouterr().err
    assert list((place / "tables").iterdir()) == []


def test_an_installation_that_never_ran_has_no_journal(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(CALIBRATE) == ExitCode.FAILED
    assert "hint: " in capsys.readouterr().err
    assert list((place / "tables").iterdir()) == []
