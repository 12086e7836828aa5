"""A disk that stays full for hours: the worker waits for it without wearing the world out."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from handoff.limits import NS, WRITE_RETRY_S_MAX
from state.errors import DiskFull
from tests.engine_world import FIRST, PERIOD_S
from tests.worker_world import World, told

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from state.memory_store import Moment

NEXT = FIRST + 1
FULL_S = 600
RECORD = "record.json"


def test_while_nothing_can_be_written_the_outside_world_is_asked_less_and_less() -> None:
    """Each try observes afresh: ten a second would use up any exchange's allowance."""
    observed: list[int] = []

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)

        async def observe(cycle: Cycle) -> list[str]:
            observed.append(cycle.number)
            return ["seen"]

        a.app.observed = observe
        full_until_ns = world.clock.now_ns() + FULL_S * NS

        def interrupt(_: Moment) -> None:
            if world.clock.now_ns() < full_until_ns:
                raise DiskFull(RECORD, OSError(errno.ENOSPC, "no space left"))

        world.store.interrupt = interrupt
        await world.settled(NEXT + 1)
        late_s = (world.clock.now_ns() - full_until_ns) / NS
        assert late_s <= WRITE_RETRY_S_MAX + 1
        # The pauses start anew: the next trouble is answered as fast as the first.
        await world.settled(NEXT + FULL_S // PERIOD_S + 3)

    world = told(story)
    assert observed.count(NEXT + 1) < FULL_S / WRITE_RETRY_S_MAX + 12
    assert len(set(world.deciders())) == len(world.deciders())
