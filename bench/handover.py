"""How long it takes until somebody owns again after the owner is killed.

Owns two measurements in turn: from SIGKILL of an owner with a warm standby to the standby's
ownership on disk, and the same for the least there could be: two processes, a `flock`, and
as many bytes and fsyncs as a seize writes.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.chained import Settings
from bench.counted_files import writes_of_a_seize
from bench.installation import ROOT, Installation, environment

if TYPE_CHECKING:
    from state.record import WorkerId

MODULE: Final = Path(__file__).with_name("chained.py")
PERIOD_S: Final = 0.5


def measure(directory: Path, *, rounds: int) -> dict[str, list[float]]:
    """Kill owners and lock holders in turn; return milliseconds of both."""
    writes = writes_of_a_seize(directory / "counted")
    took: dict[str, list[float]] = {"seize": [], "flock": []}
    with Installation(directory / "handover") as installation, Holders(directory, writes) as bare:
        settings = Settings(
            version="0", witness=str(installation.witness), period_s=PERIOD_S, body_bytes=1024
        )
        tree = installation.tree(MODULE, settings, name="v0")
        installation.start(tree, "chained:create", "--standby")
        for _ in range(rounds):
            took["seize"].append(_kill_owner_ms(installation))
            took["flock"].append(bare.kill_holder_ms())
        installation.down()
    return took


def _kill_owner_ms(installation: Installation) -> float:
    installation.wait(lambda: _standby_is_warm(installation), "a warm standby")
    time.sleep(random.uniform(0, PERIOD_S))  # noqa: S311 - a moment of a measurement
    old = installation.the_owner()
    killed_ns = time.time_ns()
    assert installation.kill_owner() == old
    new = installation.wait_other_owner(old)
    installation.wait(lambda: _seized_ms(installation, new) > 0, "its log line")
    return _seized_ms(installation, new) - killed_ns / 1e6


def _seized_ms(installation: Installation, worker: WorkerId) -> float:
    """Return when a worker said that its seize was on disk; 0 before it did."""
    for path in (installation.home / "logs").rglob("*.log"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if '"ownership_seized"' in line:
                said: dict[str, Any] = json.loads(line)
                if said["pid"] == worker.pid and said["worker"] == worker.worker:
                    return float(said["at_ms"])
    return 0.0


def _standby_is_warm(installation: Installation) -> bool:
    owner = installation.owner()
    return any(
        child["warm"] and owner is not None and int(child["pid"]) != owner.pid
        for child in installation.children()
    )


class Holders:
    """A process that holds a lock and one that waits for it."""

    def __init__(self, directory: Path, writes: list[int]) -> None:
        """Start both."""
        self._directory = directory / "holders"
        self._directory.mkdir(parents=True)
        self._writes = [str(each) for each in writes]
        self._holder = self._start()
        _answer(self._holder)
        self._waiter = self._start()

    def __enter__(self) -> Self:
        """Return the pair."""
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        for process in (self._holder, self._waiter):
            process.kill()
            process.communicate()

    def kill_holder_ms(self) -> float:
        """Kill the holder; return how long the other took to have it and its writes done."""
        killed_ns = time.time_ns()
        self._holder.kill()
        done_ns = int(_answer(self._waiter))
        self._holder.communicate()
        self._holder, self._waiter = self._waiter, self._start()
        return (done_ns - killed_ns) / 1e6

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.flock_holder", str(self._directory), *self._writes],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert _answer(process) == "waiting"
        return process


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None, "asked for"
    return process.stdout.readline().strip()
