"""What workers do when the wall clock is set, false, asleep or not yet set."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from handoff.cadence import every
from handoff.limits import CLOCK_AGREE_NS, NS, SYNCHRONISE_NS_MAX
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from tests.engine_world import FIRST, PERIOD_S, Application, schedule
from tests.worker_world import Process, World, told

if TYPE_CHECKING:
    from handoff.workload import Cycle

NEXT = FIRST + 1
AGREE_S = CLOCK_AGREE_NS / NS
DAY_NS = 86_400 * NS
READERS = 20  # in 0.1 s the owner and the standby read the clock less often
OVERDUE_S = schedule().bounds.overdue_ns / NS


def impatient() -> Application:
    """An application that gives up what is older than two periods."""
    app = Application()
    app.cadence = every(PERIOD_S, catch_up_s=2 * PERIOD_S)
    return app


async def pair(world: World) -> tuple[Process, Process]:
    """An owner and a standby of an application that gives cycles up."""
    a = world.start("a", app=impatient())
    await world.settled(NEXT)
    s = world.start("s", app=impatient())
    await world.until(lambda: bool(s.told(Kind.READY)))
    return a, s


@pytest.mark.parametrize("wrong_ns", [DAY_NS, 5 * NS, -DAY_NS])
def test_a_clock_that_is_wrong_for_a_second_costs_no_cycle(wrong_ns: int) -> None:
    """It gave up every cycle of the 31 hours that it was ahead, and idled until they came."""

    async def story(world: World) -> None:
        await pair(world)
        for number in range(1, 6):
            await world.after(NEXT + number, 7.0)
            world.clock.step(wrong_ns)
            await world.clock.pause(1.0)
            world.clock.step(-wrong_ns)
        await world.settled(NEXT + 8)
        assert world.clock.now_ns() < schedule().boundary_ns(NEXT + 9)

    world = told(story)
    assert (world.lines("miss"), world.killed) == ([], [])
    assert list(world.deciders()) == list(range(NEXT, NEXT + 9))


def test_a_false_reading_begins_no_cycle_and_ends_nobody() -> None:
    async def story(world: World) -> None:
        await pair(world)
        for number in range(1, 5):
            await world.after(NEXT + number, 5.0)
            for wrong_s in (-5, 5, 100_000):
                world.clock.misread(wrong_s * NS, readings=READERS)
                await world.clock.pause(0.2)
        a = world.processes[0]
        await world.settled(NEXT + 6)
        late_ms = [message["late_ms"] for message in a.told(Kind.SETTLED)]
        assert min(late_ms) >= 0
        assert max(late_ms) < 200

    world = told(story)
    assert (world.lines("miss"), world.killed) == ([], [])


def test_a_clock_that_is_set_forward_is_believed_and_the_policy_applied() -> None:
    async def story(world: World) -> None:
        a, _ = await pair(world)
        await world.after(NEXT + 1, 3.0)
        world.clock.step(10 * PERIOD_S * NS)
        await world.clock.pause(AGREE_S - 0.5)
        assert world.done() == NEXT + 1
        await world.settled(NEXT + 14)
        assert a.told(Kind.DUE)

    world = told(story)
    assert [line.cycle for line in world.lines("miss")] == list(range(NEXT + 2, NEXT + 10))
    assert world.killed == []
    assert set(world.deciders().values()) == {"a"}


def test_a_clock_that_is_set_back_is_waited_for() -> None:
    """What is decided stays decided; the next cycle begins when its boundary comes again."""

    async def story(world: World) -> None:
        a, _ = await pair(world)
        await world.after(NEXT + 1, 3.0)
        world.clock.step(-3 * PERIOD_S * NS)
        await world.settled(NEXT + 3)
        due = a.told(Kind.DUE)[-1]
        assert due["overdue_at_ms"] * 10**6 == schedule().overdue_at_ns(NEXT + 2)
        assert due["overdue_boot_ms"] * 10**6 > 2 * PERIOD_S * NS

    world = told(story)
    assert (world.lines("miss"), world.killed) == ([], [])
    assert set(world.deciders().values()) == {"a"}


def test_after_a_suspension_nothing_waits() -> None:
    """The clocks agree that the time has passed: what is too old is given up at once."""

    async def story(world: World) -> None:
        await pair(world)
        await world.after(NEXT + 1, 3.0)
        world.clock.suspend(10 * PERIOD_S * NS)
        await world.until(lambda: world.done() >= NEXT + 11, limit_s=0.5)
        await world.settled(NEXT + 14)

    world = told(story)
    assert [line.cycle for line in world.lines("miss")] == list(range(NEXT + 2, NEXT + 10))
    assert world.killed == []


def test_an_owner_that_catches_up_without_a_pause_hears_that_it_shall_leave() -> None:
    """Nothing in its cycles waits: the signal came between two of them and was never looked at."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        asked: list[int] = []

        def deciding(cycle: Cycle, _: object) -> None:
            if cycle.number == NEXT + 3:
                asked.append(cycle.number)
                asyncio.get_running_loop().call_soon(a.worker.drain)

        a.app.deciding = deciding
        world.clock.suspend(100 * PERIOD_S * NS)
        assert await a.left() is Leaving.DRAINED
        assert asked
        assert world.done() < NEXT + 10

    told(story)


