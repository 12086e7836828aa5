"""The way back as a control group: does it get more of the world than the release that bakes?

Owns when the previous release observes beside the owner of a bake, and the words of the blame.
Record and journal tell it everything, so that it works under a launcher of any age. It blames only
what it was seen to do better, twice running, for the same cycles and within the same budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from handoff.worker.beside import Beside
from handoff.worker.glance import (
    BLAMED_CYCLES,
    Glance,
    baseline,
    decided,
    is_low,
    is_more,
    newest_evidence,
    words_of,
)
from handoff.workload import BodyT, InputsT
from state.record import Phase, Record

if TYPE_CHECKING:
    from handoff.worker.ports import Parts
    from state.heard import Heard

_RATE = 2  # observations a period at most: an owner that catches up has many cycles in one


class ControlGroup(Generic[BodyT, InputsT]):
    """What one worker of the previous release sees of a bake.

    Args:
        parts: The world it lives in.
    """

    def __init__(self, parts: Parts[BodyT, InputsT]) -> None:
        """Start without having seen anything."""
        self._parts = parts
        self._beside = Beside(parts)
        self._deploy_id = ""
        self._usual: float | None = None
        self._looked_at: object = None  # the settled record that was looked at last
        self._begun_ns: int | None = None
        self._pending: Glance | None = None  # it waits for the owner's line of the same cycle
        self._blamed = 0  # cycles running

    reason: str = ""

    def look(self, record: Record, mine: Record) -> None:
        """Look at the newest record; observe the next cycle, or hold one against the owner's.

        Args:
            record: The record of a bake that may return to this worker's release.
            mine: The same as this worker would find it as its owner.
        """
        assert record.rollout is not None, "only a bake has a control group"
        if self._deploy_id != record.rollout.deploy_id:
            self._begin(record.rollout.deploy_id)
        self._compare(record)
        seen = (record.ownership.epoch, record.progress)
        if record.progress.phase is not Phase.SETTLED or seen == self._looked_at or self.reason:
            return
        self._looked_at = seen
        if not self._is_busy() and self._is_suspicious(record):
            self._begun_ns = self._parts.clock.monotonic_ns()
            self._beside.begin(mine)

    def stop(self) -> None:
        """Forget everything: there is no bake, or this worker owns."""
        if self._deploy_id:
            self._begin("")

    def _begin(self, deploy_id: str) -> None:
        self._beside.stop()
        parts = self._parts
        self._deploy_id, self.reason = deploy_id, ""
        self._looked_at = self._begun_ns = self._pending = None
        self._blamed = 0
        self._usual = baseline(parts.heard(), parts.me.release) if deploy_id else None

    def _is_busy(self) -> bool:
        if self._beside.is_under_way() or self._pending is not None:
            return True
        if self._begun_ns is None:
            return False
        since_ns = self._parts.clock.monotonic_ns() - self._begun_ns
        return since_ns * _RATE < self._parts.schedule.bounds.period_ns

    def _is_suspicious(self, record: Record) -> bool:
        """Tell whether the owner's newest cycle got less than this release used to get."""
        line = newest_evidence(self._parts.heard(), record.ownership.release)
        if line is None or line.unavailable:
            return line is not None
        drop = self._parts.settings.health_drop
        assert line.health is not None, "it was asked for"
        return self._usual is not None and is_low(line.health, self._usual, drop)

    def _compare(self, record: Record) -> None:
        if self._pending is None:
            self._pending = self._beside.result()
        if self._pending is None or record.progress.cycle < self._pending.cycle:
            return
        mine, self._pending = self._pending, None
        line = decided(self._parts.heard(), mine.cycle)
        if line is not None and line.health is not None and mine.is_evidence:
            self._count(mine, line)

    def _count(self, mine: Glance, line: Heard) -> None:
        assert line.health is not None, "looked at by the caller"
        drop = self._parts.settings.health_drop
        if mine.health is None or not is_more(mine.health, line.health, drop):
            self._blamed = 0
            return
        self._blamed += 1
        if self._blamed >= BLAMED_CYCLES:
            why = f": {line.unavailable}" if line.unavailable else ""
            self.reason = (
                f"{line.release} sees less than {self._parts.me.release}, {self._blamed} cycles "
                f"running: in cycle {mine.cycle} {words_of(line.health)} against "
                f"{words_of(mine.health)}{why}"
            )
