"""Faults of the owner: killed at a moment that is aimed at, or stopped over a boundary.

Owns the aiming. The moment is the operating system's to keep: where it matters in which step a
process was hit, it is stopped first and looked at.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from foresight.drill.scene import Scene, require
from foresight.evidence.errors import CourseLeft
from foresight.evidence.waiting import now_ns, wait_instant
from handoff.limits import MS
from handoff.processes import proven_dead
from handoff.worker.hosts import process_of
from state.record import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.record import Record, WorkerId

BEFORE_NS: Final = 30 * MS  # later than the take margin: nobody could take this boundary any more
BEGUN_NS: Final = 2 * MS  # after a boundary: the cycle has begun and observes
STOP_NS: Final = 100 * MS  # before it
STOPPED_NS: Final = 5 * MS  # a stop has taken effect by then
AHEAD_NS: Final = 200 * MS  # a boundary that is nearer cannot be aimed at
AIMS_MAX: Final = 12  # cycles in which an owner is looked for in a step; five minutes have orders


def killed_before(scene: Scene) -> str:
    """Kill the owner just before a boundary."""
    owner, boundary_ns, cycle = _aim(scene)
    wait_instant(boundary_ns - BEFORE_NS)
    return _followed(scene, owner, f"{BEFORE_NS // MS} ms before boundary {cycle}")


def killed_begun(scene: Scene) -> str:
    """Kill the owner in a cycle that has begun and is not decided."""
    owner, record = _met(scene, _stopped_begun)
    return _followed(scene, owner, f"in cycle {record.progress.cycle + 1}, not decided")


def killed_decided(scene: Scene) -> str:
    """Kill the owner between the two commits of a cycle, with orders on their way if it has any."""
    owner, record = _met(scene, _stopped_decided)
    pending = _pending(record)
    where = f"in cycle {record.progress.cycle}, decided, {pending} orders not final"
    return _followed(scene, owner, where)


def stopped(scene: Scene) -> str:
    """Stop the owner over a boundary until somebody else owns; then let it go on."""
    owner, boundary_ns, cycle = _aim(scene)
    process = process_of(owner)
    wait_instant(boundary_ns - STOP_NS)
    scene.stop(process)
    standby = scene.wait_other_owner(owner)
    seized_s = (now_ns() - boundary_ns) / 1e9
    was_there = scene.go_on(process)
    scene.instance.wait_gone(process, scene.limit_s)
    waking = "continued, it left" if was_there else "nobody there to continue"
    return f"{standby.worker} seized {seized_s:.2f} s after boundary {cycle}, killed it; {waking}"


def _aim(scene: Scene) -> tuple[WorkerId, int, int]:
    """Return the owner, and the next boundary that can be aimed at, with its cycle."""
    schedule = scene.instance.schedule
    cycle = schedule.cycle_at(now_ns() + AHEAD_NS) + 1
    return scene.instance.owner(), schedule.boundary_ns(cycle), cycle


def _followed(scene: Scene, owner: WorkerId, where: str) -> str:
    """Kill the owner now; wait for who follows; return what was seen."""
    killed_s = time.monotonic()
    scene.instance.kill(process_of(owner))
    standby = scene.wait_other_owner(owner)
    seized_s = time.monotonic() - killed_s
    same = standby.release == owner.release
    require(f"{standby.release} follows {owner.release}", holds=same)
    require("the killed owner lives", holds=proven_dead(process_of(owner)))
    return f"killed {where}; {standby.worker} seized {seized_s:.2f} s later"


def _met(scene: Scene, look: Callable[[Scene, int], Record | None]) -> tuple[WorkerId, Record]:
    """Stop the owner in a step of a cycle; return it, and the record as it stopped.

    Raises:
        CourseLeft: It was not met there in any of some cycles.
    """
    looks = (look(scene, number) for number in range(AIMS_MAX))
    record = next((each for each in looks if each is not None), None)
    if record is None or record.ownership.owner is None:
        what = f"in {AIMS_MAX} cycles the owner was never met in this step"
        raise CourseLeft(what)
    return record.ownership.owner, record


def _stopped_begun(scene: Scene, _number: int) -> Record | None:
    owner, boundary_ns, cycle = _aim(scene)
    wait_instant(boundary_ns + BEGUN_NS)
    return _stopped(scene, owner, lambda record: record.progress.cycle < cycle)


def _stopped_decided(scene: Scene, number: int) -> Record | None:
    """Stop the owner once it has decided; without orders only when cycles run out."""
    instance = scene.instance
    owner, boundary_ns, cycle = _aim(scene)
    wait_instant(boundary_ns)
    deadline_ns = boundary_ns + instance.schedule.bounds.budget_ns
    while now_ns() < deadline_ns:
        record = instance.record()
        if record.progress.cycle < cycle:
            continue
        if record.progress.phase is Phase.SETTLED:
            return None
        if _pending(record) or number >= AIMS_MAX // 2:
            return _stopped(scene, owner, lambda seen: seen.progress.phase is Phase.DECIDED)
        return None
    return None


def _stopped(scene: Scene, owner: WorkerId, is_met: Callable[[Record], bool]) -> Record | None:
    """Stop the owner; let it go on at once, and return None, if it is in another step by now."""
    process = process_of(owner)
    scene.stop(process)
    wait_instant(now_ns() + STOPPED_NS)
    record = scene.instance.record()
    if is_met(record):
        return record
    scene.go_on(process)
    return None


def _pending(record: Record) -> int:
    return sum(effect.cycle == record.progress.cycle for effect in record.outbox)
