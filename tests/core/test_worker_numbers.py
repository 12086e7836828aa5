"""A cycle number means one moment: whoever would give it another one does not own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from handoff.cadence import every
from handoff.limits import NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from state import transitions
from state.journal_reader import read_places
from state.numbering import Numbered, Place, newest_numbered
from state.record import Cadence, Control
from state.store import Note
from tests.engine_world import FIRST, PERIOD_S, Application, schedule
from tests.worker_world import World, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worker_world import Process

NEXT = FIRST + 1
OTHERS = [PERIOD_S * 2, PERIOD_S - 1, PERIOD_S + 0.001]


def of_cadence(period_s: float) -> Application:
    app = Application()
    app.cadence = every(period_s)
    return app


def told_gate(process: Process) -> tuple[bool, str]:
    gate = process.told(Kind.GATE)[0]
    assert gate["gate"] == "cadence"
    return bool(gate["passed"]), str(gate["reason"])


def commanded(world: World, times: int) -> None:
    for number in range(times):
        control = Control(paused=number % 2 == 0)
        change = partial(transitions.command, control=control, attempt=f"command-{number}")
        world.store.transact(change, Note(kind="command"))


def unsaid(world: World) -> None:
    """Make the record one of a release that did not write what its numbers mean."""
    world.store.transact(
        lambda record: replace(record, cadence=None, attempt="unsaid"), Note(kind="command")
    )


@pytest.mark.parametrize("period_s", OTHERS)
def test_a_candidate_of_another_cadence_is_refused(period_s: float) -> None:
    """Its next cycle would be years away, or it would catch up on years and kill who owns."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = world.start("b", "r2", app=of_cadence(period_s), deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        allows, reason = told_gate(b)
        assert not allows
        assert f"those of the record {PERIOD_S:g} s from 0 s" in reason
        await world.settled(NEXT + 1)

    world = told(story)
    assert (set(world.deciders().values()), world.killed) == ({"a"}, [])


@pytest.mark.parametrize("period_s", OTHERS)
def test_where_the_record_does_not_say_it_the_journal_does_behind_any_number_of_commands(
    period_s: float,
) -> None:
    """Eight of them were enough for a shorter period: it ran a thousand cycles a second."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.die()
        unsaid(world)
        commanded(world, 20)
        b = world.start("b", "r2", app=of_cadence(period_s), deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        assert f"cycle {NEXT} would have begun at" in told_gate(b)[1]

    told(story)


@pytest.mark.parametrize("period_s", [PERIOD_S * 2, 1.0])
def test_before_the_first_cycle_the_first_record_says_it(period_s: float) -> None:
    async def story(world: World) -> None:
        b = world.start("b", "r2", app=of_cadence(period_s), deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        assert not told_gate(b)[0]
        c = world.start("c", "r2", deploy_id="d2")
        await world.until(lambda: bool(c.told(Kind.READY)))
        assert told_gate(c) == (True, "no cycle is recorded yet")

    told(story)


def test_the_first_decision_of_an_owner_says_it_and_a_candidate_hears_it_from_the_record() -> None:
    async def story(world: World) -> None:
        assert world.store.read().cadence is None
        world.start("a")
        record = await world.settled(NEXT)
        assert record.cadence == Cadence(period_ns=round(PERIOD_S * NS))
        b = await world.candidate("b", bake=None)
        assert told_gate(b) == (True, f"every {PERIOD_S:g} s, as recorded")

    told(story)


def test_an_owner_that_nothing_proves_right_decides_and_leaves_it_unsaid() -> None:
    """A home must come up: what nothing contradicts may own, as it always did."""

    async def story(world: World) -> None:
        world.journal_says = lambda: None
        world.start("a")
        assert (await world.settled(NEXT)).cadence is None

    told(story)


def test_a_worker_whose_numbers_mean_other_moments_does_not_own_though_it_passed_its_gates() -> (
    None
):
    """Between its gates and its turn another owner may have said what they mean."""

    async def story(world: World) -> None:
        found = world.journal_says
        world.journal_says = lambda: None
        b = world.start("b", "r2", app=of_cadence(PERIOD_S * 2), deploy_id="d1")
        await world.until(lambda: bool(b.told(Kind.READY)))
        world.journal_says = found
        world.start("a")
        await world.until(lambda: b.gone, limit_s=60)
        assert "those of the record" in b.line.told[-1]["reason"]

    assert set(told(story).deciders().values()) == {"a"}


def test_an_owner_that_finds_other_moments_gives_ownership_up_and_says_so() -> None:
    async def story(world: World) -> None:
        found, passing = world.journal_says, [None]  # first, when it passes its gates
        world.journal_says = lambda: passing.pop() if passing else found()
        a = world.start("a", app=of_cadence(PERIOD_S * 2))
        await world.until(lambda: a.gone, limit_s=60)
        assert await a.left() is Leaving.FAULTY
        assert a.line.told[-1]["reason"].startswith("cadence: ")
        assert world.owner() == ""

    assert told(story).deciders() == {}


PLACES = (
    Place(kind="genesis", seq=1, cycle=10, at_ms=5.0),
    Place(kind="decide", seq=2, cycle=11, scheduled_ms=20.0),
    Place(kind="decide", seq=3, cycle=12, scheduled_ms=30.0),
    Place(kind="aborted", seq=4, cycle=11, aborts=3),
    Place(kind="command", seq=5, cycle=11),
)


def test_a_line_that_was_taken_back_says_nothing() -> None:
    assert newest_numbered(PLACES) == Numbered(cycle=11, began_ms=20.0, decided=True)
    assert newest_numbered(PLACES[:3]) == Numbered(cycle=12, began_ms=30.0, decided=True)
    assert newest_numbered(PLACES[:1]) == Numbered(cycle=10, began_ms=5.0, decided=False)
    assert newest_numbered(PLACES[3:]) is None


def test_a_line_that_leaves_its_moment_out_says_none() -> None:
    """A number without its moment would put every later cycle into 1970."""
    bare = msgspec.json.decode(b'{"kind":"decide"}', type=Place)
    assert (bare.seq, bare.aborts, bare.cycle, bare.at_ms, bare.scheduled_ms) == (0, 0, 0, 0, None)
    undated = Place(kind="decide", seq=3, cycle=12)
    dated = Numbered(cycle=11, began_ms=20.0, decided=True)
    assert newest_numbered([*PLACES[:2], undated]) == dated
    assert newest_numbered([*PLACES[:2], Place(kind="command", seq=3, scheduled_ms=30.0)]) == dated


def test_places_are_read_from_the_newest_segments_whatever_else_is_in_them(tmp_path: Path) -> None:
    for seq, text in (
        (1, '{"kind":"miss","seq":1}\n'),
        (5, 'torn{\n{"kind":"x","seq":6}\n'),
        (9, ""),
    ):
        (tmp_path / f"{seq:012}.jsonl").write_text(text)
    assert [each.seq for each in read_places(tmp_path)] == [6]
    assert list(read_places(tmp_path / "nowhere")) == []


def test_a_schedule_says_what_a_record_keeps() -> None:
    assert schedule().recorded() == Cadence(period_ns=round(PERIOD_S * NS), offset_ns=0)
