"""A cycle that no owner survives costs three of them and not the bot."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from state.attempts import ATTEMPTS_MAX, GIVEN_UP
from state.outbox import NO_ROOM, PENDING_MAX
from state.record import Fate, Outcome, Phase, Record
from tests.engine_world import FIRST, order
from tests.owner_world import NEXT, World, in_world
from tests.worker_world import World as Workers
from tests.worker_world import told

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from tests.worker_world import Process


def in_hand(record: Record) -> Record:
    """A decided cycle that cost its limit of owners."""
    progress = replace(
        record.progress, cycle=NEXT, phase=Phase.DECIDED, release="r1", attempts=ATTEMPTS_MAX
    )
    return replace(record, progress=progress, outbox=(replace(order(), cycle=NEXT),))


def test_a_decided_cycle_is_given_up_without_a_call_of_the_application() -> None:
    """Sending or asking may be what kills; the next cycles ask, once this one is behind them."""

    async def story(world: World) -> None:
        world.change(in_hand)
        after = await world.runner().finish(world.store.read(), fresh=False)
        assert [each.fate for each in after.outbox] == [Fate.DOUBTFUL]
        assert (world.app.venue.sent, world.app.venue.asked) == ([], [])
        after = await world.run()
        assert set(world.app.venue.asked) == {"order-1"}
        assert after.progress.cycle == NEXT + 1

    settled = in_world(story).store.journal()[-3]
    assert (settled.kind, settled.evidence) == ("settle", {"reason": GIVEN_UP})


def test_a_full_outbox_stops_neither_the_cycle_nor_the_next_one() -> None:
    """What has no room is refused unsent; it was a deadlock for good."""

    async def story(world: World) -> None:
        silent = tuple(
            replace(order(f"silent-{number}"), fate=Fate.DOUBTFUL, cycle=FIRST)
            for number in range(PENDING_MAX)
        )
        world.change(lambda record: replace(record, outbox=silent))
        world.app.plans[NEXT] = [order()]
        after = await world.run()
        assert "order-1" not in world.app.venue.sent
        [refused] = [each for each in after.receipts if each.effect_id == "order-1"]
        assert (refused.outcome, refused.reason) == (Outcome.REFUSED, NO_ROOM)

    in_world(story)


def test_a_cycle_that_kills_its_owners_before_the_decision_is_missed_after_the_third() -> None:
    async def story(world: Workers) -> None:
        for name in ("a", "b", "c"):
            owner = _poisoned(world, name)
            await world.until(partial(_is_gone, owner))
        survivor = _poisoned(world, "d")
        await world.settled(FIRST + 3)
        assert not survivor.gone

    world = told(story)
    [missed] = world.lines("miss")
    assert (missed.cycle, missed.worker, missed.evidence) == (FIRST + 2, "d", {"reason": GIVEN_UP})


def test_in_a_bake_a_worker_whose_seize_would_reach_the_limit_leaves() -> None:
    """The cycle is not at fault where another release runs it."""

    async def story(world: Workers) -> None:
        old = world.start("old")
        await world.settled(FIRST + 1)
        owner = _poison(await world.candidate("a"))
        await world.until(lambda: bool(owner.told(Kind.TOOK)))
        old.stop()  # nobody of the previous release looks while the new one is tried
        for name in ("b", "c"):
            await world.until(partial(_is_gone, owner))
            owner = _poison(world.start(name, "r2"))
        await world.until(partial(_is_gone, owner))
        third = world.start("d", "r2")
        await world.until(partial(_is_gone, third), limit_s=60)
        assert await third.left() is Leaving.FAULTY
        reason = third.line.told[-1]["reason"]
        assert reason == f"{GIVEN_UP}, in the bake of this release"
        assert world.store.read().progress.attempts == ATTEMPTS_MAX - 1
        old.wake()
        await world.settled(FIRST + 3)

    world = told(story)
    assert world.lines("miss") == []
    assert world.deciders()[FIRST + 2] == "old"


def _is_gone(process: Process) -> bool:
    return process.gone


def _poisoned(world: Workers, name: str) -> Process:
    """Start a worker that does not survive the second cycle."""
    return _poison(world.start(name))


def _poison(process: Process) -> Process:
    async def observed(cycle: Cycle) -> list[str]:
        if cycle.number == FIRST + 2:
            process.die()
            await asyncio.Event().wait()
        return []

    process.app.observed = observed
    return process
