"""A loop that cannot work says so where it is declared, with what to do instead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import handoff
from handoff import LoopCycle, PlainLoopCycle, loop
from handoff.loops.decorator import Loop
from handoff.loops.errors import LoopMisused
from handoff.loops.trial import WORDS_MAX, loop_in, try_once
from handoff.simulation import START_NS
from state import Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOT = Path(__file__).resolve().parents[2]


class Frozen(msgspec.Struct, frozen=True):
    """A state that cannot change."""


class Needy(msgspec.Struct):
    """A state that cannot begin."""

    name: str


class Opaque(msgspec.Struct):
    """A state that cannot be stored."""

    made: complex = 1j


def both(first: int, second: int) -> None:
    """Take two."""


def named(*, key: str) -> None:
    """Take one by name only."""


def body(cycle: Any, state: Any) -> None:  # noqa: ANN401 - a loop without types
    """Do nothing."""


async def yields(_cycle: Any, _state: Any) -> AsyncIterator[int]:  # noqa: ANN401 - as above
    yield 1


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"every": 0.1}, "every 0.1 s cannot be: .* half a second at least"),
    ({"every": "60"}, "every 60 s cannot be"),
    ({"every": 60, "budget": 60}, "every 60 s cannot be: a budget"),
    ({"every": body}, r"@loop has no brackets: write @loop\(every=60"),
    ({"state": {"known": []}}, "is no type: give a msgspec.Struct"),
    ({"state": Frozen}, "Frozen is frozen: a loop changes its state in place"),
    ({"state": float}, "float cannot be changed in place: keep it in a dict"),
    ({"state": tuple}, "tuple cannot be changed in place: keep it in a dict"),
    ({"state": Needy}, "Needy cannot be made .*: give each of its fields a default"),
    ({"state": Opaque}, "Opaque cannot be stored"),
    ({"version": 0}, "version=0 is none: versions of a state count from 1"),
    ({"up": dict}, "version 1 has none before it .*: raise version"),
    ({"acts": print}, r"acts=print is no list: write acts=\[notify\]"),
    ({"acts": [lambda line: line]}, "has no name: an act is a function with a name"),
    ({"acts": [print, print]}, "two acts are named print"),
    ({"acts": [both]}, "act both takes 2 arguments: an act takes one payload"),
    ({"acts": [named]}, "act named takes 1 arguments: an act takes one payload"),
    ({"outside": [503]}, "outside has 503: it names exceptions"),
    ({"outside": Exception}, "outside has Exception: then no mistake of the loop would be one"),
    ({"delivery": "by_id"}, "what can be asked about by its id needs a Workload"),
    ({"delivery": Delivery.BY_ID}, "what can be asked about by its id needs a Workload"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_an_option_that_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(LoopMisused, match=words) as refused:
        loop(**{"every": 60, **options})(body)
    assert refused.value.hint in str(refused.value)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: None, "does not take a cycle and a state"),
        (both, ""),
        (named, r"named does not take .*: write def named\(cycle, state\)"),
        (yields, "yields yields: a loop's function runs once per cycle"),
        (Needy, "Needy is no function"),
        (5, "5 is no function"),
    ],
)
def test_a_function_that_is_none_of_a_cycle_and_a_state_is_refused(
    function: Callable[..., Any], words: str
) -> None:
    declare = loop(every=60)
    if not words:
        assert isinstance(declare(function), Loop)
        return
    with pytest.raises(LoopMisused, match=words):
        declare(function)


def test_a_single_kind_of_weather_may_stand_alone() -> None:
    assert loop(every=60, outside=KeyError)(body).declared.outside == (KeyError,)


def test_a_declared_loop_keeps_its_name_and_its_words() -> None:
    made = loop(every=60)(body)
    assert (made.__name__, made.__doc__) == ("body", "Do nothing.")


def test_no_file_of_the_engine_takes_the_decorators_name() -> None:
    """Once a module of that name is imported, `from handoff import loop` would give it."""
    names = {path.stem for path in (ROOT / "handoff").iterdir()}
    assert "loops" in names
    assert "loop" not in names
    assert handoff.loop is loop


def module(**members: object) -> ModuleType:
    made = ModuleType("news")
    vars(made).update(members)
    return made


def test_the_one_loop_of_a_file_is_found_and_several_are_refused() -> None:
    first, second = loop(every=60)(body), loop(every=60)(body)
    assert loop_in(module(news=first, other=5)) == "news"
    assert loop_in(module(news=first, again=first)) in {"news", "again"}
    with pytest.raises(LoopMisused, match="news has no loop: decorate"):
        loop_in(module(other=5))
    with pytest.raises(LoopMisused, match=r"news has 2 loops \(a, b\): one home has one loop"):
        loop_in(module(a=first, b=second))


def test_trying_reads_once_does_nothing_and_says_as_what_each_read_is_seen() -> None:
    sent: list[str] = []

    def fetch() -> list[str]:
        return ["a" * WORDS_MAX]

    async def plain():  # type: ignore[no-untyped-def] # noqa: ANN202 - as a user may leave it
        return 1

    def down() -> int:
        message = "down"
        raise OSError(message)

    @loop(every=60, acts=[sent.append])
    async def news(cycle: LoopCycle, state: dict[str, Any]) -> None:
        for line in await cycle.read(fetch):
            cycle.do(sent.append, line)
        state["n"] = await cycle.read(plain) + await cycle.read(down, default=5)

    place = "test_trying_reads_once_does_nothing_and_says_as_what_each_read_is_seen.<locals>."
    words = asyncio.run(try_once(news, START_NS)).replace(place, "")
    assert words.splitlines() == [
        "cycle 29453760 of news",
        f'read fetch, seen as list[str]: ["{"a" * (WORDS_MAX - 2)}…',
        "read plain, seen as plain JSON: 1",
        "read down: no answer (OSError: down)",
        f'would do append "{"a" * (WORDS_MAX - 1)}…',
        'state: {"n":6}',
        "nothing was sent, nothing was kept",
    ]
    assert sent == []


def test_trying_where_nothing_answers_says_so() -> None:
    def down() -> int:
        message = "down"
        raise OSError(message)

    @loop(every=60)
    def news(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        cycle.read(down)

    words = asyncio.run(try_once(news, START_NS)).splitlines()
    assert words[1].startswith("no inputs: ")
    assert words[1].endswith("down: OSError: down")
