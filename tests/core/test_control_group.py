"""A bake whose inputs fail: the way back tells whether the world or the release is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff.limits import NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.worker.settings import Settings
from tests.engine_world import PERIOD_S, Application
from tests.feeds import NEXT, Feeds, blind
from tests.worker_world import told

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from tests.worker_world import Process, World


async def baking(
    world: World, old: Application, new: Feeds, *, bake: int = 3
) -> tuple[Process, Process]:
    """An owner of r1 that saw everything, and r2 in its bake."""
    a = world.start("a", app=old)
    await world.settled(NEXT + 2)
    later, new.answered = new.answered, lambda _: 16
    b = await world.candidate("b", bake=None, app=new)
    new.answered = later
    b.line.say(Kind.GO, bake=bake)
    await world.until(lambda: world.owner() == "b")
    return a, b


def test_what_only_the_new_release_cannot_see_ends_its_bake() -> None:
    """It kept the bake and every later deploy waiting for ever."""

    async def story(world: World) -> None:
        a, b = await baking(world, Feeds(), blind())
        await world.until(lambda: world.owner() == "a", limit_s=6 * PERIOD_S)
        assert await b.left() is Leaving.DRAINED
        [back] = a.told(Kind.TOOK)
        assert "r2 sees less than r1, 2 cycles running" in back["reason"]
        assert "0 of 16 answered against 16 of 16 answered" in back["reason"]
        assert "ConnectionRefusedError: no answer" in back["reason"]
        assert world.lines("take")[-1].evidence["reason"] == back["reason"]
        await world.settled(world.done() + 2)

    world = told(story)
    blinded = [cycle for cycle, name in world.deciders().items() if name == "b"]
    assert len(blinded) == 3
    assert world.lines("settle")[-1].health is None


def test_the_way_back_observes_on_the_body_that_it_could_own() -> None:
    """Read-only and beside the owner: nothing that it sees is written anywhere."""

    async def story(world: World) -> None:
        old = Feeds()
        _, _ = await baking(world, old, blind())
        before = len(old.seen)
        await world.until(lambda: world.owner() == "a", limit_s=6 * PERIOD_S)
        beside = old.seen[before:]
        assert [number for number, _ in beside] == [NEXT + 5, NEXT + 6]
        assert [body[-1] for _, body in beside] == [NEXT + 4, NEXT + 5]

    told(story)


def test_an_outage_for_both_returns_nothing_and_counts_nothing() -> None:
    async def story(world: World) -> None:
        old, new = Feeds(), Feeds()
        a, b = await baking(world, old, new)
        since = world.done()
        old.answered = new.answered = lambda cycle: 0 if cycle <= since + 12 else 16
        record = await world.settled(since + 12)
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 0
        record = await world.settled(since + 16)
        assert record.rollout is None
        assert record.ownership.owner == b.me
        assert a.told(Kind.TOOK) == []

    told(story)


def test_one_dead_feed_of_sixteen_returns_nothing_and_is_never_looked_at() -> None:
    async def story(world: World) -> None:
        old, new = Feeds(lambda _: 15), Feeds(lambda _: 15)
        await baking(world, old, new)
        before = len(old.seen)
        record = await world.settled(world.done() + 5)
        assert record.rollout is None
        assert len(old.seen) == before

    told(story)


def test_a_release_that_sees_half_is_returned_although_no_cycle_lacks_inputs() -> None:
    async def story(world: World) -> None:
        a, _ = await baking(world, Feeds(), Feeds(lambda _: 8), bake=2)
        await world.until(lambda: world.owner() == "a", limit_s=6 * PERIOD_S)
        assert "8 of 16 answered against 16 of 16" in a.told(Kind.TOOK)[0]["reason"]

    told(story)


def test_a_fault_in_one_cycle_alone_is_nobodys() -> None:
    async def story(world: World) -> None:
        odd = Feeds(lambda cycle: 0 if cycle % 2 else 16)
        a, _ = await baking(world, Feeds(), odd, bake=4)
        record = await world.settled(world.done() + 10)
        assert record.rollout is None
        assert a.told(Kind.TOOK) == []

    told(story)


def test_a_seizure_is_not_delayed_by_an_observation_under_way() -> None:
    async def story(world: World) -> None:
        old = Feeds()
        a, b = await baking(world, old, blind())
        await world.settled(NEXT + 4)

        async def hangs(_: Cycle) -> Any:  # noqa: ANN401 - it never answers
            await world.clock.pause(1000)

        old.observed = hangs
        await world.after(NEXT + 5, 0.5)
        died_ns = world.clock.now_ns()
        b.die()
        await world.until(lambda: world.owner() == "a", limit_s=1)
        assert world.clock.now_ns() - died_ns < NS // 2
        old.observed = None
        await world.settled(NEXT + 7)
        assert a.told(Kind.SEIZED)

    told(story)


def test_after_its_limit_a_bake_without_inputs_returns_as_outside() -> None:
    async def story(world: World) -> None:
        world.settings = Settings(bake_outside_s=70)
        old, new = Feeds(), Feeds()
        a, b = await baking(world, old, new)
        since = world.done()
        old.answered = new.answered = lambda _: 0
        assert await b.left() is Leaving.FAULTY
        leaving = b.told(Kind.LEAVING)[-1]
        assert leaving["reason"].startswith("outside: no inputs in 8 cycles running, 70 s: ")
        assert world.lines("release")[-1].evidence["reason"] == leaving["reason"]
        assert world.done() == since + 8
        await world.settled(since + 10)
        assert a.told(Kind.TOOK) == []

    assert told(story).owner() in ("a", "")


def test_a_bake_waits_for_five_cycles_however_short_its_limit() -> None:
    async def story(world: World) -> None:
        world.settings = Settings(bake_outside_s=1)
        old, new = Feeds(), Feeds()
        _, b = await baking(world, old, new)
        since = world.done()
        old.answered = new.answered = lambda _: 0
        assert await b.left() is Leaving.FAULTY
        assert world.done() == since + 5

    told(story)


# --- making way ------------------------------------------------------------------------------


def test_a_busy_owner_makes_way_for_the_end_of_its_bake() -> None:
    """An abort of it was never obeyed: the moment for a take was always past."""

    async def story(world: World) -> None:
        new = Feeds()
        a, b = await baking(world, Feeds(), new, bake=1000)
        await world.settled(NEXT + 4)

        async def works(_: Cycle) -> list[str]:
            await world.clock.pause(2)
            return ["answer"] * 16

        new.observed = works
        # It is behind from now on: when a cycle is settled, the next boundary has passed.
        world.clock.suspend(60 * PERIOD_S * NS)
        for process in (a, b):
            process.line.say(Kind.RETURN, deploy="deploy-b")
        await world.until(lambda: len(b.told(Kind.YIELDING)) == 3, limit_s=3 * PERIOD_S)
        a.line.say(Kind.YIELDING, until_ns=b.told(Kind.YIELDING)[-1]["until_ns"])
        await world.until(lambda: world.owner() == "a", limit_s=2)
        assert b.told(Kind.YIELDING)[1]["cycle"] == b.told(Kind.YIELDING)[0]["cycle"] + 1

    told(story)


def test_a_busy_owner_that_is_blind_makes_way_by_itself() -> None:
    """Nobody has to tell it: the way back takes by what the record and the journal say."""

    async def story(world: World) -> None:
        new = Feeds()
        a, b = await baking(world, Feeds(), new, bake=1000)
        await world.settled(NEXT + 4)

        async def works(_: Cycle) -> Any:  # noqa: ANN401 - it never answers
            await world.clock.pause(PERIOD_S)  # over its budget

        new.observed = works
        world.clock.suspend(60 * PERIOD_S * NS)
        await world.until(lambda: bool(b.told(Kind.YIELDING)), limit_s=5 * PERIOD_S)
        a.line.say(Kind.YIELDING, until_ns=b.told(Kind.YIELDING)[-1]["until_ns"])
        await world.until(lambda: world.owner() == "a", limit_s=2)

    assert told(story).lines("take")[-1].worker == "a"
