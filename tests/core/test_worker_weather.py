"""Bad weather before a worker is warm: an owning release waits, and is not blamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from handoff.limits import NS, READY_TIMEOUT_S, WEATHER_S_MAX
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from tests.engine_world import Application, Body
from tests.feeds import NEXT
from tests.worker_world import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker_world import World


class Cold(Application):
    """Cannot warm up while its service is down."""

    def __init__(self, error: Callable[[], Exception | None]) -> None:
        super().__init__()
        self.error, self.tries = error, 0

    @override
    async def warm(self, body: Body) -> None:
        self.tries += 1
        error = self.error()
        if error is not None:
            raise error


def test_a_restart_in_bad_weather_waits_and_then_runs() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.die()
        up_ns = world.clock.monotonic_ns() + 40 * NS
        cold = Cold(lambda: OSError("down") if world.clock.monotonic_ns() < up_ns else None)
        again = world.start("again", app=cold)
        await world.settled(NEXT + 5)
        assert again.told(Kind.READY)
        assert 5 < cold.tries < 20

    assert told(story).deciders()[NEXT + 5] == "again"


def test_a_standby_that_cannot_get_warm_leaves_in_time_and_says_that_it_is_the_weather() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.die()
        begun_ns = world.clock.monotonic_ns()
        again = world.start("again", app=Cold(lambda: OSError("down")))
        assert await again.left() is Leaving.OUTSIDE
        assert again.told(Kind.LEAVING)[-1]["reason"] == "warm: OSError: down"
        took_s = (world.clock.monotonic_ns() - begun_ns) / NS
        assert WEATHER_S_MAX - 10 < took_s < READY_TIMEOUT_S

    told(story)


@pytest.mark.parametrize("deploy_id", ["", "deploy-b"])
def test_a_fault_of_its_own_and_a_candidate_in_bad_weather_are_refused_at_once(
    deploy_id: str,
) -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        error = OSError("down") if deploy_id else KeyError("x")
        b = world.start("b", app=Cold(lambda: error), deploy_id=deploy_id)
        assert await b.left() is Leaving.REFUSED
        declared = "declare it: outside = (KeyError,)" in b.told(Kind.GATE)[-1]["reason"]
        assert declared is not bool(deploy_id)

    told(story)
