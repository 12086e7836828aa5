"""The gate `observe`: a candidate gets as much of the world as its owner, beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from typing_extensions import override

from handoff.limits import NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import Unavailable
from state.journal_frames import Health
from tests.engine_world import PERIOD_S, Application
from tests.feeds import NEXT, Feeds, blind
from tests.worker_world import told

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from tests.engine_world import Body
    from tests.worker_world import Process, World


def gate_of(process: Process) -> dict[str, Any]:
    return [gate for gate in process.told(Kind.GATE) if gate["gate"] == "observe"][-1]


async def settled_then(world: World, app: Application, *, cycles: int = 1) -> Process:
    """An owner that settled some cycles, and a candidate beside it."""
    world.start("a", app=Feeds())
    await world.settled(NEXT + cycles - 1)
    return world.start("b", "r2", app=app, deploy_id="deploy-b")


def test_a_candidate_that_sees_as_much_passes_at_its_first_try() -> None:
    async def story(world: World) -> None:
        b = await settled_then(world, Feeds())
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        gate = gate_of(b)
        assert gate["passed"]
        assert gate["reason"].startswith("16 of 16 answered in 0.00 s, 0% of the budget, the owner")
        assert [number for number, _ in b.app.seen] == [NEXT + 1]  # type: ignore[attr-defined] # Feeds

    assert set(told(story).deciders().values()) == {"a"}


def test_it_observes_the_next_cycle_from_its_boundary_on_the_body_settled_before_it() -> None:
    """A feed that remembers asks nothing a moment later: a wrong address would look healthy."""

    async def story(world: World) -> None:
        began: list[int] = []
        app = Feeds()

        async def observed(_: Cycle) -> list[str]:
            began.append(world.clock.now_ns())
            return ["answer"] * 16

        app.observed = observed
        b = await settled_then(world, app)
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        [(number, body)] = app.seen
        assert body == (NEXT,)
        schedule = b.worker._parts.schedule  # noqa: SLF001 - when its cycle began
        assert 0 <= began[0] - schedule.boundary_ns(number) < NS // 1000

    told(story)


@pytest.mark.parametrize("answered", [0, 11])
def test_a_candidate_that_sees_too_little_is_refused_after_three_tries(answered: int) -> None:
    async def story(world: World) -> None:
        b = await settled_then(world, Feeds(lambda _: answered))
        assert await b.left() is Leaving.REFUSED
        gate = gate_of(b)
        assert not gate["passed"]
        assert gate["reason"].startswith(f"in 3 tries {answered} of 16 answered")
        assert "the owner had 16 of 16 answered" in gate["reason"]
        assert gate["seconds"] < 4 * PERIOD_S
        assert world.done() >= NEXT + 3

    assert set(told(story).deciders().values()) == {"a"}


@pytest.mark.parametrize("answered", [12, 15])
def test_one_feed_of_four_may_fail(answered: int) -> None:
    async def story(world: World) -> None:
        b = await settled_then(world, Feeds(lambda _: answered))
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        assert gate_of(b)["passed"]

    told(story)


def test_one_good_try_is_enough() -> None:
    async def story(world: World) -> None:
        b = await settled_then(world, Feeds(lambda cycle: 16 if cycle == NEXT + 3 else 0))
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=4 * PERIOD_S)
        assert gate_of(b)["passed"]

    told(story)


def test_where_the_owner_gets_as_little_the_bake_decides() -> None:
    """The same outage for both is not the candidate's fault: it waits for nothing here."""

    async def story(world: World) -> None:
        a = world.start("a", app=Feeds())
        await world.settled(NEXT + 2)
        assert isinstance(a.app, Feeds)
        a.app.answered = lambda _: 0
        b = world.start("b", "r2", app=blind(), deploy_id="deploy-b")
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        assert "it gets as little, so the bake will tell" in gate_of(b)["reason"]

    told(story)


def test_where_the_owner_never_got_more_its_median_is_the_measure() -> None:
    """A fix must get past an owner that is blind itself."""

    async def story(world: World) -> None:
        world.start("a", app=blind())
        await world.settled(NEXT + 2)
        b = world.start("b", "r2", app=Feeds(lambda _: 1), deploy_id="deploy-b")
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        assert gate_of(b)["passed"]

    told(story)


