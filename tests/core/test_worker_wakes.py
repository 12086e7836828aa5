"""A timer may wake too early: the cycle is the one that was waited for, and not before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff.limits import NS
from handoff.virtual_time import VirtualClock
from handoff.wire import Kind
from tests.engine_world import FIRST
from tests.worker_world import World, told

if TYPE_CHECKING:
    import pytest

EARLY_NS = 1_300_000  # seen of uvloop
NEXT = FIRST + 1


async def wake_early(clock: VirtualClock, wall_ns: int) -> None:
    left_ns = wall_ns - clock.now_ns() - EARLY_NS
    await clock.pause(max(left_ns, 100_000) / NS)


def test_a_timer_that_wakes_early_starts_no_cycle_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle begun before its boundary would see another moment than the one it is about."""
    monkeypatch.setattr(VirtualClock, "wait_until", wake_early)

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT + 5)
        late_ms = [message["late_ms"] for message in a.told(Kind.SETTLED)]
        assert len(late_ms) == 6
        assert min(late_ms) >= 0
        assert max(late_ms) < 1

    world = told(story)
    assert list(world.deciders()) == list(range(NEXT, NEXT + 6))
