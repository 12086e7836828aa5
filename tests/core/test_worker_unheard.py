"""Steps of an owner that landed although it gave their answers up: they are its own still."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from handoff.wire import Kind
from handoff.workload import effect
from state import transitions
from state.errors import OutcomeUnknown
from state.memory_store import Moment
from state.record import Control, Delivery, Record
from state.store import Note
from tests.engine_world import FIRST
from tests.worker_world import World, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.workload import Cycle
    from tests.engine_world import Body

CYCLE = FIRST + 2
LOST = "a write whose answer is lost"
CONTROLS = [Control(), Control(note="looked at")]


def commanded(record: Record, *, control: Control) -> Record:
    return transitions.command(record, control=control, attempt="command")


def lands_unheard(world: World, control: Control) -> Callable[[Moment], None]:
    """Let the next write land and its answer be lost, and somebody's word land on top of it."""

    def interrupt(moment: Moment) -> None:
        if moment is Moment.AFTER_RECORD:
            world.store.interrupt = lambda _: None
            world.store.transact(partial(commanded, control=control), Note(kind="command"))
            raise OutcomeUnknown(LOST)

    return interrupt


@pytest.mark.parametrize("control", CONTROLS)
def test_a_decision_beneath_a_word_of_an_operator_is_performed_by_who_made_it(
    control: Control,
) -> None:
    """Once at most, an order of which its own owner knows nothing would be unknown, unsent."""

    async def story(world: World) -> None:
        owner = world.start("a")
        order = effect("order", effect_id="x", payload={}, delivery=Delivery.AT_MOST_ONCE)
        owner.app.plans[CYCLE] = [order]

        def deciding(at: Cycle, _: Body) -> None:
            if at.number == CYCLE and not world.lines("command"):
                world.store.interrupt = lands_unheard(world, control)

        owner.app.deciding = deciding
        await world.settled(CYCLE + 1)
        assert owner.told(Kind.LOST) == []

    world = told(story)
    assert (world.venue.sent, world.body()["outcomes"]) == (["x"], ["x confirmed"])


def test_an_owner_whose_settling_lies_beneath_a_word_of_an_operator_owns_on() -> None:
    """Its launcher would hear that nobody owns, or wait for a cycle that is over."""

    async def story(world: World) -> None:
        owner = world.start("a")
        owner.app.plans[CYCLE] = [effect("order", effect_id="x", payload={})]

        async def performed() -> None:
            world.store.interrupt = lands_unheard(world, CONTROLS[1])

        world.venue.hooks["x"] = performed
        await world.settled(CYCLE)
        await world.clock.pause(1)
        assert owner.told(Kind.LOST) == []
        assert owner.told(Kind.DUE)[-1]["cycle"] == CYCLE + 1
        await world.settled(CYCLE + 1)

    assert told(story).store.read().ownership.epoch == 1