def test_an_exception_of_its_own_refuses_and_names_the_line_that_would_declare_it() -> None:
    async def story(world: World) -> None:
        app = Feeds()

        async def observed(_: Cycle) -> Any:  # noqa: ANN401 - it never answers
            message = "x"
            raise KeyError(message)

        app.observed = observed
        b = await settled_then(world, app)
        assert await b.left() is Leaving.REFUSED
        assert "declare it: outside = (KeyError,)" in gate_of(b)["reason"]

    told(story)


def test_a_refusal_for_time_says_how_to_set_the_budget() -> None:
    async def story(world: World) -> None:
        app = Feeds()

        async def observed(_: Cycle) -> Any:  # noqa: ANN401 - it is cut off
            await world.clock.pause(PERIOD_S)

        app.observed = observed
        b = await settled_then(world, app)
        assert await b.left() is Leaving.REFUSED
        reason = gate_of(b)["reason"]
        assert "in 5.00 s, 100% of the budget" in reason
        assert "a release that needs longer says so: every(10, budget_s=7.5)" in reason

    told(story)


def test_cycles_in_which_nothing_is_asked_refuse_nobody() -> None:
    class Closed(Feeds):
        @override
        def health(self, inputs: Any) -> Health:
            return Health()

    async def story(world: World) -> None:
        b = await settled_then(world, Closed(lambda _: 0))
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=6 * PERIOD_S)
        assert gate_of(b)["reason"] == "nothing could be compared"
        assert len(b.app.seen) == 4  # type: ignore[attr-defined] # Feeds

    told(story)


def test_an_owner_that_does_not_count_is_no_comparison() -> None:
    """Its lines are of an engine without health: only what the candidate raises refuses it."""

    async def story(world: World) -> None:
        world.counts = False
        b = await settled_then(world, blind())
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=2 * PERIOD_S)
        assert "there is nothing to compare it with" in gate_of(b)["reason"]

    told(story)


def test_a_workload_whose_inputs_are_used_up_by_reading_is_never_observed_twice() -> None:
    class Queue(Feeds):
        observe_twice: ClassVar[bool] = False

    async def story(world: World) -> None:
        b = await settled_then(world, Queue(lambda _: 0))
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=PERIOD_S)
        assert "observe_twice" in gate_of(b)["reason"]
        assert b.app.seen == []  # type: ignore[attr-defined] # Feeds

    told(story)


class Sparing(Feeds):
    """Asks nothing beside an owner: what is left of its budget is the owner's."""

    def __init__(self) -> None:
        super().__init__()
        self.beside: list[int] = []

    @override
    async def observe_beside(self, cycle: Cycle, body: Body) -> list[str] | Unavailable:
        self.beside.append(cycle.number)
        return Unavailable("left to the owner")

    @override
    def health(self, inputs: Any) -> Health:
        return Health() if isinstance(inputs, Unavailable) else super().health(inputs)


def test_who_looks_on_is_asked_otherwise_than_who_owns() -> None:
    """A limit that is counted for all together has to be kept free for the owner."""

    async def story(world: World) -> None:
        owner, mine = Sparing(), Sparing()
        world.start("a", app=owner)
        await world.settled(NEXT)
        b = world.start("b", "r2", app=mine, deploy_id="deploy-b")
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=8 * PERIOD_S)
        gate = gate_of(b)
        assert gate["passed"]
        assert "nothing could be compared" in gate["reason"]
        assert (owner.beside, mine.seen) == ([], [])
        assert mine.beside[0] == NEXT + 1
        assert len(owner.seen) >= len(mine.beside)

    told(story)


def test_a_restart_is_never_asked_what_it_sees() -> None:
    """An outage must not keep the owning release down."""

    async def story(world: World) -> None:
        a = world.start("a", app=Feeds())
        await world.settled(NEXT)
        a.die()
        again = world.start("again", app=blind())
        await world.settled(NEXT + 2)
        assert [gate["gate"] for gate in again.told(Kind.GATE)] == ["schema", "warm", "reconcile"]

    assert told(story).deciders()[NEXT + 2] == "again"