def test_cycles_are_given_up_one_by_one_and_the_clock_is_read_before_each() -> None:
    """A clock that is corrected in the middle of it saves the rest."""

    async def story(world: World) -> None:
        a, _ = await pair(world)
        a.die()
        transact = world.store.transact

        def corrected(change: object, note: object) -> object:
            if len(world.lines("miss")) == 3:
                world.store.transact = transact  # type: ignore[method-assign] # once
                world.clock.suspend(-100 * PERIOD_S * NS)
            return transact(change, note)  # type: ignore[arg-type] # as the store has them

        world.store.transact = corrected  # type: ignore[method-assign, assignment] # a wrapped one
        world.clock.suspend(100 * PERIOD_S * NS)
        await world.until(lambda: len(world.lines("miss")) == 4)
        await world.settled(NEXT + 6)

    assert len(told(story).lines("miss")) == 4


@pytest.mark.parametrize("set_after_s", [20, None])
def test_a_fresh_host_is_waited_for_before_a_cycle_is_given_up(set_after_s: int | None) -> None:
    """A board without a clock of its own starts anywhere; a time server takes its moment."""
    ahead_ns = 1000 * PERIOD_S * NS

    async def story(world: World) -> None:
        world.clock.boot(NS)
        world.clock.step(ahead_ns)
        world.clock.synchronised = False
        world.start("a", app=impatient())
        s = world.start("s", app=impatient())
        await world.until(lambda: bool(s.told(Kind.READY)))
        if set_after_s is not None:
            await world.clock.pause(set_after_s)
            world.clock.step(-ahead_ns)
            world.clock.synchronised = True
            await world.settled(NEXT + 5)
            assert world.lines("miss") == []
        else:
            await world.clock.pause(SYNCHRONISE_NS_MAX / NS - 2)
            assert (world.lines("miss"), world.killed) == ([], [])
            await world.until(lambda: bool(world.lines("miss")), limit_s=3)
            await world.settled(NEXT + 1000)

    world = told(story)
    assert world.killed == []
    assert [message for process in world.processes for message in process.told(Kind.DUE)]


def test_an_owner_in_the_middle_of_a_cycle_gets_its_time_after_a_step() -> None:
    """It can believe the step only once it has finished what it has in hand."""

    async def story(world: World) -> None:
        async def slow(_cycle: Cycle) -> list[str]:
            await world.clock.pause(4.9)
            return []

        a, s = await pair(world)
        a.app.observed = slow
        s.app.observed = slow
        await world.after(NEXT + 1, 0.1)
        world.clock.step(3 * PERIOD_S * NS)
        await world.settled(NEXT + 6)

    world = told(story)
    assert world.killed == []
    assert set(world.deciders().values()) == {"a"}


def test_an_owner_that_hangs_is_replaced_though_a_reading_is_false_now_and_then() -> None:
    async def story(world: World) -> None:
        a, _ = await pair(world)
        await world.after(NEXT, 8.0)
        a.stop()
        await world.after(NEXT + 1, 1.0)
        for _ in range(20):
            world.clock.misread(DAY_NS)
            await world.clock.pause((OVERDUE_S + 0.5) / 20)
        assert world.killed == ["a"]

    told(story)
