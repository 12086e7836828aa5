"""A fault of the application before the commit leaves the record as it was, in a bake as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typing_extensions import override

from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.virtual_time import run_virtual
from handoff.workload import Decision
from state.record import Fallback
from state.schema import Schema
from tests.engine_world import Application, Body, order
from tests.owner_world import NEXT, World, expect_faulty

if TYPE_CHECKING:
    from collections.abc import Callable


def check_faulty_cycle(app: Application, match: str, *, bake: bool = False) -> None:
    """See that the next cycle of this application is its own fault and changes nothing."""

    async def main() -> None:
        world = World(app)
        if bake:
            world.bake()
        await expect_faulty(world, world.run(), match)
        assert app.venue.sent == []

    run_virtual(main())


class Raises(Application):
    """Raises where it is told to."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def _at(self, where: str) -> None:
        if where == self.where:
            raise ZeroDivisionError(where)

    @override
    async def observe(self, cycle: Any, body: Body) -> Any:
        self._at("observe")
        return await super().observe(cycle, body)

    @override
    def decide(self, *given: Any) -> Decision[Body]:
        self._at("decide")
        return super().decide(*given)

    @override
    def invariants(self, body: Body) -> Any:
        self._at("invariants")
        return super().invariants(body)


@pytest.mark.parametrize("where", ["observe", "decide", "invariants"])
@pytest.mark.parametrize("bake", [False, True])
def test_an_exception_is_a_fault_and_says_where(where: str, *, bake: bool) -> None:
    stage = "observe" if where == "observe" else "decide"
    check_faulty_cycle(Raises(where), f"{stage} raised ZeroDivisionError: {where}", bake=bake)


class Returns(Application):
    """Returns from `decide` whatever it is told to."""

    def __init__(self, make: Callable[[Body], Any]) -> None:
        super().__init__()
        self.make = make

    @override
    def decide(self, cycle: Any, body: Body, inputs: Any, receipts: Any) -> Any:
        return self.make(body)


DAMAGED = msgspec.structs.replace(order(), payload=msgspec.Raw(b"{half"))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda _: None, "NoneType"),
        (lambda body: body, "no attribute"),
        (lambda _: Decision(body=object()), "body cannot be stored"),
        (lambda _: Decision(body=Body(cycles=["text"])), "body cannot be stored"),  # type: ignore[list-item] # the fault
        (lambda _: Decision(body=Body(cycles=[float("nan")])), "body cannot be stored"),  # type: ignore[list-item] # as above
        (lambda body: Decision(body=body, effects=["order"]), "cannot be stored"),  # type: ignore[list-item] # as above
        (lambda body: Decision(body=body, effects=7), "not iterable"),  # type: ignore[arg-type] # as above
        (lambda body: Decision(body=body, effects=[DAMAGED]), "cannot be stored"),
        (lambda body: Decision(body=body, effects=[order(), order()]), "in the outbox already"),
    ],
    ids=["none", "body", "object", "wrong type", "nan", "text", "number", "no json", "twice"],
)
def test_a_result_that_cannot_be_stored_is_a_fault(make: Callable[[Body], Any], match: str) -> None:
    """What is stored must be read back by every later release, or the bot is dead."""
    check_faulty_cycle(Returns(make), match)


def test_an_effect_that_is_still_in_doubt_cannot_be_planned_again() -> None:
    """A refusal of the record, but the application's fault: to try again would be for ever."""

    async def main() -> None:
        world = World()
        world.app.plans = {NEXT: [order()], NEXT + 1: [order()]}
        world.app.venue.answers["order-1"] = [OSError("reset")]
        world.app.venue.resolving["order-1"] = [OSError("down")] * 99
        await world.run()
        await expect_faulty(world, world.run(), "in the outbox already")

    run_virtual(main())


@pytest.mark.parametrize("inputs", [object(), [float("inf")], [7], None, {"a": 1}])
def test_inputs_that_cannot_be_recorded_and_read_again_are_a_fault(inputs: object) -> None:
    """A cycle whose inputs are not recorded could never be decided again."""

    async def observed(_: object) -> object:
        return inputs

    app = Application()
    app.observed = observed
    check_faulty_cycle(app, "inputs cannot be recorded")


