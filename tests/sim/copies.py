"""Copies of a home whose owner lives: each is started, and nobody may decide in it.

Owns the launchers that were not refused there; the engine's own rule refuses them all. A copy
knows what its record names. One whose original has changed owners since the copy was made
names a dead one, and is not tried: nothing in it leads to the original.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handoff.liveness import Verdict
from state.heard import heard_in
from tests.sim.homes import copied, judged, side_of
from tests.sim.launcher import SimulatedLauncher

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.record import Record
    from state.store import Note
    from tests.sim.clockwork import Clockwork, Process
    from tests.sim.disk import Disk, ProcessStore, Written
    from tests.sim.worker_process import Surroundings, WorkerProcess

FIRST: Final = 1000  # homes of copies are numbered from here


class Means(NamedTuple):
    """What a world starts processes with.

    Attributes:
        spawn: Starts a worker process of a release, for a deploy, in given surroundings.
        store_of: Returns a process's store on a disk; what it wrote is told to a function.
    """

    spawn: Callable[[str, str, Surroundings | None], WorkerProcess]
    store_of: Callable[[Process, Disk, Written], ProcessStore]


class Copies:
    """The copies of one world.

    Args:
        clockwork: Time, and where a violation is reported.
        means: What processes are started with.
        trace: Where it tells what it does.
    """

    def __init__(self, clockwork: Clockwork, means: Means, trace: Callable[..., None]) -> None:
        self._clockwork = clockwork
        self._means = means
        self._trace = trace
        self._launchers: list[SimulatedLauncher] = []

    def start(self, original: Disk, owner: WorkerProcess, around: Surroundings) -> None:
        """Copy a home whose owner lives, and start a launcher in the copy."""
        home = FIRST + len(self._launchers)
        found = judged(owner.identity, owner, side_of(owner.identity), home)
        self._trace("world", "starts a copy of the home", verdict=found.verdict.value)
        if found.verdict is Verdict.COPY:
            return
        disk = copied(original)
        inside = around._replace(
            home=home,
            launcher=lambda: launcher,
            heard=lambda: heard_in(reversed(disk.lines)),
            store_of=lambda process: self._means.store_of(process, disk, self._written),
        )
        launcher = SimulatedLauncher(
            self._clockwork,
            spawn=partial(self._spawn, inside),
            record=disk.as_launched,
            first_release="r1",
            standby=True,
            trace=self._trace,
        )
        self._launchers.append(launcher)

    def end(self) -> None:
        for launcher in self._launchers:
            launcher.alive = False

    def _spawn(self, inside: Surroundings, release: str, deploy_id: str) -> WorkerProcess:
        return self._means.spawn(release, deploy_id, inside)

    def _written(self, _process: Process, note: Note, _allowed_ns: int, after: Record) -> None:
        if note.kind == "decide":
            number = after.progress.cycle
            self._clockwork.report(f"cycle {number} is decided in a copy of a living home")
