"""A report: the curves are those of the trades, and without an edge it says so in words."""

from __future__ import annotations

import random
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.dom import minidom

import msgspec
import pytest
from typing_extensions import override

from foresight.backtest.results import BacktestResult, SlotResult, score_over, trade_of
from foresight.board import Result, Side, Slot, Window
from foresight.book import DECIDED_KEPT, Book, keep_decided
from foresight.report import charts, curves
from foresight.report.document import document_of
from foresight.report.facts import Facts, Mark, Part, facts_of_backtest, facts_of_book
from foresight.report.sentences import NO_EDGE, of_parts, verdict_on
from foresight.scoring import Interval, evidence_in
from tests.trading_values import START_S, decided

if TYPE_CHECKING:
    from foresight.trades import Decided

HOSTILE = '<script>alert("x")</script>'


def trade(number: int, *, is_won: bool, release: str = "r1", cost: int = 8_000_000) -> Decided:
    """Return a trade of ten shares in the n-th window of a slot."""
    window = Window(Slot("BTC", "5m"), START_S + 300 * number)
    result = Result.UP if is_won else Result.DOWN
    one = decided(result=result, decided_s=window.end_s, release=release)
    entry = msgspec.structs.replace(one.entry, slug=window.slug, end_s=window.end_s, side=Side.UP)
    return msgspec.structs.replace(one, entry=entry, cost_micro=cost)


def fair(count: int, release: str = "r1", first: int = 0) -> list[Decided]:
    """Return trades that win as often as they cost: no skill."""
    chance = random.Random(5)  # noqa: S311 - the same trades each time
    return [
        trade(first + at, is_won=chance.random() < 0.81, release=release) for at in range(count)
    ]


def book_of(trades: list[Decided]) -> Book:
    book = Book(venue="local")
    for each in trades:
        keep_decided(book, each)
    return book


def facts(trades: list[Decided], *marks: Mark, deployed: tuple[str, ...] = ()) -> Facts:
    return facts_of_book(book_of(trades), name="mine", marks=marks, deployed=deployed)


