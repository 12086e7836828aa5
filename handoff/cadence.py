"""Cycle numbers and boundaries: integer arithmetic on nanoseconds, UTC, nothing else.

Owns the mapping between wall-clock time, the application's time (the same, or faster by
a whole factor) and cycle numbers, and the catch-up rule. It never reads a clock: the
cycle number is the one that was waited for, never derived from the time of waking.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from handoff.limits import NS, SHARED_LATE_NS, Bounds, bounds_for
from state.record import Cadence as Numbering

BUDGET_PART: Final = 0.75  # of a period: leaves room for two commits and a handoff

if TYPE_CHECKING:
    from state.record import Timeline


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """How often an application decides.

    Attributes:
        period_ns: Length of a cycle in application time; at least 0.5 s of wall-clock
            time once divided by the timeline's speed.
        offset_ns: Application time of a boundary, modulo the period.
        budget_ns: Longest time a healthy cycle needs between two commits, wall-clock;
            None means half a period, 10 s at most.
        catch_up_ns: A cycle whose boundary is further in the past than this, in
            application time, is missed; None means that every cycle is run.
    """

    period_ns: int
    offset_ns: int = 0
    budget_ns: int | None = None
    catch_up_ns: int | None = None


def every(
    seconds: float, *, budget_s: float | None = None, catch_up_s: float | None = None
) -> Cadence:
    """Return a cadence of so many seconds, aligned to UTC.

    Args:
        seconds: The period.
        budget_s: Longest time that a healthy cycle needs to observe, or to decide; by default
            half a period, 10 s at most.
        catch_up_s: A cycle whose boundary is further back than this is missed; by default every
            cycle is run, however late.
    """
    return Cadence(
        period_ns=round(seconds * NS),
        budget_ns=None if budget_s is None else round(budget_s * NS),
        catch_up_ns=None if catch_up_s is None else round(catch_up_s * NS),
    )


def app_time_ns(timeline: Timeline, wall_ns: int) -> int:
    """Return the application's time at a wall-clock instant."""
    return timeline.origin_ns + (wall_ns - timeline.origin_ns) * timeline.speed


def wall_time_ns(timeline: Timeline, app_ns: int) -> int:
    """Return the first wall-clock nanosecond at which application time is reached."""
    return timeline.origin_ns + -((timeline.origin_ns - app_ns) // timeline.speed)


class Schedule:
    """A cadence on a timeline: boundaries in wall-clock time.

    Attributes:
        bounds: The engine's bounds for this period, wall-clock nanoseconds.
    """

    def __init__(self, cadence: Cadence, timeline: Timeline, *, is_shared: bool = False) -> None:
        """Derive the bounds; they are wider where several hosts share the record.

        Raises:
            ValueError: The period or the budget leaves no room for a handoff.
        """
        self.cadence = cadence
        self.timeline = timeline
        self._is_shared = is_shared
        self.bounds: Bounds = bounds_for(
            cadence.period_ns // timeline.speed, cadence.budget_ns, is_shared=is_shared
        )

    def recorded(self) -> Numbering:
        """Return what a record says of the moments that its cycle numbers mean."""
        period_ns, offset_ns = self.cadence.period_ns, self.cadence.offset_ns
        return Numbering(period_ns=period_ns, offset_ns=offset_ns)

    def cycle_at(self, wall_ns: int) -> int:
        """Return the number of the cycle that contains a wall-clock instant."""
        app_ns = app_time_ns(self.timeline, wall_ns)
        return (app_ns - self.cadence.offset_ns) // self.cadence.period_ns

    def app_boundary_ns(self, cycle: int) -> int:
        """Return the application time at which a cycle begins."""
        return cycle * self.cadence.period_ns + self.cadence.offset_ns

    def boundary_ns(self, cycle: int) -> int:
        """Return the wall-clock instant at which a cycle begins."""
        return wall_time_ns(self.timeline, self.app_boundary_ns(cycle))

    def take_deadline_ns(self, cycle: int) -> int:
        """Return the last moment, exclusive, to take ownership of a cycle in time."""
        return self.boundary_ns(cycle) - self.bounds.take_margin_ns

    @property
    def told_overdue_ns(self) -> int:
        """How long a launcher gives an owner: with an etcd, until it can say that it is away."""
        return self.bounds.overdue_ns + (SHARED_LATE_NS if self._is_shared else 0)

    def overdue_at_ns(self, cycle: int) -> int:
        """Return the instant from which a cycle that nobody decided is overdue."""
        return self.boundary_ns(cycle) + self.bounds.overdue_ns

    def overdue_from_ns(self, cycle: int, now_ns: int) -> int:
        """Return when an owner that got here now is overdue with a cycle.

        It has the whole limit, also where it came late or catches up.
        """
        return max(self.boundary_ns(cycle), now_ns) + self.told_overdue_ns

    def budget_remedy(self) -> str:
        """Return what a release writes whose cycles need longer than their budget."""
        period_s = self.cadence.period_ns / NS
        longer_ns = self.bounds.period_ns * BUDGET_PART
        if longer_ns <= self.bounds.budget_ns:
            return f"a longer period than {period_s:g} s, or less work in it"
        return f"every({period_s:g}, budget_s={longer_ns / NS:g})"

    def too_old(self, cycle: int, now_ns: int) -> bool:
        """Tell whether the catch-up policy gives a cycle up."""
        limit = self.cadence.catch_up_ns
        if limit is None:
            return False
        return app_time_ns(self.timeline, now_ns) - self.app_boundary_ns(cycle) > limit


def seed_of(app: str, timeline: Timeline, cycle: int) -> int:
    """Return the 64-bit seed of a cycle: the only randomness a decision may use."""
    text = f"{app}:{timeline.origin_ns}:{timeline.speed}:{cycle}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
