"""What a simulation promises to whoever tests an application with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from typing_extensions import override

import handoff
from handoff import Cycle, simulate
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.simulation import START_NS
from handoff.workload import Decision, Reconciliation
from state.record import Fate, Outcome, Timeline
from state.schema import Schema
from tests.engine_world import Application, Body, order


def test_cycles_run_in_order_from_the_start_and_cost_no_time() -> None:
    simulation = simulate(Application(), cycles=200)
    cycles = [record.progress.cycle for record in simulation.records]
    assert cycles == list(range(cycles[0], cycles[0] + 200))
    assert cycles[0] * 10 * NS == START_NS
    assert simulation.bodies[-1] == simulation.body == Body(cycles=cycles)


def test_the_start_and_the_timeline_are_what_they_were_told() -> None:
    later = simulate(Application(), cycles=1, start_ns=START_NS + 1)
    assert later.record.progress.cycle * 10 * NS == START_NS + 10 * NS
    fast = simulate(Application(), cycles=3, timeline=Timeline(origin_ns=START_NS, speed=10))
    times = [line.scheduled_ms for line in fast.lines if line.kind == "decide"]
    assert times == [START_NS / 1e6 + 1000 * number for number in range(3)]


def test_a_second_run_goes_on_where_the_first_ended() -> None:
    app = Application()
    once = simulate(Application(), cycles=6)
    twice = simulate(app, cycles=2).run(4)
    assert twice.body == once.body
    assert app.closed == 2


def test_effects_and_receipts_are_told_in_order() -> None:
    app = Application()
    first = START_NS // (10 * NS)
    app.plans = {first: [order("a"), order("b")], first + 1: [order("c")]}
    simulation = simulate(app, cycles=3)
    assert [each.effect_id for each in simulation.effects] == ["a", "b", "c"]
    assert [each.effect_id for each in simulation.receipts] == ["a", "b", "c"]
    assert app.venue.executed == ["a", "b", "c"]


def test_doubt_is_carried_as_in_the_engine() -> None:
    app = Application()
    app.plans = {START_NS // (10 * NS): [order("a")]}
    app.venue.answers["a"] = [OSError("reset")]
    app.venue.lost = {"a"}
    app.venue.resolving["a"] = [OSError("down")] * 4
    simulation = simulate(app, cycles=2)
    assert [each.fate for each in simulation.records[0].outbox] == [Fate.DOUBTFUL]
    assert [each.outcome for each in simulation.receipts] == [Outcome.CONFIRMED]


def test_a_fault_is_raised_and_the_record_is_as_it_was_before_that_cycle() -> None:
    app = Application()
    simulation = simulate(app, cycles=2)
    before = simulation.record.progress

    def deciding(_: object, __: object) -> None:
        message = "a bug"
        raise ValueError(message)

    app.deciding = deciding
    with pytest.raises(WorkloadFaulty, match="decide raised ValueError: a bug"):
        simulation.run(1)
    assert simulation.record.progress == before
    app.deciding = None
    assert simulation.run(1).record.progress.cycle == before.cycle + 1


class Impure(Application):
    """Counts how often it is asked, outside of its body."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @override
    def decide(self, *given: Any) -> Decision[Body]:
        self.asked += 1
        decision = super().decide(*given)
        decision.body.outcomes.append(str(self.asked))
        return decision


def test_a_decide_that_is_not_pure_is_found() -> None:
    """It would be found by a replay, a verification or a damaged record: too late."""
    with pytest.raises(WorkloadFaulty, match="not pure"):
        simulate(Impure(), cycles=3)


class Refuses(Application):
    """Finds that the outside world disagrees."""

    @override
    async def reconcile(self, body: Body, pending: Any) -> Reconciliation:
        return Reconciliation(differences=("one position more",))


def test_the_gates_are_asked() -> None:
    with pytest.raises(WorkloadFaulty, match="gate reconcile: one position more"):
        simulate(Refuses(), cycles=1)


class NewBody(msgspec.Struct):
    """A later body."""

    cycles: list[int] = []
    results: list[str] = []


def renamed(old: str, new: str) -> Any:  # noqa: ANN401 - a step of a schema
    return lambda plain: {name if name != old else new: value for name, value in plain.items()}


