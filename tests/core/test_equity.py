"""Equity over time, trades by day and by version, and the range that the address says."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from deploy.history import Entry as DeployEntry
from foresight.board import MICRO, Result
from foresight.book import Book, keep_decided
from foresight.dashboard.equity import curve_of, equity_of, marks_in, within
from foresight.dashboard.hues import hue_of
from foresight.dashboard.markup import REGIONS
from foresight.dashboard.opened.takings import takings_of
from foresight.dashboard.shell import PLOTTING, shell
from foresight.dashboard.snapshot import Neighbour, Snapshot
from foresight.dashboard.span import PRESETS, Span, SpanUnknown, span_of
from state.record import Timeline
from tests.core.dashboard_values import FIRST, SECOND, START_S, book, decided, record, seen

if TYPE_CHECKING:
    from foresight.trades import Decided

ORIGIN = Timeline()
DAY_S = 86_400
NOW_MS = 1_795_000_000_000


def trade(number: int, result: Result, *, release: str = FIRST) -> Decided:
    one = decided(result)
    entry = replace(one.entry, end_s=START_S + 60 * number, slug=f"w{number}", release=release)
    return replace(one, entry=entry, decided_s=entry.end_s)


def kept(*trades: Decided, venue: str = "local") -> Book:
    known = book(venue=venue, now_s=START_S)
    for each in trades:
        keep_decided(known, each)
    return known


UP, DOWN = Result.UP, Result.DOWN
PROFIT, LOSS = decided(UP).profit_micro / MICRO, decided(DOWN).profit_micro / MICRO


def test_a_fall_is_counted_from_the_best_until_then() -> None:
    """A curve that ends at a gain may have gone through a loss that nobody would sit out."""
    known = kept(trade(1, UP), trade(2, DOWN), trade(3, DOWN), trade(4, UP), trade(5, UP))
    found = equity_of(curve_of(known, ORIGIN), ())
    assert found.trades == 5
    assert found.best == pytest.approx(PROFIT)
    assert found.deepest == pytest.approx(2 * LOSS)
    assert found.deepest_ms == (START_S + 180) * 1000
    assert found.below == pytest.approx(2 * LOSS + 2 * PROFIT)
    assert found.now == pytest.approx(3 * PROFIT + 2 * LOSS)


def test_what_is_no_longer_kept_one_by_one_is_where_the_curve_begins() -> None:
    """300 trades are kept: a curve from zero would leave out what the others came to."""
    known = kept(*(trade(number, UP) for number in range(310)))
    curve = curve_of(known, ORIGIN)
    assert (len(curve.at_ms), curve.older) == (300, 10)
    assert curve.start == pytest.approx(10 * PROFIT)
    assert curve.usdc[-1] == pytest.approx(310 * PROFIT)
    assert "300 trades, after 10 older ones" in REGIONS["equity"](
        seen(Snapshot(record=record(), book=known))
    )


def test_money_of_another_venue_is_in_no_curve() -> None:
    """Simulated money is never added to real."""
    known = kept(trade(1, UP), trade(2, UP))
    known.venue, known.venue_since_s = "live", START_S + 150
    keep_decided(known, trade(3, DOWN))
    curve = curve_of(known, ORIGIN)
    assert (curve.older, curve.start) == (0, 0.0)
    assert curve.usdc == pytest.approx((LOSS,))


def test_what_was_found_at_the_venue_is_nobodys_skill() -> None:
    one = trade(1, UP)
    known = kept(replace(one, entry=replace(one.entry, is_adopted=True)))
    assert curve_of(known, ORIGIN).at_ms == ()
    assert "begins with the first trade" in REGIONS["equity"](
        seen(Snapshot(record=record(), book=known))
    )


def test_a_range_begins_where_the_whole_curve_was() -> None:
    """Otherwise each range would begin at zero and at a best of its own."""
    known = kept(*(trade(number, UP if number < 4 else DOWN) for number in range(6)))
    whole = curve_of(known, ORIGIN)
    part = within(whole, Span("own", whole.at_ms[4], whole.at_ms[5]).holds)
    assert part.usdc == whole.usdc[4:]
    assert part.best == pytest.approx((4 * PROFIT, 4 * PROFIT))
    assert part.start == whole.usdc[3]
    assert part.older == 4
    assert within(whole, Span("own", 1, 2).holds).at_ms == ()


def test_a_deploy_is_marked_where_it_took_over() -> None:
    """In the colour that its release has everywhere; one that never owned has no place in it."""
    known = kept(trade(1, UP), trade(9, UP))

    def entry(number: int, boundary_ms: int | None) -> DeployEntry:
        return DeployEntry(
            deploy=f"d{number}",
            requested_at="",
            requested_ms=0,
            by="ann",
            release=SECOND,
            commit="a81c4e5520fb",
            subject="<b>later</b>",
            outcome="permanent",
            boundary_ms=boundary_ms,
        )

    inside = entry(1, (START_S + 300) * 1000)
    refused = replace(inside, deploy="d4", outcome="refused")
    deploys = (inside, entry(2, None), entry(3, (START_S - 9999) * 1000), refused)
    (mark,) = marks_in(curve_of(known, ORIGIN), deploys)
    assert (mark.deploy, mark.name, mark.hue) == ("d1", "a81c4e5", hue_of(SECOND))
    html = REGIONS["equity"](seen(Snapshot(record=record(), book=known, deploys=deploys)))
    assert 'data-view="deploys/d1"' in html
    assert "&lt;b&gt;later" in html


def test_trades_are_summed_by_day_and_by_version() -> None:
    """A window that ends at midnight belongs to the day that it was bought in."""
    midnight = START_S - START_S % DAY_S + DAY_S

    def at(end_s: int, result: Result, release: str) -> Decided:
        one = trade(0, result, release=release)
        return replace(one, entry=replace(one.entry, end_s=end_s, slug=str(end_s)))

    known = kept(at(midnight, UP, FIRST), at(midnight + 300, DOWN, SECOND))
    found = takings_of(known, ORIGIN, names={SECOND: "a81c4e5"}, subjects={}, is_in=Span().holds)
    assert [day.score.profit for day in found.days] == pytest.approx([LOSS, PROFIT])
    assert found.days[0].name > found.days[1].name
    assert [(each.name, each.score.lost, each.words) for each in found.releases] == [
        ("a81c4e5", 1, "too few to say"),
        (FIRST[:12], 0, "too few to say"),
    ]
    assert [row.outcome for row in found.rows] == ["lost", "won"]
    part = takings_of(
        known, ORIGIN, names={}, subjects={}, is_in=Span("own", 0, midnight * 1000).holds
    )
    assert [row.outcome for row in part.rows] == ["won"]
    assert part.whole is not None
    assert part.whole.trades == 1


def test_more_trades_than_a_person_reads_are_counted() -> None:
    known = kept(*(trade(number, UP) for number in range(130)))
    found = takings_of(known, ORIGIN, names={}, subjects={}, is_in=Span().holds)
    assert (len(found.rows), found.more) == (100, 30)
    assert found.rows[0].at_ms == (START_S + 60 * 129) * 1000


def test_the_range_stands_in_the_address() -> None:
    """A link that somebody sends shows the same range to whoever follows it."""
    hour = span_of({"span": "1h", "theme": "x"}, NOW_MS)
    assert hour.query == "?span=1h"
    assert hour.holds(NOW_MS)
    assert not hour.holds(NOW_MS - PRESETS["1h"][1] - 1)
    own = span_of({"from": "1000", "until": "2000"}, NOW_MS)
    assert (own.query, own.holds(2000), own.holds(2001)) == ("?from=1000&until=2000", True, False)
    for said in ({}, {"span": "all"}, {"span": ""}):
        assert span_of(said, NOW_MS).query == ""


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"span": "2h"}, "none of 1h"),
        ({"from": "1"}, "together"),
        ({"span": "1h", "from": "1", "until": "2"}, "together"),
        ({"from": "2", "until": "2"}, "not before"),
        ({"from": "-1", "until": "2"}, "not milliseconds"),
        ({"from": "1", "until": "9" * 14}, "not milliseconds"),
        ({"from": "\N{SUPERSCRIPT TWO}", "until": "3"}, "not milliseconds"),
    ],
)
def test_a_range_that_there_is_not_is_refused_in_words(query: dict[str, str], words: str) -> None:
    with pytest.raises(SpanUnknown, match=words):
        span_of(query, NOW_MS)


def test_the_charts_are_drawn_by_the_file_that_its_readme_names() -> None:
    """A file of others that runs in the page: a changed one would be seen by nobody."""
    readme = (PLOTTING / "README.md").read_text(encoding="utf-8")
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        content = (PLOTTING / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() in readme
        assert shell().assets[name].content == content
    # What the page's Content-Security-Policy would refuse.
    script = shell().assets["uPlot.iife.min.js"].content
    assert not re.search(rb"\beval\(|new Function|setAttribute\(.style", script)
    assert set(shell().assets) >= {"moments.js", "charts.js", "opened.js", "opened.css"}
    assert "LICENSE" not in shell().assets


def test_links_to_other_bots_hold_a_port_and_no_token() -> None:
    """The browser adds the host name that it used: of a tunnel or a proxy nobody here knows it."""
    beside = (Neighbour(name="<paper>", port=8643),)
    html = REGIONS["neighbours"](seen(Snapshot(record=record(), neighbours=beside)))
    assert 'data-port="8643"' in html
    assert "&lt;paper&gt;" in html
    assert "token" not in html
    assert REGIONS["neighbours"](seen(Snapshot(record=record()))) == ""
