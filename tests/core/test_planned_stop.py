"""What a planned stop cost is stopped, not missed; what was due before or after it is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from handoff.cadence import every
from handoff.limits import NS
from handoff.wire import Kind
from state.cycle_audit import CycleRange, CycleReport, Dated, audit_cycles
from state.journal_frames import Line
from state.open_struct import encode_open
from state.planned_stop import ASKED, ASKED_MS, CATCH_UP, FROM_MS, UNTIL_MS, Stop, stops_before
from state.record import Missed, Progress, Record, Timeline
from tests.engine_world import FIRST, PERIOD_S, Application, schedule
from tests.worker_world import Process, World, told

if TYPE_CHECKING:
    from collections.abc import Sequence

NEXT = FIRST + 1
PERIOD_MS = 1000.0


def line(kind: str, cycle: int, at_ms: float = 0.0, **evidence: Any) -> Line:  # noqa: ANN401 - as a line has it
    """A line of a journal whose cycle n begins at n seconds."""
    dated = kind in {"decide", "settle", "miss"}
    if kind == "miss" and "reason" not in evidence:
        evidence["reason"] = f"7.0 s late, {CATCH_UP}"
    return Line(
        kind=kind,
        result="",
        cycle=cycle,
        at_ms=at_ms or cycle * PERIOD_MS,
        scheduled_ms=cycle * PERIOD_MS if dated else None,
        evidence=evidence,
        header=_header(cycle, str(evidence.get("reason", ""))),
    )


def _header(cycle: int, reason: str) -> Raw:
    progress = Progress(cycle=cycle, missed=(Missed(cycle=cycle, reason=reason),))
    return Raw(encode_open(Record(app="test", timeline=Timeline(), progress=progress)))


def ran(*cycles: int) -> list[Line]:
    return [line(kind, cycle) for cycle in cycles for kind in ("decide", "settle")]


def gave_up(first: int, last: int) -> list[Line]:
    return [line("miss", cycle, at_ms=90_000.0) for cycle in range(first, last + 1)]


def missed(report: CycleReport) -> list[int]:
    return [each.cycle for each in report.missed]


def stopped(*lines: Line) -> tuple[list[CycleRange], list[int]]:
    report = audit_cycles(lines)
    assert report.is_complete
    return list(report.stopped), missed(report)


def test_what_began_between_release_and_seize_was_stopped_and_nothing_else() -> None:
    """A stop must not hide that the owner was behind before it, or nobody came after it."""
    told_apart = stopped(
        *ran(10, 11),
        line("release", 11, 15_500.0, reason=ASKED, **{ASKED_MS: 14_200.0}),
        line("seize", 11, 20_300.0, proof="none"),
        *gave_up(12, 25),
    )
    assert told_apart == ([CycleRange(first=15, last=20)], [12, 13, 14, 21, 22, 23, 24, 25])


def test_a_release_of_the_version_before_says_when_it_was_written() -> None:
    told_apart = stopped(
        *ran(10),
        line("release", 10, 10_600.0, reason=ASKED),
        line("seize", 10, 13_300.0),
        *gave_up(11, 14),
    )
    assert told_apart == ([CycleRange(first=11, last=13)], [14])


@pytest.mark.parametrize(
    "end", [line("release", 10, 10_600.0, reason="invariant violated"), line("command", 10)]
)
def test_without_a_planned_end_everything_is_missed(end: Line) -> None:
    """A release that leaves as faulty, or an owner that died, was not asked to."""
    assert stopped(*ran(10), end, line("seize", 10, 13_300.0), *gave_up(11, 13)) == (
        [],
        [11, 12, 13],
    )


def test_a_cycle_that_failed_in_a_stop_is_missed() -> None:
    """It was tried afterwards, and given up for a reason of its own."""
    failed = line("miss", 11, 20_000.0, reason="failed: decide raised KeyError")
    released = line("release", 10, 10_600.0, reason=ASKED)
    assert stopped(*ran(10), released, line("seize", 10, 13_300.0), failed) == ([], [11])


def test_several_stops_are_told_apart() -> None:
    told_apart = stopped(
        *ran(10),
        line("release", 10, 10_600.0, reason=ASKED),
        line("seize", 10, 12_500.0),
        line("release", 10, 13_500.0, reason=ASKED),
        line("seize", 10, 15_500.0),
        *gave_up(11, 17),
    )
    ranges = [CycleRange(first=11, last=12), CycleRange(first=14, last=15)]
    assert told_apart == (ranges, [13, 16, 17])


def test_a_cycle_given_up_tells_its_stop_where_the_lines_before_are_gone() -> None:
    """Retention may remove the release and keep what it cost; `--since` begins anywhere."""
    told_by = {FROM_MS: 10_600.0, UNTIL_MS: 13_300.0}
    lines = [line("miss", cycle, 90_000.0, **told_by) for cycle in range(12, 16)]
    assert stopped(*lines) == ([CycleRange(first=12, last=13)], [14, 15])


def test_who_owns_next_knows_the_stop_also_after_another_that_died_in_it() -> None:
    released = line("release", 10, 10_600.0, reason=ASKED)
    stops = stops_before([*ran(10), released, line("command", 10), line("seize", 10, 13_300.0)])
    stop = stops.covering(12_000.0)
    assert stop is not None
    died = line("miss", 11, 90_000.0, **stop.evidence())
    assert stops_before([died, line("seize", 11, 91_000.0)]).covering(12_000.0) == stop
    assert stops.covering(14_000.0) is None


def test_what_is_no_number_is_no_moment_of_a_stop() -> None:
    """Evidence is for people: whatever stands there, the line's own time is known."""
    released = line("release", 10, 10_600.0, reason=ASKED, **{ASKED_MS: "soon"})
    stop = stops_before([*ran(10), released]).open
    assert stop == Stop(from_ms=10_600.0)


