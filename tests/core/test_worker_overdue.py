"""What counts as overdue, and a change of owner whose answer is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from handoff.limits import NS
from handoff.wire import Kind
from state import transitions
from state.errors import OutcomeUnknown
from state.memory_store import Moment
from state.record import Control
from state.store import Note
from tests.engine_world import FIRST, PERIOD_S, schedule
from tests.worker_world import Process, World, told

if TYPE_CHECKING:
    from collections.abc import Callable

NEXT = FIRST + 1
OVERDUE_S = schedule().bounds.overdue_ns / NS
LOST = "an attempt whose answer is lost"


async def owner_and_standby(world: World) -> tuple[Process, Process]:
    a = world.start("a")
    await world.settled(NEXT)
    s = world.start("s")
    await world.until(lambda: bool(s.told(Kind.READY)))
    return a, s


def test_an_owner_has_the_whole_limit_after_a_step_of_the_clock() -> None:
    """Late in a cycle the record has rested for longer than the limit; that is no sign."""
    assert_left_alone(lambda world: world.clock.step(60 * NS))


def test_an_owner_has_the_whole_limit_after_a_suspension() -> None:
    """The boundary passed while nothing ran: the limit counts from when that is seen."""
    assert_left_alone(lambda world: world.clock.suspend(60 * NS))


def assert_left_alone(jump: Callable[[World], None]) -> None:
    async def story(world: World) -> None:
        a, _ = await owner_and_standby(world)
        await world.after(NEXT + 1, -0.5)
        # Nothing of this host ran meanwhile; the owner is the last to get the processor.
        a.stop()
        jump(world)
        await world.clock.pause(OVERDUE_S - 0.5)
        a.wake()
        await world.settled(NEXT + 8)

    world = told(story)
    assert world.killed == []
    assert set(world.deciders().values()) == {"a"}


def test_a_command_does_not_make_a_hanging_owner_look_alive() -> None:
    """An operator who pauses what hangs must not keep it from being replaced."""

    async def story(world: World) -> None:
        a, _ = await owner_and_standby(world)
        a.stop()
        for number in range(4):
            await world.after(NEXT + 1, 2.0 * number)
            control = Control(paused=True, note=str(number))
            world.store.transact(
                partial(transitions.command, control=control, attempt=f"pause-{number}"),
                Note(kind="command"),
            )
        await world.after(NEXT + 1, OVERDUE_S + 0.5)
        assert world.owner() == "s"

    told(story)


def test_a_clock_that_is_set_back_across_a_boundary_starts_the_limit_again() -> None:
    async def story(world: World) -> None:
        a, _ = await owner_and_standby(world)
        a.stop()
        await world.after(NEXT + 1, OVERDUE_S - 1)
        world.clock.step(-(PERIOD_S - 1) * NS)
        await world.after(NEXT + 1, OVERDUE_S - 0.5)
        assert world.killed == []
        await world.settled(NEXT + 1)
        assert world.killed == ["a"]

    told(story)


def test_a_seize_whose_answer_is_lost_is_found_in_the_record() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)

        def unknown(moment: Moment) -> None:
            if moment is Moment.AFTER_RECORD and world.owner() == "s":
                world.store.interrupt = lambda _: None
                raise OutcomeUnknown(LOST)

        world.store.interrupt = unknown
        a.die()
        await world.settled(NEXT + 1)
        assert len(s.told(Kind.SEIZED)) == 1

    assert len(told(story).lines("seize")) == 2


def test_a_seize_that_cannot_be_written_is_tried_again() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        failures = [Moment.BEFORE_JOURNAL, Moment.BETWEEN]

        def failing(moment: Moment) -> None:
            if failures and moment is failures[0]:
                failures.pop(0)
                raise OutcomeUnknown(LOST)

        world.store.interrupt = failing
        a.die()
        await world.settled(NEXT + 1)
        assert len(s.log.lines("commit_failed")) == 2
        assert len(s.told(Kind.SEIZED)) == 1

    assert told(story).deciders()[NEXT + 1] == "s"


def test_who_owns_says_from_when_on_it_is_overdue() -> None:
    """The launcher starts a standby by it: a cycle too late, and that one is missed."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b")
        await world.settled(NEXT + 1)
        seized, took = world.processes[0].told(Kind.SEIZED)[0], b.told(Kind.TOOK)[0]
        expected = [schedule().overdue_at_ns(NEXT + each) // 1_000_000 for each in (0, 1)]
        assert [seized["overdue_at_ms"], took["overdue_at_ms"]] == expected

    told(story)