class NewApplication(Application):
    """A later version with steps in both directions."""

    body: Schema[Any] = Schema(
        "test.body",
        2,
        NewBody,
        up={1: renamed("outcomes", "results")},
        down={2: renamed("results", "outcomes")},
    )

    @override
    def decide(self, cycle: Any, body: Any, inputs: Any, receipts: Any) -> Any:
        return Decision(body=NewBody([*body.cycles, cycle.number], body.results))


class Forgot(NewApplication):
    """A later version whose author forgot the way down."""

    body: Schema[Any] = Schema("test.body", 2, NewBody, up={1: renamed("outcomes", "results")})


class Silent(Application):
    """A later version whose author changed the shape and said nothing."""

    body: Schema[Any] = Schema("test.body", 1, NewBody)


def test_a_deploy_takes_over_with_the_body_brought_up() -> None:
    simulation = simulate(Application(), cycles=2).deploy(NewApplication(), bake=2).run(1)
    assert len(simulation.body.cycles) == 3
    assert simulation.record.rollout is not None
    assert simulation.record.fallback is not None
    permanent = simulation.run(1).record
    assert (permanent.rollout, permanent.fallback) == (None, None)
    assert [line.kind for line in simulation.lines].count("take") == 1


def test_during_the_bake_the_version_before_can_own_again() -> None:
    old = Application()
    simulation = simulate(old, cycles=2).deploy(NewApplication()).run(2).give_back()
    assert simulation.release == "r1"
    assert len(simulation.body.cycles) == 4
    simulation.run(1)
    assert isinstance(simulation.body, Body)
    assert len(simulation.body.cycles) == 5
    assert simulation.record.rollout is None


def test_without_a_bake_there_is_no_way_back() -> None:
    simulation = simulate(Application(), cycles=1).deploy(NewApplication(), bake=0).run(1)
    with pytest.raises(ValueError, match="nothing is baking"):
        simulation.give_back()


def test_a_second_deploy_waits_for_the_end_of_the_bake() -> None:
    simulation = simulate(Application(), cycles=1).deploy(NewApplication(), bake=2).run(1)
    with pytest.raises(ValueError, match="under way"):
        simulation.deploy(NewApplication())
    simulation.run(1).deploy(NewApplication()).run(1)
    assert simulation.release == "r3"


@pytest.mark.parametrize(
    ("later", "match"), [(Forgot, "no step down"), (Silent, "changed without a new version")]
)
def test_a_schema_without_its_steps_is_refused_before_it_owns(
    later: type[Application], match: str
) -> None:
    simulation = simulate(Application(), cycles=1).deploy(later())
    with pytest.raises(WorkloadFaulty, match=f"gate schema: .*{match}"):
        simulation.run(1)
    assert [line.kind for line in simulation.lines].count("take") == 0


def test_a_cycle_in_hand_is_finished_by_the_next_run() -> None:
    """Whatever ended the run before: an effect is asked about, not sent again."""
    app = Application()
    app.plans = {START_NS // (10 * NS): [order("a")]}

    async def crash() -> None:
        raise KeyboardInterrupt

    app.venue.hooks["a"] = crash
    with pytest.raises(KeyboardInterrupt):
        simulate(app, cycles=1)
    simulation = handoff.Simulation(app, start_ns=START_NS, timeline=Timeline())
    with pytest.raises(KeyboardInterrupt):
        simulation.run(1)
    app.venue.hooks.clear()
    app.venue.executed = ["a"]
    app.venue.sent.clear()
    simulation.run(1)
    assert app.venue.sent == []
    assert [each.outcome for each in simulation.receipts] == [Outcome.CONFIRMED]


def test_a_command_is_seen_by_the_next_cycle() -> None:
    seen: dict[int, tuple[bool, bool]] = {}
    app = Application()

    def deciding(cycle: Cycle, _: object) -> None:
        seen[cycle.number] = (cycle.control.paused, cycle.control.halted)

    app.deciding = deciding
    simulate(app, cycles=1).command(paused=True).run(1).command(halted=True).run(1)
    assert list(seen.values()) == [(False, False), (True, False), (False, True)]


def test_nobody_else_is_named_in_a_simulation() -> None:
    """Its owner is never confused with a worker of this host."""
    simulation = simulate(Application(), cycles=1)
    owner = simulation.record.ownership.owner
    assert owner is not None
    assert (owner.host, owner.release) == ("simulation", "r1")