def test_half_a_stop_excuses_nothing() -> None:
    for told_by in ({UNTIL_MS: 99_000.0}, {FROM_MS: 1_000.0}):
        assert stopped(*ran(10), line("miss", 11, 90_000.0, **told_by)) == ([], [11])


def test_a_cycle_without_a_moment_neither_ends_a_stop_nor_was_stopped() -> None:
    undated = replace(line("miss", 11, 90_000.0), scheduled_ms=None)
    stops = stops_before([*RELEASED, line("seize", 10, 13_300.0), undated])
    assert stops.covering(12_000.0) == Stop(from_ms=10_600.0, until_ms=13_300.0)
    assert stops.has_stopped(undated) is False
    assert stops.has_stopped(line("miss", 12)) is True


RELEASED = [*ran(10), line("release", 10, 10_600.0, reason=ASKED)]


def undecided(lines: Sequence[Line], now_ms: float) -> list[list[int]]:
    overdue, stopped_now = audit_cycles(lines).undecided(now_ms, 2500.0)
    return [list(range(each.first, each.last + 1)) for each in (overdue, stopped_now)]


def test_a_dead_owner_is_overdue_with_every_cycle_since() -> None:
    """Dead for ten cycles, and the check said that all holds."""
    lines = ran(10, 11)
    assert undecided(lines, 12_000.0) == [[], []]
    assert undecided(lines, 14_400.0) == [[], []]
    assert undecided(lines, 14_500.0) == [[12], []]
    assert undecided(lines, 24_700.0) == [list(range(12, 23)), []]


def test_a_stop_that_lasts_costs_no_cycle_that_is_overdue() -> None:
    lines = [*ran(10, 11), line("release", 11, 13_800.0, reason=ASKED, **{ASKED_MS: 13_500.0})]
    assert undecided(lines, 30_000.0) == [[12, 13], list(range(14, 31))]
    assert undecided(lines[:-1], 30_000.0)[1] == []
    on_time = [*ran(10, 11), line("release", 11, 11_900.0, reason=ASKED)]
    assert undecided(on_time, 30_000.0) == [[], list(range(12, 31))]
    assert undecided(on_time, 11_950.0) == [[], []]


def test_what_was_decided_although_it_began_after_a_stop_was_asked_for_is_no_cost_of_it() -> None:
    """The owner was asked with a cycle in hand, and finished it."""
    released = line("release", 11, 11_900.0, reason=ASKED, **{ASKED_MS: 10_900.0})
    assert undecided([*ran(10, 11), released], 30_000.0) == [[], list(range(12, 31))]


