"""What the page says is a function of what was read: nothing flatters, nothing is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deploy.history import Entry as DeployEntry
from foresight.board import Result
from foresight.dashboard.deploys import ReleaseName
from foresight.dashboard.figures import Verdict, figures_of, verdict_on
from foresight.dashboard.hues import hue_of
from foresight.dashboard.markup import REGIONS, crew_html, title_of
from foresight.dashboard.snapshot import Child, Sign, Snapshot, Trouble
from foresight.dashboard.view import duration
from foresight.scoring import Interval, scores_of
from handoff.gate_verdict import passed, skipped
from state.journal_frames import Health
from state.record import (
    Control,
    Effect,
    Fate,
    Ownership,
    Phase,
    Rollout,
)
from tests.core.dashboard_values import (
    FIRST,
    NOW_MS,
    PERIOD_MS,
    SECOND,
    book,
    cycle_lines,
    decided,
    line,
    record,
    seen,
    worker,
)

if TYPE_CHECKING:
    from foresight.book import Book


def trades(*, won: int, lost: int, price: float) -> Book:
    return book(decided=[decided(Result.UP, price=price)] * won + [decided(Result.DOWN)] * lost)


@pytest.mark.parametrize(
    ("of", "verdict"),
    [
        (trades(won=0, lost=0, price=0.9), Verdict.NOTHING),
        (trades(won=29, lost=0, price=0.5), Verdict.TOO_FEW),
        (trades(won=90, lost=10, price=0.9), Verdict.UNPROVEN),
        (trades(won=75, lost=25, price=0.9), Verdict.LOSING),
        (trades(won=90, lost=10, price=0.6), Verdict.EARNING),
    ],
)
def test_the_win_rate_has_no_part_in_the_verdict(of: Book, verdict: Verdict) -> None:
    """Nine of ten right at a price of 0.90 is no skill, and the page says so."""
    figures = figures_of(scores_of(of))
    assert figures.verdict is verdict_on(scores_of(of)) is verdict


def test_no_single_trade_turns_the_verdict_back_and_forth() -> None:
    """A verdict that changes every few minutes is believed by nobody, and watched by everybody."""
    scores = scores_of(trades(won=90, lost=10, price=0.6))

    def told(low: float, high: float, before: Verdict) -> Verdict:
        score = replace(scores.recent, expectation_interval=Interval(low, high))
        return verdict_on(replace(scores, recent=score, overall=score), before)

    assert told(-0.2, -0.001, Verdict.UNPROVEN) is Verdict.LOSING
    assert told(-0.2, 0.005, Verdict.LOSING) is Verdict.LOSING
    assert told(-0.2, 0.005, Verdict.UNPROVEN) is Verdict.UNPROVEN
    assert told(-0.2, 0.02, Verdict.LOSING) is Verdict.UNPROVEN
    assert told(0.02, 0.2, Verdict.UNPROVEN) is Verdict.EARNING
    assert told(0.005, 0.2, Verdict.EARNING) is Verdict.EARNING
    assert told(0.005, 0.2, Verdict.UNPROVEN) is Verdict.UNPROVEN
    assert told(-0.001, 0.2, Verdict.EARNING) is Verdict.UNPROVEN


def test_a_lucky_stretch_is_no_skill() -> None:
    """An interval that is looked at all day leaves zero outside now and then."""
    lucky = trades(won=95, lost=5, price=0.84)
    lucky.decided = trades(won=130, lost=20, price=0.9).decided + lucky.decided
    figures = figures_of(scores_of(lucky))
    assert figures.recent.expectation_interval.low > 0
    assert figures.verdict is Verdict.UNPROVEN
    assert "disagree" in REGIONS["numbers"](seen(Snapshot(record=record(), book=lucky)))


def test_who_predicts_worse_than_the_price_earns_by_luck() -> None:
    worse = trades(won=90, lost=10, price=0.6)
    worse.decided = [
        replace(trade, entry=replace(trade.entry, probability_ppm=400_000))
        for trade in worse.decided
    ]
    figures = figures_of(scores_of(worse))
    assert figures.overall.expectation_interval.low > 0
    assert (figures.verdict, figures.market_knew_more) == (Verdict.UNPROVEN, True)


def test_the_most_frequent_reason_is_named() -> None:
    of = book(signals=9, unbought={"edge": 2, "thin": 5})
    figures = figures_of(scores_of(of))
    assert (figures.signals, figures.unbought, figures.unbought_most) == (9, 7, "thin")


def test_the_win_rate_never_stands_alone() -> None:
    html = REGIONS["numbers"](
        seen(Snapshot(record=record(), book=trades(won=90, lost=10, price=0.9)))
    )
    assert "90.0%" in html
    for words in ("95 % interval 78.6% to 95.7%", "needs 90.5%", "No evidence of skill", "Brier"):
        assert words in html
    assert html.index("No evidence of skill") < html.index("90.0%")


def deploy_entry(**changes: Any) -> DeployEntry:  # noqa: ANN401 - members of an entry
    words: dict[str, Any] = {
        "deploy": "d1",
        "requested_at": "",
        "requested_ms": 5,
        "by": "ann",
        "release": SECOND,
        "commit": "a81c4e5520fb",
        "subject": "Enter later",
        "gates": (passed("boot", "hello"),),
    }
    return DeployEntry(**(words | changes))


def test_nothing_read_is_a_page_too() -> None:
    trouble = Trouble(level="warn", text="There is no record here yet.")
    view = seen(Snapshot(troubles=(trouble,)))
    assert (view.version.release, view.tempo.cycle, view.strip.cycles) == ("", None, 0)
    assert all(isinstance(make(view), str) for make in REGIONS.values())
    assert "There is no record here yet." in REGIONS["banner"](view)


def test_the_version_says_since_when_and_after_whom() -> None:
    lines = [
        *cycle_lines(1, 9),
        line("take", 9, release=SECOND, seq=30, at_ms=580_000.0, epoch=2),
        *cycle_lines(20, 20, release=SECOND, epoch=2),
    ]
    owner = worker(SECOND, pid=8)
    snapshot = Snapshot(
        record=record(ownership=Ownership(epoch=2, owner=owner, previous=worker())),
        lines=lines,
        names={SECOND: ReleaseName(commit="a81c4e5520fb" + "0" * 28, subject="Enter <later>")},
    )
    version = seen(snapshot).version
    assert (version.name, version.previous) == ("a81c4e5", "3f2a91c07d5e")
    assert (version.since_ms, version.since_cycle, version.how) == (580_000.0, 10, "take")
    assert seen(snapshot).crew.way_back == "3f2a91c07d5e"
    assert "Enter &lt;later&gt;" in REGIONS["version"](seen(snapshot))
    assert title_of(seen(snapshot)) == "a81c4e5 · Foresight"


def test_a_page_says_whose_it_is() -> None:
    """Two bots of one user had the same words in their tabs, and nowhere their names."""
    view = seen(Snapshot(record=record(app="my-<bot>"), lines=cycle_lines(5, 20)))
    assert title_of(view) == "3f2a91c07d5e · my-<bot>"
    assert "my-&lt;bot&gt; runs" in REGIONS["version"](view)
    gone = seen(Snapshot(record=record(app="my-<bot>"), owner=Sign.GONE))
    assert "my-&lt;bot&gt; is stopped" in REGIONS["version"](gone)


def test_a_journal_ahead_of_the_record_names_no_moment() -> None:
    lines = [*cycle_lines(1, 9), line("take", 9, release=SECOND, seq=30)]
    assert seen(Snapshot(record=record(), lines=lines)).version.since_ms is None


def test_a_deploy_is_a_change_of_colour_without_a_gap() -> None:
    lines = [*cycle_lines(1, 9), *cycle_lines(10, 14, release=SECOND)]
    strip = seen(Snapshot(record=record(), lines=lines)).strip
    assert [(run.hue, len(run.cells), run.follows) for run in strip.runs] == [
        (hue_of(FIRST), 9, False),
        (hue_of(SECOND), 5, True),
    ]
    assert (strip.changes, strip.absent, strip.missed, strip.late) == (1, 0, 0, 0)
    assert (strip.start_median_ms, strip.start_worst_ms) == (5.0, 5.0)


def test_why_a_cycle_was_missed_stands_there_as_text() -> None:
    """In a tooltip nobody reads it on a phone, by keyboard or by ear."""
    lines = [*cycle_lines(1, 8), line("miss", 9, evidence={"reason": "<too old>"})]
    html = REGIONS["strip"](seen(Snapshot(record=record(), lines=lines)))
    listed = html.partition('<details class="unlike"')[2].partition("</details>")[0]
    assert "<summary>Not as planned: 1</summary>" in listed
    assert "cycle 9" in listed
    assert "missed" in listed
    assert "&lt;too old&gt;</li>" in listed
    assert " title=" not in html
    well = REGIONS["strip"](seen(Snapshot(record=record(), lines=cycle_lines(1, 9))))
    assert "<summary>Not as planned: none</summary>" in well, "its line is there without any"
    assert "no signs: every cycle in time" in well


def test_the_marks_are_symbols_as_well_as_colours() -> None:
    lines = [
        *cycle_lines(1, 1),
        line("decide", 2, started_ms=2 * PERIOD_MS + 5_000),
        line("miss", 3, evidence={"reason": "too <old>"}),
        *cycle_lines(5, 5),
    ]
    html = REGIONS["strip"](seen(Snapshot(record=record(), lines=lines)))
    for words in (
        ">!<",
        ">\N{MULTIPLICATION SIGN}<",
        ">?<",
        "too &lt;old&gt;",
        "1 missed, 1 late, 1 not in the journal",
    ):
        assert words in html


def test_changes_of_owner_stand_on_the_strip_itself() -> None:
    """A crash and a return looked like any other cycle; the list of events is below the fold."""
    owned = {"phase": Phase.SETTLED, "epoch": 2}
    lines = [
        line("seize", 4, seq=1),
        *cycle_lines(5, 8),
        line("take", 8, seq=100, release=SECOND, **owned),
        *cycle_lines(9, 10, release=SECOND),
        line("decide", 11, release=SECOND),
        line("seize", 11, seq=101, release=SECOND, phase=Phase.DECIDED),
        line("settle", 11, release=SECOND, seq=102),
        line("seize", 11, seq=103, **owned),
        *[replace(each, seq=each.seq + 200) for each in cycle_lines(12, 14)],
        line("release", 14, seq=300, **owned),
    ]
    view = seen(Snapshot(record=record(), lines=lines))
    assert [(each.cycle, each.turn.value) for each in view.turns] == [
        (5, "begun"),
        (9, "taken"),
        (11, "crashed"),
        (12, "returned"),
        (14, "stopped"),
    ]
    html = REGIONS["strip"](view)
    for cycle, sign in ((9, "→"), (11, "↯"), (12, "↩"), (14, "■")):
        cell = html.partition(f'data-key="c{cycle}"')[2].partition("</i>")[0]
        assert f">{sign}<" in cell
    assert "Cycle 11: crashed, gone on with." in html
    assert "↩</span> returned &times;1" in html
    assert "late &times;" not in html


def test_the_next_boundary_is_one_period_after_the_newest() -> None:
    tempo = seen(Snapshot(record=record(), lines=cycle_lines(18, 20))).tempo
    assert (tempo.period_ms, tempo.boundary_ms, tempo.due) == (PERIOD_MS, 21 * PERIOD_MS, 21)
    assert tempo.overdue_ms == 0


def test_an_overdue_cycle_stops_the_reader() -> None:
    snapshot = Snapshot(record=record(), lines=cycle_lines(18, 20))
    view = seen(snapshot, now_ms=21 * PERIOD_MS + 50_000)
    assert view.tempo.overdue_ms == 50_000
    (trouble,) = view.troubles
    assert (trouble.level, trouble.text) == ("stop", "Cycle 21 is overdue by 50 s.")
    assert title_of(view).startswith("■")


def test_a_pace_that_no_cadence_has_is_judged_by_itself() -> None:
    lines = [line("decide", n, scheduled_ms=100.0 * n) for n in (1, 2)]
    assert seen(Snapshot(record=record(), lines=lines), now_ms=450).tempo.overdue_ms == 0
    assert seen(Snapshot(record=record(), lines=lines), now_ms=550).tempo.overdue_ms == 250


@pytest.mark.parametrize(
    ("control", "level", "word"),
    [
        (Control(paused=True, by="ann", note="maintenance"), "warn", "Paused by ann: maintenance"),
        (Control(paused=True, halted=True), "stop", "Halted."),
    ],
)
def test_pause_and_halt_are_said_first(control: Control, level: str, word: str) -> None:
    (trouble,) = seen(Snapshot(record=record(control=control))).troubles
    assert trouble.level == level
    assert trouble.text.startswith(word)


@pytest.mark.parametrize(
    ("owner", "launcher", "words"),
    [
        (Sign.GONE, Sign.GONE, "Owner and launcher are gone"),
        (Sign.GONE, Sign.RUNS, "The owner is gone"),
        (Sign.STOPPED, Sign.RUNS, "The owner is stopped by a signal"),
        (Sign.RUNS, Sign.GONE, "The launcher is gone"),
        (Sign.RUNS, Sign.STOPPED, "The launcher is stopped by a signal"),
    ],
)
def test_a_record_that_says_who_owns_is_not_believed_alone(
    owner: Sign, launcher: Sign, words: str
) -> None:
    """Whoever was killed wrote nothing down: the page showed `trading` for hours."""
    view = seen(Snapshot(record=record(), lines=cycle_lines(5, 20), owner=owner, launcher=launcher))
    assert view.troubles[0].text.startswith(words)
    assert view.troubles[0].level == "stop"
    assert view.is_running == (owner is Sign.RUNS)


@pytest.mark.parametrize("owner", [Sign.GONE, Sign.STOPPED])
def test_figures_of_a_stopped_system_say_so(owner: Sign) -> None:
    """`runs`, `warm`, `trading` and a countdown stood there after `down`."""
    lines = cycle_lines(5, 20)
    view = seen(Snapshot(record=record(), lines=lines, owner=owner, book=book()))
    words = {name: make(view) for name, make in REGIONS.items()}
    assert "Foresight is stopped; last ran" in words["version"]
    assert "stopped: none is due" in words["tempo"]
    assert "data-boundary" not in words["tempo"]
    assert "trading" not in words["crew"]
    assert "nobody" in words["crew"]
    for name in ("board", "numbers"):
        assert "stopped, as of" in words[name]
    assert "on its last day, UTC" in words["money"]
    assert "today" not in words["money"]


def test_a_system_that_nobody_owns_is_said_to_be_stopped() -> None:
    stopped = record(ownership=Ownership(epoch=1, owner=None, last_owner=worker()))
    view = seen(Snapshot(record=stopped))
    assert view.troubles[0].text == "Nobody owns the cycles: the system is stopped."
    assert view.version.release == FIRST


def test_a_doubtful_order_is_said() -> None:
    outbox = (
        Effect(effect_id="a", kind="order", fate=Fate.DOUBTFUL),
        Effect(effect_id="b", kind="order"),
    )
    view = seen(Snapshot(record=record(outbox=outbox)))
    assert (view.crew.outbox, view.crew.doubtful) == (2, 1)
    assert "1 order with an unknown outcome" in view.troubles[0].text


def test_a_bot_that_sees_nothing_is_not_all_well() -> None:
    """Its feeds were out of reach for hours, and the page said so in a tooltip alone."""
    lines = cycle_lines(5, 18)
    blind = [line("decide", cycle, unavailable="the feed is out of reach") for cycle in (19, 20)]
    assert seen(Snapshot(record=record(), lines=[*lines, *blind])).troubles == ()
    blind.append(line("decide", 21, health=Health(asked=12, answered=0)))
    for newest, why in ((blind, "nothing."), (blind[::-1], "nothing: the feed is out of reach.")):
        view = seen(Snapshot(record=record(), lines=[*lines, *newest]))
        (trouble,) = view.troubles
        assert (trouble.level, trouble.hint) == ("warn", "foresight logs")
        assert trouble.text.startswith(f"The newest 3 cycles saw {why} Nothing is bought")
        assert "there is a warning" in REGIONS["version"](view)
    sees = line("decide", 22, health=Health(asked=12, answered=1))
    assert seen(Snapshot(record=record(), lines=[*lines, *blind, sees])).troubles == ()
    gone = Snapshot(record=record(), lines=[*lines, *blind], owner=Sign.GONE)
    assert not any("saw nothing" in each.text for each in seen(gone).troubles)


def test_an_order_that_may_still_be_sent_is_held_and_no_trouble() -> None:
    """A venue that holds orders answers later: nobody has to be warned of that."""
    ends_ns = (NOW_MS + 1) * 1_000_000
    effect = Effect(effect_id="a", kind="order", fate=Fate.DOUBTFUL, not_after_ns=ends_ns)
    view = seen(Snapshot(record=record(outbox=(effect,))), now_ms=NOW_MS)
    assert (view.crew.held, view.crew.doubtful) == (1, 0)
    assert not any("unknown outcome" in trouble.text for trouble in view.troubles)
    assert ", 1 held" in crew_html(view)
    later = seen(Snapshot(record=record(outbox=(effect,))), now_ms=NOW_MS + 1)
    assert (later.crew.held, later.crew.doubtful) == (0, 1)
    assert any("unknown outcome" in trouble.text for trouble in later.troubles)


def test_a_standby_is_a_worker_beside_the_owner() -> None:
    children = [
        Child(name="standby-1", role="heir", pid=7),
        Child(name="standby-2", role="heir", pid=9),
        Child(name="dashboard", role="companion", pid=10),
    ]
    assert seen(Snapshot(record=record(), children=children)).crew.standby == ("standby-2",)


@pytest.mark.parametrize(
    ("phase", "stage", "part"),
    [("building", "building", 0.0), ("gating", "gating", 0.4), ("waiting", "building", 0.0)],
)
def test_a_deploy_before_its_take_shows_its_stage(phase: str, stage: str, part: float) -> None:
    view = seen(Snapshot(record=record(), current=deploy_entry(phase=phase)))
    assert view.deploying is not None
    assert view.deploying.stage == stage
    assert view.deploying.part == pytest.approx(part)
    assert (view.deploying.name, view.deploying.gates) == ("a81c4e5", ("boot",))


def test_a_deploy_under_way_says_what_tried_it_found_and_counts_no_gate_that_was_not_asked() -> (
    None
):
    gates = (
        passed("boot", "hello"),
        passed("replay", "58 cycles decided as recorded"),
        skipped("shadow", "not asked for"),
    )
    view = seen(Snapshot(record=record(), current=deploy_entry(phase="gating", gates=gates)))
    assert view.deploying is not None
    assert view.deploying.gates == ("boot", "replay")
    shown = REGIONS["deploy"](view)
    assert "2 gates passed: boot, replay" in shown
    assert "replay: 58 cycles decided as recorded" in shown
    assert "shadow skipped: not asked for" in shown


@pytest.mark.parametrize("changes", [{"phase": "refused"}, {"phase": "x", "outcome": "aborted"}])
def test_a_deploy_that_ended_is_under_way_no_more(changes: dict[str, str]) -> None:
    assert seen(Snapshot(record=record(), current=deploy_entry(**changes))).deploying is None


def test_a_bake_is_the_records_own_word() -> None:
    """Without the deployer, and without what it wrote, the bake is still shown."""
    baking = record(rollout=Rollout(deploy_id="d1", clean_cycles=2, of=5))
    deploying = seen(Snapshot(record=baking)).deploying
    assert deploying is not None
    assert (deploying.stage, deploying.clean, deploying.of) == ("baking", 2, 5)
    assert deploying.part == pytest.approx(0.88)
    with_file = seen(Snapshot(record=baking, current=deploy_entry(phase="ready"))).deploying
    assert with_file is not None
    assert (with_file.stage, with_file.since_ms) == ("baking", 5.0)
    assert "baking 2 of 5" in REGIONS["deploy"](seen(Snapshot(record=baking)))


def test_finished_deploys_come_newest_first() -> None:
    ended = [deploy_entry(deploy=f"d{n}", outcome="refused", reason=f"r{n}") for n in range(6)]
    view = seen(Snapshot(record=record(), deploys=ended))
    assert [deploy.reason for deploy in view.deploys] == ["r5", "r4", "r3", "r2"]
    assert '<span class="why">r5</span>' in REGIONS["deploy"](view)  # no pointer hovers on a phone


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5, "0 s"),
        (41_900, "41 s"),
        (12 * 60_000, "12 min"),
        (3 * 3_600_000 + 300_000, "3 h 5 min"),
        (52 * 3_600_000, "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(milliseconds: float, words: str) -> None:
    assert duration(milliseconds) == words
