"""A candidate decides live cycles beside the owner before it says that it is ready."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from handoff.errors import NotComparable
from handoff.wire import Kind
from handoff.wish import Wish
from handoff.worker.leaving import Leaving
from state import transitions
from state.record import Control
from state.store import Note
from tests.engine_world import FIRST, Application, order
from tests.worker_world import told

if TYPE_CHECKING:
    from handoff.wire import Message
    from handoff.workload import Cycle
    from tests.worker_world import Process, World

NEXT = FIRST + 1


def planning(payload: object = 1) -> Application:
    """An application with an order in each cycle."""
    app = Application()
    app.plans = {
        number: [order(f"order-{number}", payload=payload)] for number in range(NEXT, NEXT + 50)
    }
    return app


def shadow(world: World, app: Application, *, cycles: int, differ_max: float = 1.0) -> Process:
    """Start a candidate that is a shadow first."""
    wish = Wish(shadow=cycles, replay_differ_max=differ_max)
    return world.start("b", "r2", app=app, deploy_id="deploy-b", wish=wish)


def verdict(process: Process) -> Message:
    return next(each for each in process.told(Kind.GATE) if each["gate"] == "shadow")


def test_it_decides_as_many_cycles_as_were_asked_for_and_performs_nothing() -> None:
    async def story(world: World) -> None:
        world.start("a", app=planning())
        await world.settled(NEXT)
        begun = world.done()
        b = shadow(world, planning(), cycles=3)
        await world.until(lambda: bool(b.told(Kind.READY)))
        assert world.done() == begun + 3
        assert verdict(b)["passed"] is True
        assert verdict(b)["reason"] == "3 cycles, 0 differ"
        assert b.told(Kind.READY), "only now"
        b.line.say(Kind.GO, bake=1)
        await world.settled(begun + 5)
        assert world.owner() == "b"

    world = told(story)
    assert len(world.venue.sent) == len(set(world.venue.sent))


def test_a_cycle_whose_record_it_never_saw_is_not_counted() -> None:
    """A command that lands just before the decision changes what is decided upon."""

    async def story(world: World) -> None:
        app = planning()

        async def observed(cycle: Cycle) -> list[str]:
            halted = Control(halted=cycle.number == NEXT + 2, by="mia")
            if cycle.number in (NEXT + 2, NEXT + 3):
                change = partial(transitions.command, control=halted, attempt=f"c{cycle.number}")
                world.store.transact(change, Note(kind="command"))
            return []

        app.observed = observed
        world.start("a", app=app)
        await world.settled(NEXT)
        b = shadow(world, planning(), cycles=3)
        await world.until(lambda: bool(b.told(Kind.READY)))
        assert verdict(b)["reason"] == "3 cycles, 0 differ"
        assert world.done() == NEXT + 5, "of five cycles two were not counted"

    world = told(story)
    assert world.store.read().control.halted is False


@pytest.mark.parametrize(("differ_max", "passes"), [(0.5, False), (1.0, True)])
def test_what_it_decides_otherwise_counts(*, differ_max: float, passes: bool) -> None:
    async def story(world: World) -> None:
        world.start("a", app=planning())
        await world.settled(NEXT)
        b = shadow(world, planning(payload=2), cycles=2, differ_max=differ_max)
        await world.until(lambda: b.gone or bool(b.told(Kind.READY)))
        assert verdict(b)["passed"] is passes
        assert "was 1, is 2" in verdict(b)["reason"]
        assert bool(b.told(Kind.READY)) is passes
        if not passes:
            assert await b.left() is Leaving.REFUSED

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_cycles_that_cannot_be_compared_are_counted_apart_and_refuse_nobody() -> None:
    """A version that reads more than the owner could never be deployed with a shadow run."""

    async def story(world: World) -> None:
        world.start("a", app=planning())
        await world.settled(NEXT)
        lacking = planning()

        def lack(_cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
            message = "it reads more"
            raise NotComparable(message)

        lacking.deciding = lack
        b = shadow(world, lacking, cycles=2, differ_max=0.0)
        await world.until(lambda: b.gone or bool(b.told(Kind.READY)))
        assert verdict(b)["passed"] is True
        assert verdict(b)["reason"].startswith("0 cycles, 0 differ, 2 not comparable")

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_a_shadow_that_raises_is_refused_and_the_owner_goes_on() -> None:
    async def story(world: World) -> None:
        world.start("a", app=planning())
        await world.settled(NEXT)
        broken = planning()

        def fail(_cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
            message = "told to fail"
            raise RuntimeError(message)

        broken.deciding = fail
        b = shadow(world, broken, cycles=2)
        await world.until(lambda: bool(b.told(Kind.GATE)[4:]))
        assert verdict(b)["passed"] is False
        assert await b.left() is Leaving.REFUSED
        assert "decide raised RuntimeError: told to fail" in verdict(b)["reason"]
        await world.settled(NEXT + 5)

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_a_shadow_waits_no_longer_than_its_bound() -> None:
    """An owner that stands still must not keep a deploy for ever."""

    async def story(world: World) -> None:
        a = world.start("a", app=planning())
        await world.settled(NEXT)
        world.kills = None
        a.stop()
        b = shadow(world, planning(), cycles=2)
        await world.until(lambda: bool(b.told(Kind.GATE)[4:]), limit_s=10_000)
        assert await b.left() is Leaving.REFUSED
        assert "only 0 of 2 cycles came within" in verdict(b)["reason"]

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_a_shadow_that_is_asked_to_leave_does() -> None:
    async def story(world: World) -> None:
        world.start("a", app=planning())
        await world.settled(NEXT)
        b = shadow(world, planning(), cycles=40)
        await world.settled(NEXT + 3)
        b.worker.drain()
        assert await b.left() is Leaving.REFUSED
        assert verdict(b)["reason"] == "it was asked to leave"

    world = told(story)
    assert set(world.deciders().values()) == {"a"}