class _Page(HTMLParser):
    """What a page is made of: its tags, and what could lead out of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ways_out: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        out = {"src", "href", "xlink:href", "action", "data", "srcset"}
        self.ways_out += [name for name, _ in attrs if name in out or name.startswith("on")]

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _element(svg: str) -> minidom.Element:
    element = minidom.parseString(svg).documentElement  # noqa: S318 - our own drawing
    assert element is not None
    return element


def test_the_curve_ends_at_the_sum_of_the_trades_whatever_was_before() -> None:
    trades = [trade(0, is_won=True), trade(1, is_won=False), trade(2, is_won=True)]
    equity = curves.equity_of(trades, before=10.0)
    assert [round(each.value, 2) for each in equity] == [11.9, 3.8, 5.7]
    assert [each.at_s for each in equity] == [START_S + 300 * at for at in (1, 2, 3)]
    drawdown = curves.drawdown_of(equity, 10.0)
    assert [round(each.value, 2) for each in drawdown] == [0.0, -8.1, -6.2]


def test_a_loss_at_the_very_beginning_is_a_drawdown() -> None:
    equity = curves.equity_of([trade(0, is_won=False)])
    assert curves.drawdown_of(equity)[0].value == pytest.approx(-8.1)


def said(trades: list[Decided]) -> list[Decided]:
    """Return trades with a probability each of its own."""
    entries = [
        msgspec.structs.replace(each.entry, probability_ppm=800_000 + 7 * at)
        for at, each in enumerate(trades)
    ]
    return [
        msgspec.structs.replace(each, entry=entry)
        for each, entry in zip(trades, entries, strict=True)
    ]


def test_trades_of_one_price_are_one_group() -> None:
    """Parts of them would be ten looks at chance, drawn as if they were ten findings."""
    assert [each.score.trades for each in curves.by_price(fair(100))] == [100]


def test_groups_hold_every_trade_once_and_void_ones_are_no_forecast() -> None:
    trades = said(fair(100))
    void = msgspec.structs.replace(trade(200, is_won=True), result=Result.VOID)
    groups = curves.by_probability([*trades, void])
    assert sum(each.score.trades for each in groups) == 100
    assert len(groups) == 8
    assert sum(each.score.trades for each in curves.by_price([*trades, void])) == 101
    assert curves.by_price([]) == []


def test_prices_are_grouped_from_the_cheapest_to_the_dearest() -> None:
    trades = [trade(at, is_won=True, cost=5_000_000 + 40_000 * at) for at in range(48)]
    groups = curves.by_price(trades)
    assert [each.score.trades for each in groups] == [12] * 4
    assert groups[0].least == pytest.approx(0.5)
    assert groups[-1].most == pytest.approx(0.688)
    assert all(one.most < other.least for one, other in pairwise(groups))


def test_without_an_edge_the_report_says_so_in_words() -> None:
    """A curve that happens to rise is what people believe; the words must not join in."""
    found = facts(fair(200))
    assert evidence_in(found.score.expectation_interval) == "no evidence of an edge"
    page = document_of(found)
    assert f"<strong>{NO_EDGE}</strong>" in page
    assert "No slot shows evidence of an edge." in page
    assert "No release shows evidence of an edge." in page


def test_a_few_trades_are_no_evidence_however_good_they_are() -> None:
    verdict = verdict_on(facts([trade(at, is_won=True) for at in range(29)]).score)
    assert verdict.says == NO_EDGE
    assert "Too few" in verdict.why
    assert "says nothing" in verdict_on(facts([]).score).says


def test_what_loses_and_what_earns_is_said_as_well() -> None:
    """A report that never says anything good or bad would be right each time, and useless."""
    losing = facts([trade(at, is_won=at % 2 == 0) for at in range(120)])
    assert verdict_on(losing.score).says == "It loses."
    earning = facts([trade(at, is_won=True) for at in range(120)])
    assert verdict_on(earning.score).says == "It is above zero, so far."
    assert "above zero" in of_parts(earning.slots, "slot")
    assert "best of many" in of_parts([*earning.slots, *losing.slots], "slot")
    assert of_parts([Part("a", None)], "slot") == "No slot decided a trade."


def test_a_page_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    """It is mailed around and opened years later, by people who trust a file of figures."""
    marks = (Mark(START_S + 600, HOSTILE, f"permanent: {HOSTILE}"),)
    found = facts(fair(60, release=HOSTILE), *marks, deployed=(HOSTILE, "idle"))
    text = document_of(found._replace(name=HOSTILE))
    page = _Page(text)
    assert page.ways_out == []
    assert {"script", "link", "img", "iframe", "object", "embed", "form"} & {*page.tags} == set()
    assert "url(" not in text
    assert "@import" not in text
    assert HOSTILE in page.words
    assert page.tags.count("svg") >= 4


def test_every_chart_is_sound_and_has_a_name() -> None:
    text = document_of(facts(fair(60), Mark(START_S + 600, "a&b", "<c>")))
    parts = [part.split("</svg>")[0] for part in text.split("<svg")[1:]]
    drawn = [_element(f"<svg{part}</svg>") for part in parts]
    assert len(drawn) >= 6
    assert all(
        each.hasAttribute("aria-label") or each.hasAttribute("aria-hidden") for each in drawn
    )


def test_deploys_within_the_curve_are_marked_and_others_are_counted() -> None:
    marks = (Mark(START_S - 9_000, "old", "permanent"), Mark(START_S + 900, "new", "permanent: Go"))
    text = document_of(facts(fair(20), *marks))
    assert text.count('<g class="deploy">') == 1
    assert "<title>new permanent: Go</title>" in text
    assert "not marked: 1" in text


def test_a_release_without_a_trade_is_named() -> None:
    found = facts(fair(20, release="a"), deployed=("idle", "a"))
    assert [(each.name, each.says) for each in found.releases] == [
        ("idle", "decided no trade"),
        ("a", ""),
    ]
    assert "decided no trade" in document_of(found)


def test_trades_without_a_result_have_no_win_rate() -> None:
    """Of two windows that nobody decided it said that 0 % were won."""
    void = [msgspec.structs.replace(each, result=Result.VOID) for each in fair(2)]
    assert "0.0 %" not in document_of(facts(void))
    assert "0.0 %" in document_of(facts([trade(1, is_won=False)]))


def test_trades_that_are_no_longer_kept_are_in_the_sums_and_in_the_curve() -> None:
    trades = fair(DECIDED_KEPT + 50)
    found = facts(trades)
    total = sum(each.profit_micro for each in trades) / 1e6
    assert found.score.trades == DECIDED_KEPT + 50
    assert len(found.trades) == DECIDED_KEPT
    assert curves.equity_of(found.trades, found.before)[-1].value == pytest.approx(total)
    assert any(each.startswith("50 older trades") for each in found.notes)


def test_real_money_is_not_added_to_what_was_simulated() -> None:
    book = book_of(fair(30))
    book.venue, book.venue_since_s = "live", START_S + 300 * 100
    for each in fair(5, release="r2", first=200):
        keep_decided(book, each)
    found = facts_of_book(book, name="mine", marks=(), deployed=())
    assert (found.score.trades, len(found.trades)) == (5, 5)
    assert [each.name for each in found.releases] == ["r2"]
    assert any("local are left out" in each for each in found.notes)
    assert not any("no money" in each for each in found.notes)


def result_of(trades: list[Decided]) -> BacktestResult:
    """Return a backtest of an hour that came to these trades; it says nothing of its slots."""
    return BacktestResult(
        name="it",
        config="",
        strategies={},
        rule="last",
        delay_s=1.0,
        table="some days",
        judged_from=29_376_000,
        judged_until=29_376_060,
        cycles=60,
        signals=90,
        unbought={"edge": 10},
        score=score_over(trades),
        evidence="",
        slots=[],
        undecided=1,
        trades=[trade_of(each) for each in trades],
    )


def test_a_backtest_has_the_figures_that_it_said_itself() -> None:
    trades = fair(80)
    score = score_over(trades)
    evidence = evidence_in(score.expectation_interval)
    slots = [
        SlotResult(slot="btc-5m", signals=90, score=score, evidence=evidence),
        SlotResult(slot="eth-5m", signals=0, score=score_over([]), evidence=""),
    ]
    result = msgspec.structs.replace(result_of(trades), evidence=evidence, slots=slots)
    found = facts_of_backtest(result, "then")
    assert found.score == score
    assert [each.profit_micro for each in found.trades] == [each.profit_micro for each in trades]
    assert [(each.name, each.score is None) for each in found.slots] == [
        ("btc-5m", False),
        ("eth-5m", True),
    ]
    page = document_of(found)
    assert "90 signals, 10 of them not bought." in page
    assert NO_EDGE in page
    assert page == document_of(found)
    nothing = msgspec.structs.replace(result, trades=[], signals=0, slots=[])
    assert "there is no curve" in document_of(facts_of_backtest(nothing, "then"))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-812.3, 40.0), (1e-4, 3e-4), (5.0, 1e6)])
def test_ticks_are_round_and_lie_within_the_scale(low: float, high: float) -> None:
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 11
    assert all(low - 1e-9 * (high - low) <= each <= high * (1 + 1e-9) for each in found)
    steps = {f"{after - before:.3g}" for before, after in pairwise(found)}
    assert len(steps) == 1
    assert steps.pop().lstrip("0.").startswith(("1", "2", "5"))


def test_a_long_curve_keeps_its_worst_and_its_best_moment() -> None:
    points = [curves.Point(at, float(at % 7)) for at in range(20_000)]
    points[7_777] = curves.Point(7_777, -500.0)
    points[15_111] = curves.Point(15_111, 900.0)
    drawn = charts.over_time(points, name="it")
    line = drawn.split('class="line" points="')[1].split('"')[0].split()
    heights = [float(each.split(",")[1]) for each in line]
    whole = charts.over_time([points[7_776], points[7_777], points[15_111]], name="it")
    ends = [float(each.split(",")[1]) for each in whole.split('points="')[1].split('"')[0].split()]
    assert len(line) < 4 * charts.COLUMNS + 2
    assert (min(heights), max(heights)) == (min(ends), max(ends))


def test_a_bar_never_leaves_its_cell() -> None:
    drawn = charts.interval_bar(Interval(-3.0, 4.0), 0.5, reach=0.1)
    rect = _element(drawn).getElementsByTagName("rect")[0]
    x, width = float(rect.getAttribute("x")), float(rect.getAttribute("width"))
    assert (x, x + width) == (0.0, charts.BAR)
