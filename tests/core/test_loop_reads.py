"""Reading is the only way into a loop: once per cycle, recorded, and seen as it was recorded.

What is read otherwise than the rules say cannot be decided again; each rule is broken here.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff import ReadFailed, loop, simulate
from handoff.errors import WorkloadFaulty
from handoff.loops.facts import Reads
from handoff.loops.threads import THREADS_MAX, Calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff import LoopCycle, PlainLoopCycle
    from handoff.loops.decorator import Loop
    from handoff.simulation import Simulation


class Weather(Exception):
    """What a client raises that knows nothing of OSError."""


def reading(function: Callable[..., Any], *arguments: Any, **options: Any) -> Loop:  # noqa: ANN401
    """A loop that keeps what it reads."""

    @loop(every=60, **options)
    async def kept(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = repr(await cycle.read(function, *arguments))

    return kept


def seen(ran: Simulation) -> Any:  # noqa: ANN401 - what the loop kept
    return ran.body.state["seen"]


def inputs_of(ran: Simulation) -> list[Reads]:
    decided = [line for line in ran.lines if line.kind == "decide"]
    return [msgspec.json.decode(line.inputs, type=Reads) for line in decided]


def health_of(ran: Simulation) -> tuple[int, int]:
    health = [line.health for line in ran.lines if line.kind == "decide"][-1]
    assert health is not None
    return health.asked, health.answered


def test_a_read_is_made_once_per_cycle_however_often_it_is_decided() -> None:
    """`simulate` decides each cycle twice: a read in `decide` would be seen here."""
    made: list[int] = []

    async def fetch() -> int:
        made.append(1)
        return len(made)

    ran = simulate(reading(fetch)(), cycles=3)
    assert (seen(ran), len(made)) == ("3", 3)


def test_a_loop_may_be_a_plain_function_and_read_both_kinds() -> None:
    async def one() -> int:
        return 1

    @loop(every=60)
    def kept(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = [cycle.read(one), *cycle.read_all(abs, [-2, -3]), cycle.number]

    ran = simulate(kept(), cycles=2)
    assert ran.body.state["seen"] == [1, 2, 3, ran.record.progress.cycle]


def test_reads_side_by_side_are_sixteen_at_once_in_as_many_threads() -> None:
    """Sixteen wait for each other, so fewer would hang; a seventeenth would be counted."""
    together = threading.Barrier(THREADS_MAX, timeout=5)
    under_way, most, counting = [0], [0], threading.Lock()

    def price(symbol: int) -> int:
        with counting:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        together.wait()
        with counting:
            under_way[0] -= 1
        return -symbol

    @loop(every=60)
    async def prices(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = await cycle.read_all(price, range(2 * THREADS_MAX))

    ran = simulate(prices(), cycles=1)
    assert seen(ran) == [-symbol for symbol in range(2 * THREADS_MAX)], "in the order of arguments"
    assert most[0] == THREADS_MAX


def test_reads_of_coroutines_side_by_side_are_sixteen_at_once() -> None:
    under_way, most = [0], [0]

    async def price(symbol: str, _interval: str) -> str:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await asyncio.sleep(0.1)  # noqa: TID251 - virtual time
        under_way[0] -= 1
        return symbol

    @loop(every=60)
    async def prices(cycle: LoopCycle, state: dict[str, Any]) -> None:
        names = [str(number) for number in range(40)]
        state["seen"] = await cycle.read_all(price, names, ["5m"] * 40)

    assert len(seen(simulate(prices(), cycles=1))) == 40
    assert most[0] == THREADS_MAX


def test_lists_of_different_length_are_a_fault_of_read_all() -> None:
    @loop(every=60)
    async def prices(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        await cycle.read_all(max, [1, 2], [3])

    with pytest.raises(WorkloadFaulty, match="lists of one length"):
        simulate(prices(), cycles=1)


def test_what_the_loop_sees_is_the_recorded_form() -> None:
    """Were the first run to see the tuple, the second would decide on another value."""

    def fetch():  # type: ignore[no-untyped-def] # noqa: ANN202 - as a user may leave it
        return {"pair": (1, 2), "at": datetime(2026, 1, 1, tzinfo=UTC), 7: "seven"}

    assert seen(simulate(reading(fetch)(), cycles=1)) == repr(
        {"pair": [1, 2], "at": "2026-01-01T00:00:00Z", "7": "seven"}
    )


def test_an_annotation_brings_types_and_whole_numbers_as_keys_back() -> None:
    def fetch() -> dict[int, datetime]:
        return {7: datetime(2026, 1, 1, tzinfo=UTC)}

    expected = {7: datetime(2026, 1, 1, tzinfo=UTC)}
    assert seen(simulate(reading(fetch)(), cycles=1)) == repr(expected)


def test_an_annotation_that_cannot_be_decoded_into_means_plain_json() -> None:
    """As those of ccxt, which name classes of its own."""

    def fetch() -> Calls:
        return {"a": 1}  # type: ignore[return-value] # as ccxt does

    def unknown() -> NoSuchName:  # type: ignore[name-defined] # noqa: F821 - as some annotations are
        return 5

    assert seen(simulate(reading(fetch)(), cycles=1)) == "{'a': 1}"
    assert seen(simulate(reading(unknown)(), cycles=1)) == "5"


def test_an_answer_that_its_annotation_does_not_say_is_a_fault() -> None:
    def fetch() -> list[str]:
        return [1]  # type: ignore[list-item] # the mistake

    with pytest.raises(WorkloadFaulty, match=r"fetch returned what its annotation .*\$\[0\]"):
        simulate(reading(fetch)(), cycles=1)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_no_word_for_is_a_fault_that_names_the_place(number: float) -> None:
    """As null it would be decided upon as a missing price."""

    def fetch() -> Any:  # noqa: ANN401 - plain JSON
        return {"prices": [{"BTC": 1.0}, {"BTC": number}], "none": None}

    with pytest.raises(WorkloadFaulty, match=rf"{number} at prices\[1\]\.BTC"):
        simulate(reading(fetch)(), cycles=1)


def test_an_answer_that_is_no_json_is_a_fault() -> None:
    with pytest.raises(WorkloadFaulty, match="object that is no JSON"):
        simulate(reading(object)(), cycles=1)


def test_a_read_is_known_by_name_arguments_and_how_many_alike_came_before() -> None:
    count = iter(range(100))

    def draw(_of: str) -> int:
        return next(count)

    @loop(every=60)
    async def drawn(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = [await cycle.read(draw, name) for name in "aab"]

    ran = simulate(drawn(), cycles=1)
    assert seen(ran) == [0, 1, 2]
    [reads] = inputs_of(ran)
    first, again, other = reads.reads
    assert first.name.endswith("<locals>.draw")
    assert (first.arguments, first.alike, again.alike) == (again.arguments, 0, 1)
    assert (other.arguments != first.arguments, other.alike) == (True, 0)


def test_arguments_that_are_no_json_are_known_by_their_place() -> None:
    opaque = object()

    @loop(every=60)
    async def asked(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        await cycle.read(abs, -1)
        await cycle.read(bool, opaque)
        await cycle.read(functools.partial(bool, opaque))

    [reads] = inputs_of(simulate(asked(), cycles=1))
    assert [each.arguments for each in reads.reads][1:] == ["@2", "@3"]
    assert [each.name for each in reads.reads] == ["abs", "bool", "bool"]


def test_reading_what_is_no_function_is_a_fault_that_says_how() -> None:
    @loop(every=60)
    async def wrong(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        await cycle.read(abs(-1))  # type: ignore[call-overload] # the mistake

    with pytest.raises(WorkloadFaulty, match="give it the function, not what it returns"):
        simulate(wrong(), cycles=1)


@pytest.mark.parametrize("error", [ConnectionError("down"), TimeoutError("late"), Weather("503")])
def test_a_read_that_fails_by_weather_gives_its_default_and_is_unanswered(
    error: Exception,
) -> None:
    async def fetch() -> int:
        raise error

    @loop(every=60, outside=[Weather])
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = [await cycle.read(fetch, default="none"), await cycle.read(abs, -4)]

    ran = simulate(asked(), cycles=1)
    assert seen(ran) == ["none", 4]
    assert health_of(ran) == (2, 1)


def test_without_a_default_it_raises_with_the_recorded_words_and_may_be_caught() -> None:
    """The exception itself is gone when the cycle is decided; only what was recorded is left."""

    async def fetch() -> int:
        message = "503"
        raise Weather(message)

    @loop(every=60, outside=[Weather])
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        try:
            await cycle.read(fetch)
        except ReadFailed as failed:
            state["seen"] = [failed.read.split(".")[-1], failed.error, failed.words]

    ran = simulate(asked(), cycles=2)
    assert seen(ran) == ["fetch", "Weather", "503"]
    assert health_of(ran) == (1, 0)


def test_what_a_plain_loop_catches_is_caught_as_it_was() -> None:
    """Whatever the world raised: `except OSError` around a read need not be written anew."""

    async def fetch() -> int:
        message = "503"
        raise Weather(message)

    @loop(every=60, outside=[Weather])
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        try:
            state["seen"] = await cycle.read(fetch)
        except OSError as error:
            state["seen"] = str(error).rpartition(".")[2]

    assert seen(simulate(asked(), cycles=2)) == "fetch: Weather: 503"


def test_uncaught_the_cycle_has_no_inputs_and_the_state_stays() -> None:
    async def fetch(number: int) -> int:
        if number % 2:
            message = "down"
            raise OSError(message)
        return number

    @loop(every=60)
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["cycles"] = [*state.get("cycles", []), cycle.number]
        await cycle.read(fetch, cycle.number)

    ran = simulate(asked(), cycles=4)
    assert len(ran.body.state["cycles"]) == 2
    reasons = [line.unavailable for line in ran.lines if line.kind == "decide"]
    assert sorted({reason.split(".")[-1] for reason in reasons}) == ["", "fetch: OSError: down"]


def test_one_of_several_that_fails_gives_its_own_default_or_raises() -> None:
    def price(symbol: str) -> int:
        if symbol == "b":
            raise ConnectionError(symbol)
        return 1

    @loop(every=60)
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = await cycle.read_all(price, "abc", default=None)
        if cycle.number % 2:
            await cycle.read_all(price, "abc")

    ran = simulate(asked(), cycles=2)
    assert seen(ran) == [1, None, 1]
    assert sum("ConnectionError: b" in line.unavailable for line in ran.lines) == 1


@pytest.mark.parametrize("caught", [False, True])
def test_any_other_exception_of_a_read_is_a_fault_of_the_release(caught: bool) -> None:  # noqa: FBT001
    """Caught as well: the second run would not find what the first one swallowed."""

    async def fetch() -> int:
        message = "price"
        raise KeyError(message)

    @loop(every=60)
    async def asked(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        try:
            await cycle.read(fetch)
        except Exception:
            if not caught:
                raise

    with pytest.raises(
        WorkloadFaulty, match=r"fetch raised KeyError: 'price' .*outside=\(KeyErr"
    ) as told:
        simulate(asked(), cycles=1)
    assert "observe" not in told.value.reason, "one remedy, in the words of a loop"


def test_an_exception_of_the_loop_itself_is_a_fault_even_where_it_looks_like_weather() -> None:
    @loop(every=60)
    async def asked(_cycle: LoopCycle, _state: dict[str, Any]) -> None:
        message = "asked beside the cycle"
        raise ConnectionError(message)

    with pytest.raises(WorkloadFaulty, match=r"ConnectionError: asked .*through cycle\.read"):
        simulate(asked(), cycles=1)


def test_a_read_that_is_late_leaves_time_for_its_default() -> None:
    """A budget that ends the whole cycle would take every other read with it."""

    async def slow() -> int:
        await asyncio.sleep(100)  # noqa: TID251 - virtual time
        return 1

    @loop(every=60)
    async def asked(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = [await cycle.read(abs, -4), await cycle.read(slow, default=None)]

    ran = simulate(asked(), cycles=1)
    assert seen(ran) == [4, None]
    assert inputs_of(ran)[0].reads[1].words == "no answer within 8 s"
