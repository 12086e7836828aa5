"""Plain reads are called beside the event loop, and one that hangs holds up no more than itself."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from handoff import loop, simulate
from handoff.loops.threads import THREADS_MAX, Calls, DaemonThreads
from handoff.workload import Context, Cycle, Unavailable
from state.record import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff import LoopCycle, PlainLoopCycle
    from handoff.loops.decorator import Loop


def reading(function: Callable[[], Any]) -> Loop:
    """A loop that reads."""

    @loop(every=60)
    async def reads(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        await cycle.read(function)

    return reads


def test_a_plain_read_runs_in_a_daemon_thread_and_not_in_the_event_loop() -> None:
    """It may block as long as it likes; the worker beats on, and may leave."""
    inside: list[threading.Thread] = []

    def fetch() -> None:
        inside.append(threading.current_thread())

    simulate(reading(fetch)(), cycles=1)
    assert inside[0] is not threading.main_thread()
    assert inside[0].daemon


def context() -> Context:
    return Context(app="test", release="r1", tree="/", home="/", timeline=Timeline())


def test_a_plain_read_that_overran_is_not_called_again_until_it_returned() -> None:
    """Otherwise a feed that hangs gets one more hanging request per cycle."""
    hangs, begun, calls = threading.Event(), threading.Event(), [0]

    def slow() -> int:
        calls[0] += 1
        begun.set()
        hangs.wait(15)
        return calls[0]

    async def cycles() -> list[Any]:
        workload = reading(slow)(context())
        body = workload.body.initial()
        first = asyncio.create_task(workload.observe(cycle(7), body))
        await asyncio.to_thread(begun.wait, 15)
        first.cancel()  # as its budget does
        found = [await workload.observe(cycle(8), body)]
        hangs.set()
        for _ in range(1000):
            found.append(await workload.observe(cycle(9), body))
            if not isinstance(found[-1], Unavailable):
                break
        return found

    def cycle(number: int) -> Cycle:
        return Cycle(number=number, now_ns=0, seed=0)

    still, *_, returned = asyncio.run(cycles())
    assert still.reason.endswith("TimeoutError: still running since cycle 7")
    assert bytes(returned.reads[0].value) == b"2"


def test_where_every_thread_is_held_by_earlier_cycles_a_read_does_not_wait_for_one() -> None:
    hangs = threading.Event()

    async def ask() -> str:
        calls = Calls(2)
        held = [asyncio.create_task(calls.run(name, 1, lambda: hangs.wait(5))) for name in "ab"]
        try:
            for _ in range(1000):  # until both are in their threads
                await asyncio.sleep(0.001)  # noqa: TID251 - real threads
                if len(calls._running) == 2:  # noqa: SLF001 - nothing else tells
                    break
            await calls.run("c", 2, int)
        except TimeoutError as error:
            return str(error)
        finally:
            hangs.set()
            await asyncio.gather(*held)
        return ""

    assert asyncio.run(ask()) == "all 2 threads are still busy with reads of earlier cycles"


@pytest.mark.parametrize("waits_already", [False, True])
def test_a_plain_loop_that_hangs_is_ended_with_its_cycle(waits_already: bool) -> None:  # noqa: FBT001
    """It waits in a thread for a read, or is about to; nobody would ever wake it."""
    reached, ended = asyncio.Event(), threading.Event()
    raised: list[str] = []

    async def slow() -> None:
        if waits_already:
            await asyncio.to_thread(ended.wait, 0.05)  # meanwhile the loop's thread waits
        reached.set()
        await asyncio.sleep(15)  # noqa: TID251 - cut off long before

    @loop(every=60)
    def asked(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        try:
            cycle.read(slow, default=None)
        except BaseException as error:
            raised.append(type(error).__name__)
            ended.set()
            raise

    async def cut_off() -> None:
        workload = asked(context())
        cycle = Cycle(number=1, now_ns=0, seed=0)
        observing = asyncio.create_task(workload.observe(cycle, workload.body.initial()))
        await reached.wait()
        observing.cancel()
        await asyncio.wait([observing])
        assert await asyncio.to_thread(ended.wait, 5), "while the worker goes on"

    asyncio.run(cut_off())
    assert raised == ["CycleOver"]


def test_there_are_never_more_than_sixteen_threads() -> None:
    """Each holds memory and a connection; a feed that hangs must not add one per cycle."""
    let_go = threading.Event()
    threads = DaemonThreads()
    futures = [threads.submit(let_go.wait, 5) for _ in range(3 * THREADS_MAX)]
    assert len(threads._threads) == THREADS_MAX == 16  # noqa: SLF001 - nothing else counts them
    let_go.set()
    assert all(future.result(5) for future in futures)
