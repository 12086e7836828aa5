"""Every limit meets something that hangs: a limit that nothing ever reached is only a number."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from typing_extensions import override

from handoff.gate_verdict import LIMITS_S, GateName
from handoff.launcher.engine_config import EngineConfig, Job
from handoff.launcher.supervision import Child, Role
from handoff.launcher.workforce import JOB_ATTEMPTS, Workforce
from handoff.limits import NS, WEATHER_PAUSE_S, WEATHER_S_MAX
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import Reconciliation
from tests.engine_world import FIRST, Application, Body, LogBook
from tests.worker_world import told

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.launcher.children import Children, Running
    from tests.worker_world import World

NEXT = FIRST + 1


class Hangs(Application):
    """Asks the outside world something that is never answered."""

    def __init__(self, gate: GateName) -> None:
        super().__init__()
        self.gate = gate

    async def _ask(self, gate: GateName) -> None:
        if self.gate is gate:
            await asyncio.Event().wait()

    @override
    async def warm(self, body: Body) -> None:
        await self._ask(GateName.WARM)

    @override
    async def reconcile(self, body: Body, pending: Any) -> Reconciliation:
        await self._ask(GateName.RECONCILE)
        return Reconciliation()


@pytest.mark.parametrize("gate", [GateName.WARM, GateName.RECONCILE])
def test_a_candidate_whose_gate_hangs_is_refused_at_the_gates_limit(gate: GateName) -> None:
    """The account may answer the owner and not the candidate; the owner misses nothing by it."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = world.start("b", "r2", app=Hangs(gate), deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        verdict = b.told(Kind.GATE)[-1]
        assert (verdict["gate"], verdict["passed"]) == (gate, False)
        assert verdict["reason"] == "it took too long"
        limit_s = LIMITS_S[gate]
        assert limit_s <= verdict["seconds"] < limit_s + 1

    world = told(story)
    assert set(world.deciders().values()) == {"a"}
    assert len(world.deciders()) > LIMITS_S[gate] / 10 - 1


def test_a_standby_whose_gates_hang_leaves_in_time_for_another() -> None:
    """It may be the only worker there is: hung in a gate it would keep its place for ever."""

    async def story(world: World) -> None:
        begun_ns = world.clock.monotonic_ns()
        a = world.start("a", app=Hangs(GateName.WARM))
        assert await a.left() is Leaving.OUTSIDE
        took_s = (world.clock.monotonic_ns() - begun_ns) / NS
        assert took_s <= WEATHER_S_MAX + WEATHER_PAUSE_S[-1]
        assert a.told(Kind.GATE)[-1]["passed"] is False
        world.start("b")
        await world.settled(NEXT)

    assert set(told(story).deciders().values()) == {"b"}


class Started:
    """A table of children that only counts what is started in it, and what lived before.

    Args:
        alive: Names of children that outlived the launcher before.
    """

    def __init__(self, *alive: str) -> None:
        self.names: list[str] = []
        self.newest: Running | None = None
        self._alive = alive

    def get(self, name: str) -> object | None:
        return name if name in self._alive else None

    def start(self, child: Child, argv: tuple[str, ...], _environment: object) -> Any:  # noqa: ANN401
        self.names.append(child.name)
        self.newest = cast("Running", SimpleNamespace(child=child, argv=argv))
        return self.newest

    def write_down(self) -> None:
        """Nothing is kept."""


def workforce(home: Path, children: Started) -> Workforce:
    return Workforce(home, cast("Children", children), LogBook().log)


def test_a_job_that_always_dies_is_given_up(tmp_path: Path) -> None:
    """A deployer that a commit kills each time would otherwise be started for ever."""
    children, config = Started(), EngineConfig("app", "r1")
    force = workforce(tmp_path, children)
    force.start_job(config, Child("deploy-d1", Role.JOB), ("/bin/false",))
    for _ in range(10):
        running = children.newest
        assert running is not None
        force.start_job_again(config, running)
    assert children.names == ["deploy-d1"] * JOB_ATTEMPTS


def test_a_launcher_that_returns_starts_no_second_deployer_beside_one_that_lived(
    tmp_path: Path,
) -> None:
    """Two of them would drive one deploy, each with the other's answers."""
    jobs = tuple(Job(name, ("/bin/true",)) for name in ("deploy-d1", "deploy-d2"))
    children = Started("deploy-d1")
    workforce(tmp_path, children).resume_jobs(EngineConfig("app", "r1", jobs=jobs))
    assert children.names == ["deploy-d2"]
