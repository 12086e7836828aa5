"""What an owner tells the launcher of its cycles: what settled, and when the next one is overdue.

Owns the words and when they were last said. What is overdue is `cadence`'s, what a launcher makes
of it `supervision`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from handoff.believed_clock import due_members
from handoff.limits import ELSEWHERE_EVERY_NS, MS
from handoff.wire import Kind
from handoff.workload import BodyT, InputsT

if TYPE_CHECKING:
    from handoff.worker.ports import Parts
    from state.record import Record, WorkerId


class Told(Generic[BodyT, InputsT]):
    """Tells the launcher.

    Args:
        parts: The world it lives in.
    """

    def __init__(self, parts: Parts[BodyT, InputsT]) -> None:
        """Start without having said anything."""
        self._parts = parts
        self._said_ns = 0  # boot time at which the launcher was told last
        self._elsewhere_ns: int | None = None  # when it was told last that another host owns

    def settled(self, record: Record, started_ns: int) -> None:
        """Say that a cycle settled, and when the next one is overdue."""
        parts, cycle, rollout = self._parts, record.progress.cycle, record.rollout
        self._said_ns = parts.clock.boot_ns()
        parts.channel.tell(
            Kind.SETTLED,
            cycle=cycle,
            epoch=record.ownership.epoch,
            release=parts.me.release,
            late_ms=round((started_ns - parts.schedule.boundary_ns(cycle)) / MS, 3),
            **self._members(cycle + 1),
            clean_cycles=rollout.clean_cycles if rollout else 0,
            of=rollout.of if rollout else 0,
            deploy=rollout.deploy_id if rollout else "",
        )

    def due(self, cycle: int, *, every_ns: int = 0) -> None:
        """Say anew when the next cycle is overdue, unless that was just said."""
        now_ns = self._parts.clock.boot_ns()
        if now_ns >= self._said_ns + every_ns:
            self._said_ns = now_ns
            self._parts.channel.tell(Kind.DUE, cycle=cycle, **self._members(cycle))

    def due_if_moved(self, cycle: int) -> None:
        """Say it anew if the clock was set since it was said."""
        if (self._parts.clock.belief().moved_ns or 0) > self._said_ns:
            self.due(cycle)

    def elsewhere(self, record: Record) -> None:
        """Say from time to time that a worker of another host owns, as long as one does.

        A launcher hears owners of its own host alone: without this word, nobody owns for it.
        """
        parts, owner = self._parts, record.ownership.owner
        if owner is None or not parts.footing.is_shared or _is_beside(owner, parts.me):
            self._elsewhere_ns = None
            return
        now_ns = parts.clock.boot_ns()
        if self._elsewhere_ns is None or now_ns - self._elsewhere_ns >= ELSEWHERE_EVERY_NS:
            self._elsewhere_ns = now_ns
            parts.channel.tell(Kind.ELSEWHERE, worker=owner.worker)

    def due_from_now(self) -> dict[str, int]:
        """Return when an owner is overdue that has all of its limit from now on."""
        clock, schedule = self._parts.clock, self._parts.schedule
        return due_members(clock.belief(), clock.now_ns() + schedule.told_overdue_ns)

    def _members(self, cycle: int) -> dict[str, int]:
        clock, schedule = self._parts.clock, self._parts.schedule
        return due_members(clock.belief(), schedule.overdue_from_ns(cycle, clock.now_ns()))


def _is_beside(worker: WorkerId, me: WorkerId) -> bool:
    """Tell whether a worker is one of this host, as it runs now."""
    return (worker.boot_id, worker.pid_namespace) == (me.boot_id, me.pid_namespace)