def test_deciding_over_budget_is_a_fault_only_in_a_bake() -> None:
    """Later there is nothing to go back to: a late cycle is better than none."""

    async def main() -> None:
        world = World()
        slow_ns = 0

        def monotonic_ns() -> int:
            return ticking() + slow_ns

        def dawdle(_: object, __: object) -> None:
            nonlocal slow_ns
            slow_ns += 6 * NS

        ticking = world.clock.monotonic_ns
        world.clock.monotonic_ns = monotonic_ns  # type: ignore[method-assign] # deciding takes time
        world.app.deciding = dawdle
        await world.run()
        world.bake()
        await expect_faulty(world, world.run(), "deciding took 6000 ms, the budget is 5000 ms")

    run_virtual(main())


class NewBody(msgspec.Struct):
    """The body of a later release: one field has another name."""

    cycles: list[int] = []
    results: list[str] = []


def _down(plain: Any) -> Any:  # noqa: ANN401 - plain JSON
    plain["outcomes"] = plain.pop("results")
    return plain


def _up(plain: Any) -> Any:  # noqa: ANN401 - plain JSON
    plain["results"] = plain.pop("outcomes")
    return plain


class NewApplication(Application):
    """A later release."""

    body: Schema[Any] = Schema("test.body", 2, NewBody, up={1: _up}, down={2: _down})

    @override
    def decide(self, cycle: Any, body: Any, inputs: Any, receipts: Any) -> Any:
        results = [*body.results, *(each.effect_id for each in receipts)]
        return Decision(body=NewBody(cycles=[*body.cycles, cycle.number], results=results))


def stored(record_body: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - plain JSON
    return msgspec.json.decode(record_body)


def test_in_a_bake_the_body_is_written_for_the_previous_release_too() -> None:
    """With the same write: whenever the new release dies, the old one can read its body."""

    async def main() -> None:
        world = World()
        world.app.plans[NEXT] = [order()]
        old = (await world.run()).schema
        world.bake()
        world.app = NewApplication(world.app.venue)
        world.restart()  # the new release has a worker of its own
        for number in (1, 2):
            record = await world.run()
            assert record.schema == NewApplication.body.schema_id
            assert stored(record.body)["results"] == ["order-1"]
            assert isinstance(record.fallback, Fallback)
            assert record.fallback.schema == old
            assert stored(record.fallback.body) == {
                "cycles": [NEXT + each for each in range(number + 1)],
                "outcomes": ["order-1"],
            }
        permanent = await world.run()
        assert (permanent.rollout, permanent.fallback) == (None, None)

    run_virtual(main())


def test_where_both_releases_share_a_schema_nothing_is_written_twice() -> None:
    async def main() -> None:
        world = World()
        await world.run()
        world.bake()
        assert (await world.run()).fallback is None

    run_virtual(main())


def test_outside_a_bake_there_is_no_fallback() -> None:
    async def main() -> None:
        world = World()
        await world.run()
        world.app = NewApplication()
        world.restart()
        record = await world.run()
        assert record.fallback is None
        assert record.schema == NewApplication.body.schema_id

    run_virtual(main())


def test_a_body_that_cannot_go_down_fails_the_bake_before_anything_is_committed() -> None:
    """A release from which there is no way back must not make it worse by a cycle."""

    class OneWay(NewApplication):
        body: Schema[Any] = Schema(
            "test.body", 2, NewBody, up={1: _up}, down={2: lambda plain: 1 / 0 if plain else 0}
        )

    async def main() -> None:
        world = World()
        await world.run()
        world.bake()
        world.app = OneWay()
        world.restart()
        await expect_faulty(world, world.run(), "body cannot be stored")

    run_virtual(main())


def test_a_body_from_a_newer_release_is_a_fault_and_stays() -> None:
    async def main() -> None:
        world = World(NewApplication())
        await world.run()
        world.app = Application()
        world.restart()
        await expect_faulty(world, world.run(), "newer than this code")

    run_virtual(main())


def test_a_fault_carries_its_reason() -> None:
    error = WorkloadFaulty("because")
    assert (error.reason, str(error)) == ("because", "because")
