"""A world that keeps silent when the gate `reconcile` asks: three tries, then it is weather."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from handoff.limits import RECONCILE_PAUSE_S
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import Reconciliation
from tests.engine_world import FIRST, Application, Body
from tests.worker_world import World, told

NEXT = FIRST + 1


class Silent(Application):
    """Asked so many times in vain, then the world answers."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    @override
    async def reconcile(self, body: Body, pending: Any) -> Reconciliation:
        if self.times:
            self.times -= 1
            message = "nobody answers"
            raise ConnectionError(message)
        return Reconciliation(differences=())


def test_an_answer_that_was_late_refuses_no_candidate() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", app=Silent(len(RECONCILE_PAUSE_S)))
        assert [gate["gate"] for gate in b.told(Kind.GATE) if not gate["passed"]] == []
        await world.settled(NEXT + 4)
        assert b.told(Kind.TOOK) != []

    told(story)


def test_a_world_that_stays_silent_refuses_a_candidate_as_the_first_silence_did() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        silent = Silent(len(RECONCILE_PAUSE_S) + 1)
        b = world.start("b", "r2", app=silent, deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        [failed] = [gate for gate in b.told(Kind.GATE) if not gate["passed"]]
        assert failed["reason"] == "ConnectionError: nobody answers"
        assert silent.times == 0

    told(story)
