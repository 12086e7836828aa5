"""Whose failure it is: the world's, which a bake waits for, or the release's, which ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from typing_extensions import override

from handoff.errors import WorkloadFaulty
from handoff.limits import NS, SLOW_CYCLES_MAX
from handoff.outside import fault_words
from handoff.virtual_time import run_virtual
from handoff.workload import Unavailable, Unknown
from state.journal_frames import Health
from state.record import Fate
from tests.engine_world import PERIOD_S, Application, order
from tests.owner_world import NEXT, World, expect_faulty, in_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from state.record import Record


class FeedDown(Exception):
    """What a client library raises that is no OSError."""


class Declares(Application):
    """Says that this exception is the world's."""

    outside: ClassVar[tuple[type[Exception], ...]] = (FeedDown,)


def observing(app: Application, error: Exception) -> Application:
    async def observed(_: object) -> Any:  # noqa: ANN401 - it never answers
        raise error

    app.observed = observed
    return app


async def in_bake(world: World) -> Record:
    await world.run()
    world.bake()
    return await world.run()


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("no"), FileNotFoundError("x"), TimeoutError(), FeedDown("off")]
)
def test_weather_leaves_a_cycle_without_inputs_and_a_bake_where_it_was(error: Exception) -> None:
    async def main() -> None:
        world = World(observing(Declares(), error))
        record = await in_bake(world)
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 0
        assert world.lines("decide")[-1].unavailable

    run_virtual(main())


def test_what_is_not_declared_is_the_releases_fault_and_names_the_line_that_would_declare_it() -> (
    None
):
    """Most client libraries raise what is no OSError: their users have to learn what to write."""

    async def main() -> None:
        world = World(observing(Application(), FeedDown("off")))
        match = rf"observe raised FeedDown: off .*outside = \({__name__}.FeedDown,\)"
        await expect_faulty(world, world.run(), match)

    run_virtual(main())


def test_a_builtin_exception_is_named_as_it_is_written() -> None:
    assert fault_words("warm", KeyError("x")).endswith("declare it: outside = (KeyError,))")


def test_what_was_asked_and_answered_stands_in_the_line_of_the_cycle() -> None:
    class Counts(Application):
        @override
        def health(self, inputs: Any) -> Health:
            return Health(asked=16, answered=15)

    async def main() -> None:
        world = World(Counts())
        await world.run()
        assert world.lines("decide")[-1].health == Health(asked=16, answered=15)
        assert world.lines("settle")[-1].health is None

    run_virtual(main())


@pytest.mark.parametrize(("answers", "answered"), [(True, 1), (False, 0)])
def test_without_a_count_of_its_own_health_is_all_or_nothing(
    *, answers: bool, answered: int
) -> None:
    async def main() -> None:
        app = Application()
        if not answers:
            observing(app, OSError("down"))
        world = World(app)
        await world.run()
        assert world.lines("decide")[-1].health == Health(asked=1, answered=answered)

    run_virtual(main())


@pytest.mark.parametrize("asked_answered", [(1, 2), (-1, -1), (3, -1)])
def test_a_count_that_makes_no_sense_is_a_fault(asked_answered: tuple[int, int]) -> None:
    class Miscounts(Application):
        @override
        def health(self, inputs: Any) -> Health:
            return Health(asked=asked_answered[0], answered=asked_answered[1])

    async def main() -> None:
        world = World(Miscounts())
        await expect_faulty(world, world.run(), "health says that")

    run_virtual(main())


def test_a_count_that_raises_is_a_fault() -> None:
    class Raises(Application):
        @override
        def health(self, inputs: Any) -> Health:
            raise ZeroDivisionError

    async def main() -> None:
        world = World(Raises())
        await expect_faulty(world, world.run(), "health raised ZeroDivisionError")

    run_virtual(main())


def test_an_effect_whose_code_is_wrong_ends_a_bake_and_is_in_doubt_all_the_same() -> None:
    """It counted as clean before: a release that cannot send anything became permanent."""

    async def main() -> None:
        world = World()
        world.app.plans = {NEXT + 1: [order()]}
        world.app.venue.answers["order-1"] = [NameError("name 'x' is not defined")]
        world.app.venue.resolving["order-1"] = [Unknown("it does not say")] * 99
        with pytest.raises(WorkloadFaulty, match="perform raised NameError"):
            await in_bake(world)
        record = world.store.read()
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 0
        assert [each.fate for each in record.outbox] == [Fate.DOUBTFUL]

    run_virtual(main())


def test_asking_with_wrong_code_ends_a_bake_too() -> None:
    async def main() -> None:
        world = World()
        world.app.plans = {NEXT + 1: [order()]}
        world.app.venue.answers["order-1"] = [OSError("reset")]
        world.app.venue.resolving["order-1"] = [AttributeError("x")] * 99
        with pytest.raises(WorkloadFaulty, match="resolve raised AttributeError"):
            await in_bake(world)

    run_virtual(main())


def test_after_the_bake_wrong_code_is_said_and_the_next_cycle_is_clean_again() -> None:
    """There is nothing to go back to: to end for it would only cost cycles."""

    async def main() -> None:
        world = World()
        world.app.plans = {NEXT: [order()]}
        world.app.venue.answers["order-1"] = [NameError("x")]
        world.app.venue.lost = {"order-1"}
        await world.run()
        world.bake()
        record = await world.run()
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 1
        (line,) = world.log.lines("cycle_faulty")
        assert line["cycle"] == NEXT
        assert "perform raised NameError" in line["reason"]

    run_virtual(main())


def taking(seconds: list[float]) -> Callable[[World], Awaitable[None]]:
    """Bake a release whose cycles take so long, one after another."""

    async def story(world: World) -> None:
        async def observed(_: object) -> list[str]:
            return ["seen"]

        world.app.observed = observed
        await world.run()
        world.bake()
        for number, each in enumerate(seconds, start=1):
            name = f"order-{number}"
            world.app.plans = {NEXT + number: [order(name)]}

            async def dawdle(seconds: float = each) -> None:
                skipped_ns.append(round(seconds * NS))

            world.app.venue.hooks[name] = dawdle
            await world.run()

    skipped_ns: list[int] = []

    async def wrapped(world: World) -> None:
        ticking = world.clock.monotonic_ns
        world.clock.monotonic_ns = lambda: ticking() + sum(skipped_ns)  # type: ignore[method-assign] # the work takes time
        await story(world)

    return wrapped


def test_cycles_longer_than_the_period_end_a_bake_when_too_many_run_in_a_row() -> None:
    """1.15 s of work per second became permanent before, later with every cycle."""
    too_long = [PERIOD_S + 0.5] * (SLOW_CYCLES_MAX + 1)
    match = f"{SLOW_CYCLES_MAX + 1} cycles running .* 10.50 s of 10.00 s"
    with pytest.raises(WorkloadFaulty, match=match):
        in_world(taking(too_long))


def test_a_slow_cycle_between_punctual_ones_is_not_clean_and_ends_nothing() -> None:
    slow, quick = PERIOD_S + 0.5, 1.0
    world = in_world(taking([slow, slow, quick, slow, slow, quick]))
    rollout = world.store.read().rollout
    assert rollout is not None
    assert rollout.clean_cycles == 2


def test_a_release_that_sees_nothing_at_the_end_of_the_world_decides_all_the_same() -> None:
    """Unavailable by its own word counts as weather, too."""

    async def main() -> None:
        app = Application()

        async def observed(_: object) -> Unavailable:
            return Unavailable("closed")

        app.observed = observed
        world = World(app)
        record = await in_bake(world)
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 0

    run_virtual(main())
