"""When the owner is gone or hangs: who goes on, what of the cycle in hand, and who must not."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from handoff.limits import NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import Unknown
from state.memory_store import Moment
from state.record import Phase, Record
from state.store import Note
from tests.engine_world import FIRST, PERIOD_S, order, schedule
from tests.worker_world import Process, World, told

NEXT = FIRST + 1
OVERDUE_S = schedule().bounds.overdue_ns / NS


async def owner_and_standby(world: World) -> tuple[Process, Process]:
    a = world.start("a")
    await world.settled(NEXT)
    s = world.start("s")
    await world.until(lambda: bool(s.told(Kind.READY)))
    return a, s


def test_a_standby_seizes_from_a_dead_owner_and_the_cycle_is_punctual() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        await world.after(NEXT + 1, -2)
        a.die()
        await world.settled(NEXT + 2)
        assert s.told(Kind.SEIZED)[0]["proof"] == "dead"
        late = [message["late_ms"] for message in s.told(Kind.SETTLED)]
        assert late == pytest.approx([0, 0], abs=1)

    world = told(story)
    assert world.deciders() == {NEXT: "a", NEXT + 1: "s", NEXT + 2: "s"}
    [_, line] = world.lines("seize")
    assert line.evidence == {"proof": "dead", "old_pid": 1000 + ord("a"), "old_start_ticks": 7}
    assert world.killed == []


def test_an_owner_that_dies_at_the_boundary_costs_milliseconds() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        await world.after(NEXT + 1, -0.001)
        a.die()
        await world.settled(NEXT + 1)
        assert s.told(Kind.SETTLED)[0]["late_ms"] < 50

    assert told(story).deciders()[NEXT + 1] == "s"


def test_a_living_owner_is_never_seized_from_however_long_its_cycle() -> None:
    """Within its budget; beyond it, it is overdue."""

    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)

        async def slow(_: object) -> list[str]:
            await world.clock.pause(2.4)
            return []

        a.app.observed = slow
        await world.settled(NEXT + 5)
        assert s.told(Kind.SEIZED) == []

    world = told(story)
    assert set(world.deciders().values()) == {"a"}
    assert world.killed == []


@pytest.mark.parametrize("fate", ["not sent", "sent", "executed"])
def test_effects_of_a_dead_owner_are_finished_with_the_same_ids(fate: str) -> None:
    """Killed before, during or after the request: the order executes once."""

    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        a.app.plans[NEXT + 1] = [order()]

        async def die() -> None:
            if fate == "executed":
                world.venue.executed.append("order-1")
            a.die()
            await asyncio.Event().wait()

        def die_after_decide(moment: Moment) -> None:
            if moment is Moment.AFTER_RECORD and world.store.read().outbox:
                world.store.interrupt = lambda _: None
                a.die()

        if fate == "not sent":
            world.store.interrupt = die_after_decide
        else:
            world.venue.hooks["order-1"] = die
        await world.until(lambda: a.gone)
        world.venue.hooks.clear()
        record = await world.settled(NEXT + 1)
        assert record.ownership.owner == s.me
        await world.settled(NEXT + 2)
        assert world.body()["outcomes"] == ["order-1 confirmed"]

    world = told(story)
    assert world.venue.executed == ["order-1"]
    assert world.deciders()[NEXT + 1] == "a"
    assert [line.worker for line in world.lines("settle")][1] == "s"


def test_a_hanging_owner_is_killed_first_and_then_seized_from() -> None:
    """SIGSTOP over a boundary: from the overdue limit on somebody else runs the cycle."""

    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        a.stop()
        await world.after(NEXT + 1, OVERDUE_S - 0.1)
        assert (world.owner(), world.killed) == ("a", [])
        await world.settled(NEXT + 1)
        assert world.killed == ["a"]
        [seized] = s.told(Kind.SEIZED)
        assert seized["proof"] == "overdue"
        assert s.told(Kind.SETTLED)[0]["late_ms"] == pytest.approx(OVERDUE_S * 1000, abs=100)

    world = told(story)
    assert world.deciders() == {NEXT: "a", NEXT + 1: "s"}


def test_an_owner_that_does_not_die_of_a_kill_is_not_seized_from() -> None:
    """Sent is not dead: uninterruptible sleep, or another host."""

    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        world.kills = None
        a.stop()
        await world.after(NEXT + 1, 30)
        assert world.owner() == "a"
        assert "a" in world.killed
        assert s.told(Kind.SEIZED) == []
        a.die()
        await world.settled(NEXT + 3)

    assert told(story).deciders()[NEXT + 1] == "s"


def test_an_owner_that_goes_on_before_the_limit_is_left_alone() -> None:
    async def story(world: World) -> None:
        a, _ = await owner_and_standby(world)
        a.stop()
        await world.after(NEXT + 1, OVERDUE_S - 1)
        a.wake()
        await world.settled(NEXT + 2)

    world = told(story)
    assert world.killed == []
    assert set(world.deciders().values()) == {"a"}


def lie(process: Process) -> None:
    """It counts as gone although it lives: no proof is that bad, but the fence must hold."""
    process.gone = True


def test_an_owner_that_wakes_after_it_was_seized_from_decides_nothing() -> None:
    """Stopped between two cycles; the new owner has long gone on."""

    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        world.kills = lie
        a.app.plans = {cycle: [order("of the old owner")] for cycle in range(NEXT + 1, NEXT + 9)}
        a.stop()
        await world.settled(NEXT + 1)
        a.wake()
        await world.settled(NEXT + 4)
        assert len(a.told(Kind.LOST)) == 1
        assert s.told(Kind.LOST) == []

    world = told(story)
    assert {NEXT + each: "s" for each in range(1, 5)}.items() <= world.deciders().items()
    assert world.venue.sent == []


@pytest.mark.parametrize("step", ["observe", "perform"])
def test_an_owner_that_wakes_in_the_middle_of_its_cycle_can_neither_decide_nor_settle(
    step: str,
) -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        world.kills = lie
        a.app.plans[NEXT + 1] = [order()]

        async def stopped(*_: object) -> list[str]:
            world.venue.hooks.clear()
            a.stop()
            await world.clock.pause(0.5)
            return []

        if step == "observe":
            a.app.observed = stopped
        else:
            world.venue.hooks["order-1"] = stopped  # type: ignore[assignment] # its result is ignored
        await world.until(a.stopped)
        await world.until(lambda: bool(s.told(Kind.SETTLED)))
        a.wake()
        await world.settled(NEXT + 3)
        assert len(a.told(Kind.LOST)) == 1
        assert a.told(Kind.SETTLED)[-1]["cycle"] == NEXT

    world = told(story)
    deciders = world.deciders()
    assert deciders[NEXT + 1] == ("s" if step == "observe" else "a")
    assert {deciders[NEXT + 2], deciders[NEXT + 3]} == {"s"}
    assert world.venue.executed == ([] if step == "observe" else ["order-1"])
    assert world.body()["cycles"] == [NEXT, NEXT + 1, NEXT + 2, NEXT + 3]


def test_a_lost_owner_is_a_standby_like_any_other() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        world.kills = lie
        a.stop()
        await world.settled(NEXT + 1)
        a.wake()
        a.gone = False
        await world.until(lambda: bool(a.told(Kind.LOST)))
        await world.after(NEXT + 2, -1)
        s.die()
        await world.settled(NEXT + 2)

    assert told(story).deciders()[NEXT + 2] == "a"


def test_a_restarted_worker_finishes_what_the_dead_one_had_in_hand() -> None:
    """All were killed: the record alone says what is to be done."""

    async def story(world: World) -> None:
        a = world.start("a")
        a.app.plans[NEXT] = [order("order-1"), order("order-2", after="order-1")]

        async def die() -> None:
            a.die()
            await asyncio.Event().wait()

        world.venue.hooks["order-2"] = die
        await world.until(lambda: a.gone)
        await world.clock.pause(3)
        assert world.store.read().progress.phase is Phase.DECIDED
        world.venue.hooks.clear()
        again = world.start("again")
        await world.settled(NEXT + 1)
        assert again.told(Kind.SEIZED)[0]["proof"] == "dead"

    world = told(story)
    assert world.venue.executed == ["order-1", "order-2"]
    assert sorted(world.body()["outcomes"]) == ["order-1 confirmed", "order-2 confirmed"]


def test_after_a_long_absence_every_cycle_is_run_once_and_in_order() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.die()
        await world.after(NEXT + 201, 1)
        world.start("b")
        await world.settled(NEXT + 201)
        assert world.clock.now_ns() < schedule().boundary_ns(NEXT + 202)

    assert len(told(story).deciders()) == 202


def test_a_clock_that_is_set_back_runs_no_cycle_twice() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT + 1)
        world.clock.step(-(PERIOD_S + 5) * NS)
        await world.settled(NEXT + 3)

    world = told(story)
    assert sorted(world.deciders()) == [NEXT, NEXT + 1, NEXT + 2, NEXT + 3]


def test_a_clock_that_is_set_forward_makes_no_healthy_owner_look_hung() -> None:
    """Only a record that did not change for the whole limit is evidence."""

    async def story(world: World) -> None:
        await owner_and_standby(world)
        world.clock.step(60 * NS)
        await world.settled(NEXT + 10)

    world = told(story)
    assert world.killed == []
    assert set(world.deciders().values()) == {"a"}


def test_two_standbys_and_a_dead_owner_leave_one_owner() -> None:
    async def story(world: World) -> None:
        a, s = await owner_and_standby(world)
        t = world.start("t")
        await world.until(lambda: bool(t.told(Kind.READY)))
        a.die()
        await world.settled(NEXT + 2)
        assert len(s.told(Kind.SEIZED)) + len(t.told(Kind.SEIZED)) == 1

    assert len(told(story).lines("seize")) == 2


def test_a_worker_without_a_record_leaves_with_what_to_do() -> None:
    async def story(world: World) -> None:
        store = world.store
        kept = store.data, store.lines, store.last
        store.data, store.lines, store.last = None, [], None
        a = world.start("a")
        assert await a.left() is Leaving.FAILED
        assert a.told(Kind.LEAVING)[0]["reason"]
        store.data, store.lines, store.last = kept

    told(story)


@pytest.mark.parametrize("question", ["unknown", "down"])
def test_effects_of_a_dead_owner_that_cannot_be_asked_about_are_carried_and_not_sent(
    question: str,
) -> None:
    async def story(world: World) -> None:
        a, _ = await owner_and_standby(world)
        a.app.plans[NEXT + 1] = [order()]
        answer = Unknown("busy") if question == "unknown" else OSError("down")
        world.venue.resolving["order-1"] = [answer] * 50

        async def die() -> None:
            a.die()
            await asyncio.Event().wait()

        world.venue.hooks["order-1"] = die
        record = await world.settled(NEXT + 4)
        assert [each.effect_id for each in record.outbox] == ["order-1"]

    assert told(story).venue.sent == ["order-1"]


def test_a_candidate_does_not_seize_a_body_that_it_cannot_read_any_more() -> None:
    """Its gates read the body of that moment; a newer release may have written one since."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        a.die()

        def newer(record: Record) -> Record:
            assert record.schema is not None
            return replace(record, schema=replace(record.schema, version=9), attempt="newer")

        world.store.transact(newer, Note(kind="command"))
        b.line.say(Kind.GO, bake=1)
        await world.clock.pause(2 * PERIOD_S)
        assert b.told(Kind.SEIZED) == []

    assert told(story).deciders() == {NEXT: "a"}