def test_a_cycle_that_begins_when_the_stop_is_asked_for_belongs_to_the_stop() -> None:
    """As it does once it is given up: the two counts must agree."""
    released = line("release", 11, 12_300.0, reason=ASKED, **{ASKED_MS: 12_000.0})
    assert undecided([*ran(10, 11), released], 30_000.0) == [[], list(range(12, 31))]
    given_up = [*gave_up(12, 13), line("seize", 11, 12_900.0)]
    told_apart = stopped(*ran(10, 11), released, given_up[-1], *given_up[:-1])
    assert told_apart == ([CycleRange(first=12, last=12)], [13])


@pytest.mark.parametrize("lines", [[], ran(10), ran(10)[1:]], ids=["no", "one", "a settled"])
def test_lines_that_tell_no_period_tell_nothing_that_is_overdue(lines: list[Line]) -> None:
    nothing = CycleRange(first=0, last=-1)
    assert audit_cycles(lines).undecided(99_000.0, 2500.0) == (nothing, nothing)
    assert nothing.count == 0


@pytest.mark.parametrize(("first", "last", "count"), [(3, 7, 5), (3, 3, 1), (3, 2, 0), (3, 1, 0)])
def test_both_ends_of_a_range_belong_to_it(first: int, last: int, count: int) -> None:
    assert CycleRange(first=first, last=last).count == count


def test_the_period_is_measured_from_the_oldest_line_to_the_newest() -> None:
    """Two boundaries alone would carry their rounding into what is overdue a day later."""
    lines = [line("decide", cycle) for cycle in (10, 11, 13)]
    lines[-1] = replace(lines[-1], scheduled_ms=13_600.0)
    report = audit_cycles(lines)
    assert report.period_ms == 1200.0
    assert report.dated == Dated(cycle=13, boundary_ms=13_600.0)


@pytest.mark.parametrize("boundary_ms", [10_000.0, 9_000.0])
def test_boundaries_that_do_not_rise_tell_no_period(boundary_ms: float) -> None:
    """Whoever divided by it would count cycles that come before those that were decided."""
    odd = replace(line("decide", 11), scheduled_ms=boundary_ms)
    assert audit_cycles([*ran(10), odd]).period_ms is None


# --- with workers ------------------------------------------------------------------------


def impatient() -> Application:
    app = Application()
    app.cadence = every(PERIOD_S, catch_up_s=2 * PERIOD_S)
    return app


async def down(process: Process) -> None:
    process.line.say(Kind.DRAIN)
    await process.left()


@pytest.mark.parametrize("before_s", [3.0, 0.15])
def test_a_planned_stop_of_workers_is_told_as_one(before_s: float) -> None:
    """Asked just before a boundary, the owner releases just after it: that cycle is no miss."""

    async def story(world: World) -> None:
        a = world.start("a", app=impatient())
        await world.settled(NEXT)
        await world.after(NEXT + 1, -before_s)
        await down(a)
        await world.after(NEXT + 8, 4.0)
        world.start("b", app=impatient())
        await world.settled(NEXT + 9)

    report = audit_cycles(told(story).store.journal())
    assert report.stopped == (CycleRange(first=NEXT + 1, last=NEXT + 6),)
    assert report.missed == ()
    assert report.stop is None
    assert report.is_complete


def test_what_is_given_up_says_in_which_stop_it_began() -> None:
    async def story(world: World) -> None:
        a = world.start("a", app=impatient())
        await world.settled(NEXT)
        await down(a)
        await world.after(NEXT + 8, 4.0)
        world.start("b", app=impatient())
        await world.settled(NEXT + 9)

    world = told(story)
    lines = world.lines("miss")
    assert audit_cycles(lines).missed == ()
    (released,) = world.lines("release")
    assert {each.evidence[FROM_MS] for each in lines} == {released.evidence[ASKED_MS]}
    assert released.evidence["reason"] == ASKED
    assert schedule().boundary_ns(NEXT) / NS < float(released.evidence[ASKED_MS]) / 1000
