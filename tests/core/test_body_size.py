"""A large body costs time in every commit: what it may cost is bounded."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from handoff.limits import BODY_BYTES_MAX, BODY_BYTES_NEAR
from state.journal_reader import read_tail
from tests.owner_world import World, expect_faulty, in_world

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from tests.engine_world import Body


class Block(bytes):
    """Bytes read from a file: how many are looked at shows, and that none are copied along."""

    looked_at = 0

    @override
    def count(self, *arguments: Any) -> int:
        Block.looked_at += len(self)
        return super().count(*arguments)

    @override
    def __add__(self, other: object, /) -> bytes:
        pytest.fail("a block copies all those behind it")


class CountedFile(io.BytesIO):
    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return Block(super().read(size))


class Segment:
    """What is read of a path."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self, _: str) -> CountedFile:
        return CountedFile(self._data)


def test_a_long_line_is_read_and_looked_at_once() -> None:
    """Behind a body of 20 MB a take was seven seconds late."""
    line = b"x" * 4_000_000
    segment: Any = Segment(line + b"\n" + line + b"\n")
    assert read_tail(segment, 1).lines == (line,)
    assert Block.looked_at < len(line) + 200_000


def remembers(world: World, size: int) -> None:
    """Let the next decision keep so many bytes."""

    def deciding(_: Cycle, body: Body) -> None:
        body.outcomes = ["x" * size]

    world.app.deciding = deciding


def test_a_body_beyond_the_bound_is_a_fault_of_the_release() -> None:
    async def story(world: World) -> None:
        remembers(world, BODY_BYTES_MAX)
        await expect_faulty(world, world.run(), f"at most {BODY_BYTES_MAX}: keep less in it")

    in_world(story)


def test_a_body_near_the_bound_is_said_once_an_owner() -> None:
    async def story(world: World) -> None:
        said = partial(world.log.lines, "body_near_limit")
        remembers(world, BODY_BYTES_NEAR - 1000)
        await world.run()
        assert said() == []
        remembers(world, BODY_BYTES_NEAR)
        await world.run()
        await world.run()
        [line] = said()
        assert line["reason"].endswith(f"bytes of at most {BODY_BYTES_MAX}")

    in_world(story)
