"""Which home a simulated process has, what can be seen of it, and what it forked.

Owns the locks of the simulated host: each worker holds one in its own home, and a copy of that
home has another file in its place. What is seen is judged by the rule of `handoff.liveness`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handoff.liveness import HOME, Judgement, Lock, Process, Seen, Side, judge
from tests.sim.disk import Disk, Helper

if TYPE_CHECKING:
    from state.record import WorkerId
    from tests.sim.clockwork import Process as Simulated
    from tests.sim.worker_process import WorkerProcess

MACHINE: Final = "1" * 32  # it stays what it is when the host starts anew
GROUP_ENDS_S: Final = 5.0  # what is left of a buried worker's group is killed after that


def side_of(worker: WorkerId) -> Side:
    """Return where a worker runs, as a record says it."""
    return Side(worker.boot_id, worker.pid_namespace, worker.machine)


def judged(worker: WorkerId, process: WorkerProcess | None, here: Side, home: int) -> Judgement:
    """Judge a worker that a record names.

    Args:
        worker: As the record names it.
        process: What the host has of it, alive or dead; None if it never was.
        here: Where whoever asks runs.
        home: The home of whoever asks.
    """
    lives = process is not None and process.alive
    own = process is not None and process.home == home
    lock = Lock.OTHER if not own else Lock.HELD if lives else Lock.FREE
    told = side_of(worker)
    if told[:2] != here[:2]:
        return judge(told, worker.lock, here, Seen(lock=lock))
    holds = "" if process is None or not lives else HOME if own else f"home-{process.home}"
    seen = Seen(Process.RUNS if lives else Process.GONE, holds, lock)
    return judge(told, worker.lock, here, seen)


def fork(process: Simulated, *, leaves_group: bool) -> Helper:
    """Fork a helper that does nothing and outlives its worker, if nobody ends it."""
    helper = Helper(in_group=not leaves_group)
    process.helpers.append(helper)
    return helper


def copied(disk: Disk) -> Disk:
    """Return what `cp -a` makes of a disk."""
    copy = disk.as_new()
    copy.data, copy.waiting, copy.previous = disk.data, disk.waiting, disk.previous
    copy.lines, copy.last = list(disk.lines), disk.last
    return copy
