"""A loop decides twice: what it takes from elsewhere than its record is a fault that says so."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from handoff import loop, simulate
from handoff.cadence import Schedule
from handoff.errors import WorkloadFaulty
from handoff.loops.facts import NULL, Envelope, Read, Reads
from handoff.loops.functions import digest_of_arguments, name_of
from handoff.loops.guard import drive, install_hook
from handoff.replay.comparison import compare, origin_of, recorded_cycles, refusal_of, words_of
from handoff.simulation import START_NS
from handoff.workload import Context, Cycle
from state.record import Timeline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from handoff import LoopCycle, PlainLoopCycle
    from handoff.loops.decorator import Loop
    from handoff.replay.comparison import Comparison

install_hook()


@pytest.mark.parametrize(
    "awaited",
    [
        lambda: asyncio.sleep(0),  # noqa: TID251 - the mistake
        lambda: asyncio.sleep(0.1),  # noqa: TID251 - the mistake
        lambda: asyncio.to_thread(abs, -1),
    ],
    ids=["yield", "sleep", "thread"],
)
def test_whatever_else_is_awaited_is_a_fault_that_says_the_rule(
    awaited: Callable[[], Awaitable[Any]],
) -> None:
    @loop(every=60)
    async def waits(_cycle: LoopCycle, state: dict[str, Any]) -> None:
        if state.get("again"):  # the first cycle is observed and decided without it
            await awaited()
        state["again"] = True

    with pytest.raises(WorkloadFaulty, match=r"something that is not cycle\.read"):
        simulate(waits(), cycles=2)


def test_a_loop_that_suspends_is_closed_and_told() -> None:
    closed: list[bool] = []

    async def waits(_cycle: object, _state: object) -> None:
        try:
            await asyncio.sleep(0)  # noqa: TID251 - the mistake
        finally:
            closed.append(True)

    with pytest.raises(WorkloadFaulty, match=r"something that is not cycle\.read"):
        drive(waits, None, None)
    assert closed == [True]


def test_while_deciding_no_event_loop_runs_and_afterwards_it_does() -> None:
    """What would schedule something fails instead of doing it twice."""

    def asks(_cycle: object, _state: object) -> bool:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return True

    async def worker() -> bool:
        before = asyncio.get_running_loop()
        assert drive(asks, None, None)
        return asyncio.get_running_loop() is before

    assert asyncio.run(worker())


def _connect(_place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        # By a name: a temporary directory may be too deep for such an address.
        client.connect("\0nobody listens to this name of a test")


TOUCHES: dict[str, Callable[[Path], Any]] = {
    "connects": _connect,
    "looks up an address": lambda _: socket.getaddrinfo("localhost", 80),
    "opens a file for writing": lambda place: (place / "kept").write_text("a"),
    "opens a file for writing ": lambda place: os.open(place / "kept", os.O_RDWR),
    "starts a process": lambda _: subprocess.run(["true"], check=True),  # noqa: S607
    "starts a process ": lambda _: os.system("true"),  # noqa: S605, S607
    "starts a process  ": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "renames a file": lambda place: (place / "kept").rename(place / "moved"),
    "renames a file ": lambda place: (place / "kept").replace(place / "moved"),
    "removes a file": lambda place: (place / "kept").unlink(),
    "removes a directory": lambda place: shutil.rmtree(place / "folder"),
    "opens a database": lambda place: sqlite3.connect(place / "rows.db"),
}


@pytest.mark.parametrize("name", TOUCHES)
@pytest.mark.parametrize("caught", [False, True])
def test_touching_the_world_while_deciding_is_a_fault_and_nothing_happens(
    name: str,
    caught: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    """Twice decided it would happen twice, or happen in a replay years later."""
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "folder").mkdir()

    def touches(_cycle: object, _state: object) -> None:
        try:
            TOUCHES[name](tmp_path)
        except Exception:
            if not caught:
                raise

    with pytest.raises(WorkloadFaulty, match=rf"the loop {name.strip()}.*cycle\.do\(act, payload"):
        drive(touches, None, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "kept"]
    assert (tmp_path / "kept").read_text() == "kept"


def test_reading_files_and_importing_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import writes its cache; a loop may import what it needs when it needs it."""
    (tmp_path / "imported_late.py").write_text("VALUE = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def reads(_cycle: object, _state: object) -> tuple[int, str]:
        from imported_late import (  # type: ignore[import-not-found] # noqa: PLC0415 - as a loop may
            VALUE,
        )

        return VALUE, (tmp_path / "imported_late.py").read_text()

    assert drive(reads, None, None) == (7, "VALUE = 7\n")
    assert list((tmp_path / "__pycache__").iterdir())


def test_other_threads_and_other_times_are_left_alone(tmp_path: Path) -> None:
    """The hook is the whole process's; the worker's own writes must never meet it."""
    path = tmp_path / "written"

    def decides(_cycle: object, _state: object) -> None:
        other = threading.Thread(target=path.write_text, args=("beside",))
        other.start()
        other.join()

    drive(decides, None, None)
    assert path.read_text() == "beside"
    path.write_text("afterwards")
    assert path.read_text() == "afterwards"


def test_the_worker_commits_and_acts_while_the_hook_is_there(tmp_path: Path) -> None:
    def save(row: str) -> None:
        with (tmp_path / "rows").open("a") as file:
            file.write(row)

    @loop(every=60, acts=[save])
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = cycle.read((tmp_path / "rows").exists)
        cycle.do(save, "a")

    assert simulate(does(), cycles=3).body.state == {"seen": True}
    assert (tmp_path / "rows").read_text() == "aaa"


def test_a_read_that_the_record_lacks_is_a_fault_that_names_clock_and_chance() -> None:
    """Even with a default: what it decided upon then was not that."""
    draws = itertools.count()

    @loop(every=60)
    async def chancy(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        await cycle.read(abs, next(draws), default=0)

    with pytest.raises(WorkloadFaulty, match=r"reads abs as it did not .* a clock, from chance"):
        simulate(chancy(), cycles=1)


def test_a_fault_is_one_even_where_the_loop_catches_it() -> None:
    draws = itertools.count()

    @loop(every=60)
    async def chancy(cycle: LoopCycle, _state: dict[str, Any]) -> None:
        try:
            await cycle.read(abs, next(draws))
        except Exception:  # noqa: BLE001 - as loops are written
            cycle.paused = False

    with pytest.raises(WorkloadFaulty, match="a clock, from chance"):
        simulate(chancy(), cycles=1)


def context(release: str) -> Context:
    return Context(app="test", release=release, tree="/", home="/", timeline=Timeline())


def compared(old: Loop, new: Loop, *, cycles: int = 25) -> Comparison:
    """Decide the cycles of one version with another, as the replay gate does."""
    running = old(context("r1"))
    ran = simulate(running, cycles=cycles)
    schedule = Schedule(running.cadence, ran.record.timeline)
    told = recorded_cycles(ran.lines, running, schedule, release="r1", first=0)
    return compare([origin_of(running, "r1"), *told], new(context("r2")))


def price(symbol: str) -> int:
    return len(symbol)


def alerting(*reads: Any, **options: Any) -> Loop:  # noqa: ANN401 - arguments of a read
    @loop(every=60, acts=[abs])
    def alerts(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        for each in reads:
            cycle.do(abs, cycle.read(price, each, **options))

    return alerts


def test_another_version_that_reads_more_gets_its_default() -> None:
    found = compared(alerting("BTC"), alerting("BTC", "ETH", default=0))
    assert (found.differ, found.incomparable, found.raised) == (25, 0, 0)
    assert f"abs/{START_NS // 60_000_000_000}/1 is new" in found.differing[0].words


def test_without_a_default_those_cycles_are_not_comparable_and_no_reason_to_refuse() -> None:
    """A version that watches one more symbol could never be deployed."""
    found = compared(alerting("BTC"), alerting("BTC", "ETH"))
    assert (found.cycles, found.incomparable, found.raised) == (0, 25, 0)
    assert refusal_of(found, differ_max=0.0) == ""
    assert words_of(found).startswith("0 cycles, 0 differ, 25 not comparable")


def test_a_version_that_does_not_catch_what_was_caught_has_no_inputs_there() -> None:
    def down() -> int:
        message = "down"
        raise OSError(message)

    def reading(**options: int) -> Loop:
        @loop(every=60, acts=[abs])
        def reads(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
            state["before"] = cycle.number
            cycle.do(abs, cycle.read(down, **options))

        return reads

    found = compared(reading(default=5), reading())
    assert (found.differ, found.raised, found.incomparable) == (25, 0, 0)
    assert "is not wanted" in found.differing[0].words
    failed = Read(
        name=name_of(down), arguments=digest_of_arguments(down, ()), value=NULL, error="E"
    )
    decided = reading()(context("r2")).decide(
        Cycle(number=1, now_ns=0, seed=0), Envelope(state={}), Reads(reads=(failed,)), ()
    )
    assert decided.body.state == {}, "what it changed before it read is not kept"


def test_number_moment_and_chance_are_those_of_the_cycle_in_both_runs() -> None:
    runs: list[tuple[Any, ...]] = []

    @loop(every=60)
    def looks(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        runs.append((cycle.number, cycle.now, cycle.random.random()))

    ran = simulate(looks(), cycles=2)
    assert len(runs) == 6
    assert len(set(runs)) == 2
    number = ran.record.progress.cycle
    assert runs[2][:2] == (number, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=number))


def test_a_loop_that_returns_something_has_mistaken_how_state_is_kept() -> None:
    """`state = {...}` is lost silently; `return state` can at least be told."""

    @loop(every=60)
    def returns(_cycle: PlainLoopCycle, _state: dict[str, Any]) -> dict[str, Any]:
        return {"n": 1}

    with pytest.raises(WorkloadFaulty, match=r"returned dict: .* changes its state in place"):
        simulate(returns(), cycles=1)


def test_a_fault_of_the_loop_names_its_line() -> None:
    @loop(every=60)
    def divides(_cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["n"] = 1 // 0

    with pytest.raises(WorkloadFaulty, match=r"divides raised ZeroDivisionError: .*\(line \d+ of"):
        simulate(divides(), cycles=1)
