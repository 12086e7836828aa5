"""A new shape of the body: a candidate proves the way back, a standby needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from handoff.wire import Kind
from handoff.wish import Wish
from handoff.worker.leaving import Leaving
from state.schema import Schema, Step
from tests.engine_world import FIRST, Application, Body
from tests.worker_world import told

if TYPE_CHECKING:
    from tests.worker_world import World

NEXT = FIRST + 1


def same(plain: Any) -> Any:  # noqa: ANN401 - plain JSON
    return plain


def forgetting(plain: Any) -> Any:  # noqa: ANN401 - plain JSON
    return plain | {"cycles": []}


def second(down: Step | None = None) -> Application:
    """An application of the second version, with or without a step down."""
    app = Application()
    name, steps = type(app).body.schema_id.name, {2: down} if down else None
    app.body = Schema(name, 2, Body, up={1: same}, down=steps)  # another release's
    return app


@pytest.mark.parametrize(
    ("down", "irreversible", "words"),
    [
        (same, False, "version 1 goes up to 2 and down again, nothing lost"),
        (None, True, "version 1 goes up to 2, with no way back"),
        (forgetting, True, "version 1 goes up to 2, with no way back"),
    ],
)
def test_a_candidate_proves_the_way_back_or_was_told_to_do_without(
    down: Step | None, words: str, *, irreversible: bool
) -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        wish = Wish(irreversible=irreversible)
        b = world.start("b", "r2", app=second(down), deploy_id="deploy-b", wish=wish)
        await world.until(lambda: bool(b.told(Kind.READY)), limit_s=60)
        assert b.told(Kind.GATE)[1]["reason"] == words

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


@pytest.mark.parametrize(
    ("down", "words"),
    [
        (None, "there is no step down from version 2"),
        (forgetting, "up and down again changes cycles"),
    ],
)
def test_a_candidate_without_a_way_back_is_refused(down: Step | None, words: str) -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = world.start("b", "r2", app=second(down), deploy_id="deploy-b")
        await world.until(lambda: bool(b.told(Kind.GATE)[1:]), limit_s=60)
        said = b.told(Kind.GATE)[1]
        assert (said["gate"], said["passed"]) == ("schema", False)
        assert words in said["reason"]
        assert await b.left() is Leaving.REFUSED

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_a_standby_that_finds_the_old_shape_needs_no_way_back() -> None:
    """Its release owns since a take without return; the owner died before its first decision."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.die()
        b = world.start("b", app=second())
        await world.settled(NEXT + 2)
        assert b.told(Kind.READY)

    world = told(story)
    assert world.deciders()[NEXT + 2] == "b"
    stored = world.store.read().schema
    assert stored is not None
    assert stored.version == 2
