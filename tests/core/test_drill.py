"""The drill's judgement: what it must not take for survived.

A judge that forgives proves nothing, so each rule is tried with a stretch that breaks it alone.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from foresight.drill.course import HOW
from foresight.drill.faults import ELSEWHERE, FAULTS, chosen, estimate_s, patience_s
from foresight.evidence.books import Comparison
from foresight.evidence.verdict import Trading, Verdict, Window, judge
from state.journal_frames import Line
from state.open_struct import encode_open
from state.record import Phase, Progress, Record

ROOT = Path(__file__).resolve().parents[2]
BOOKS = Comparison(
    received=4,
    distinct=4,
    duplicates=0,
    executed=3,
    booked=3,
    in_flight=(),
    unknown_to_book=(),
    unknown_to_exchange=(),
    differing=(),
    bought_twice=(),
)
TRADING = Trading(unsound=(), held=2, books=BOOKS)


def decide(cycle: int, *, epoch: int = 1, worker: str = "old", late_ms: float = 1.0) -> Line:
    return Line(
        kind="decide",
        result="",
        cycle=cycle,
        phase=Phase.DECIDED,
        epoch=epoch,
        worker=worker,
        scheduled_ms=cycle * 1000.0,
        started_ms=cycle * 1000.0 + late_ms,
    )


def settle(cycle: int, *, epoch: int = 1, worker: str = "old") -> Line:
    return Line(kind="settle", result="", cycle=cycle, epoch=epoch, worker=worker)


def run(cycle: int, *, epoch: int = 1, worker: str = "old", late_ms: float = 1.0) -> list[Line]:
    decided = decide(cycle, epoch=epoch, worker=worker, late_ms=late_ms)
    return [decided, settle(cycle, epoch=epoch, worker=worker)]


def change(kind: str, cycle: int, *, epoch: int, worker: str) -> Line:
    return Line(kind=kind, result="", cycle=cycle, epoch=epoch, worker=worker)


def seized(*, epoch: int = 2, late_ms: float = 2500.0) -> list[Line]:
    """Return a stretch in which the owner dies after cycle 6 and another one goes on."""
    return [
        *run(5),
        *run(6),
        change("seize", 6, epoch=epoch, worker="new"),
        *run(7, late_ms=late_ms, epoch=epoch, worker="new"),
        *run(8, epoch=epoch, worker="new"),
    ]


def judged(
    lines: list[Line],
    *,
    first: int = 5,
    last: int = 8,
    changes: int = 0,
    late_ms_max: float | None = None,
    trading: Trading = TRADING,
) -> Verdict:
    window = Window(first, last, lines)
    return judge(window, trading, changes=changes, late_ms_max=late_ms_max)


CALM = [line for cycle in (5, 6, 7, 8) for line in run(cycle)]


def test_a_stretch_in_which_nothing_is_wrong_holds_and_says_its_numbers() -> None:
    verdict = judged(seized(), changes=1)
    assert verdict.problems == ()
    assert verdict.evidence == (
        "cycle 7 ran 2.500 s after its boundary by new; 0 missed, 0 doubled of 4; epoch 1 to 2; "
        "2 positions open, none altered, 4 orders sent, 4 distinct, 3 executed"
    )


def test_a_cycle_that_is_missing_makes_a_cross() -> None:
    verdict = judged([*run(5), *run(6), *run(8)])
    assert verdict.problems == ("cycles missed: 7",)
    assert "1 missed, 0 doubled" in verdict.evidence


def test_a_cycle_missed_by_policy_is_missed() -> None:
    header = msgspec.Raw(encode_open(Record(app="demo", progress=Progress(cycle=7))))
    given_up = Line(kind="miss", result="", cycle=7, epoch=1, worker="old", header=header)
    assert judged([*run(5), *run(6), given_up, *run(8)]).problems == ("cycles missed: 7",)


@pytest.mark.parametrize(("first", "last"), [(4, 8), (5, 9)])
def test_a_cycle_missing_at_either_end_is_missed(first: int, last: int) -> None:
    """The journal cannot say of itself where the stretch had to begin and to end."""
    assert judged(CALM, first=first, last=last).problems[0].startswith("cycles missed")


def test_a_cycle_that_two_workers_decide_makes_a_cross() -> None:
    lines = [*seized(), *run(8, epoch=2, worker="new")]
    assert judged(lines, changes=1).problems == ("cycles doubled: 8",)


def test_a_cycle_that_nobody_settles_makes_a_cross() -> None:
    lines = [*run(5), decide(6), *run(7), *run(8)]
    assert judged(lines).problems == ("cycles never settled: 6",)


def test_an_owner_that_writes_after_it_lost_makes_a_cross() -> None:
    """The fence is what a stopped owner wakes up behind."""
    lines = [*seized(), *run(9, epoch=1, worker="old")]
    problems = judged(lines, last=9, changes=1).problems
    assert "epoch 2 is followed by 1 (decide)" in problems


def test_an_epoch_that_jumps_or_rises_without_a_change_of_owner_makes_a_cross() -> None:
    assert "epoch 1 is followed by 3 (seize)" in judged(seized(epoch=3), changes=2).problems
    silently = [*run(5), *run(6), *run(7, epoch=2, worker="new"), *run(8, epoch=2, worker="new")]
    assert "epoch 1 is followed by 2 (decide)" in judged(silently, changes=1).problems


def test_two_workers_in_one_epoch_make_a_cross() -> None:
    lines = [*run(5), *run(6), *run(7, worker="twin"), *run(8)]
    assert "two workers in epoch 1: old and twin" in judged(lines).problems


@pytest.mark.parametrize(("lines", "changes"), [(CALM, 1), (seized(), 0), (seized(), 2)])
def test_another_number_of_owners_than_the_fault_costs_makes_a_cross(
    lines: list[Line], changes: int
) -> None:
    (problem,) = judged(lines, changes=changes).problems
    assert problem.startswith("the owner changed ")


def test_a_late_cycle_makes_a_cross_where_the_owner_was_left_alone() -> None:
    late = [*run(5), *run(6), *run(7, late_ms=501), *run(8)]
    assert judged(late).problems == ()
    assert judged(late, late_ms_max=501).problems == ()
    assert judged(late, late_ms_max=500).problems == (
        "cycle 7 was late although its owner was not touched",
    )


def test_no_cycle_at_all_is_no_proof() -> None:
    assert "no cycle was run" in judged([]).problems


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown_to_book": ("a",)},
        {"unknown_to_exchange": ("a",)},
        {"differing": ("a",)},
        {"bought_twice": ("a",)},
        {"received": 5},
    ],
    ids=str,
)
def test_an_order_that_the_books_disagree_about_makes_a_cross(changes: dict[str, object]) -> None:
    books = BOOKS._replace(**changes)  # type: ignore[arg-type]  # fields by their names
    assert len(judged(CALM, trading=TRADING._replace(books=books)).problems) == 1
    repeated = BOOKS._replace(received=5, duplicates=1)
    assert judged(CALM, trading=TRADING._replace(books=repeated)).problems == ()


def test_a_position_that_changed_makes_a_cross_on_any_venue() -> None:
    trading = Trading(unsound=("btc-updown-5m-1 in cycle 7",), held=2, books=None)
    assert judged(CALM, trading=trading).problems == ("positions: btc-updown-5m-1 in cycle 7",)
    assert judged(CALM, trading=Trading((), 2, None)).problems == ()


def test_orders_in_doubt_are_said() -> None:
    assert judged(CALM, trading=TRADING._replace(doubtful=2)).evidence.endswith(
        "3 executed, 2 in doubt, asked about"
    )


def test_every_fault_can_be_made_and_chosen() -> None:
    assert list(HOW) == [fault.name for fault in FAULTS]
    assert chosen(()) == list(FAULTS)
    assert [fault.name for fault in chosen({"owner-stopped"})] == ["owner-stopped"]


def test_the_estimate_grows_with_the_period() -> None:
    first, second = FAULTS[:2]
    assert patience_s(60.0) - patience_s(1.0) == 8 * 59
    assert estimate_s([first], 60) - estimate_s([first], 1) == 59 * first.periods
    assert estimate_s([first, second], 1) == estimate_s([first], 1) + estimate_s([second], 1)


def test_the_table_in_the_docs_has_a_tick_for_every_fault() -> None:
    page = (ROOT / "docs" / "drill.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    ticked = [(row[0], row[1]) for row in rows if row[-1] == "✓"]
    assert ticked == [(fault.fault, fault.step) for fault in FAULTS]
    elsewhere = [tuple(row) for row in rows if len(row) == 2]
    assert elsewhere[2:] == list(ELSEWHERE)


def test_what_is_proven_elsewhere_is_there() -> None:
    for each in ELSEWHERE:
        for name in each.proof.split("`")[1::2]:
            assert name.startswith("make ") or (ROOT / name).is_file(), name
