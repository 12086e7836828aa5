"""Time that passes at once, and never too early."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff import virtual_time
from handoff.limits import NS
from handoff.virtual_time import Stuck, VirtualClock, run_virtual

START_NS = 1_795_000_000 * NS


def test_a_day_passes_at_once() -> None:
    async def main() -> float:
        clock = VirtualClock(START_NS)
        await clock.pause(86_400)
        return (clock.now_ns() - START_NS) / NS

    assert run_virtual(main()) == pytest.approx(86_400)


@given(st.lists(st.integers(min_value=-(10**9), max_value=10**11), min_size=1, max_size=5))
def test_no_wait_ends_early(delays_ns: list[int]) -> None:
    async def main() -> None:
        clock = VirtualClock(START_NS)
        for delay_ns in delays_ns:
            until_ns = clock.now_ns() + delay_ns
            await clock.wait_until(until_ns)
            assert until_ns <= clock.now_ns() <= max(until_ns, clock.now_ns() - delay_ns) + 10

    run_virtual(main())
    assert delays_ns


def test_a_clock_that_is_set_back_makes_a_wait_longer() -> None:
    async def main() -> float:
        clock = VirtualClock(START_NS)
        waiting = asyncio.create_task(clock.wait_until(START_NS + 10 * NS))
        await clock.pause(5)
        clock.step(-20 * NS)
        await waiting
        return clock.monotonic_ns() / NS

    assert run_virtual(main()) == pytest.approx(30)


def test_a_clock_that_is_set_forward_ends_a_wait_soon() -> None:
    async def main() -> float:
        clock = VirtualClock(START_NS)
        waiting = asyncio.create_task(clock.wait_until(START_NS + 100 * NS))
        await clock.pause(5)
        clock.step(200 * NS)
        await waiting
        return clock.monotonic_ns() / NS

    assert 7 <= run_virtual(main()) <= 8.1  # once three looks over two seconds agree


def test_what_waits_side_by_side_wakes_in_the_order_of_its_times() -> None:
    async def main() -> list[float]:
        clock, woken = VirtualClock(START_NS), []

        async def wake_after(seconds: float) -> None:
            await clock.pause(seconds)
            woken.append(seconds)

        await asyncio.gather(*(wake_after(seconds) for seconds in (3.0, 1.0, 2.0)))
        return woken

    assert run_virtual(main()) == [1.0, 2.0, 3.0]


def test_time_limits_of_the_event_loop_are_virtual_as_well() -> None:
    async def main() -> float:
        clock = VirtualClock(START_NS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await asyncio.Event().wait()
        return clock.monotonic_ns() / NS

    assert run_virtual(main()) == pytest.approx(1000)


def test_what_another_thread_does_is_waited_for() -> None:
    async def main() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert run_virtual(main()) == 7


def test_waiting_for_nothing_is_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "_REAL_WAIT_S_MAX", 0.01)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="every task waits"):
        run_virtual(main())
