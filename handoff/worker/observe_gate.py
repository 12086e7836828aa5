"""The gate `observe`: a candidate gets as much of the world as its owner does, beside it.

Owns the pairing of what the candidate got of a cycle with what the owner got of the same one, and
the bound on waiting. Nothing is committed and nothing is performed; the last gate before ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from handoff.gate_verdict import GateName, GateVerdict, failed, passed, skipped
from handoff.limits import FOLLOW_POLL_S, NS, OBSERVE_PERIODS, OBSERVE_S_MAX
from handoff.worker.beside import Beside
from handoff.worker.glance import Glance, Judged, Try, baseline, decided, judge
from handoff.workload import BodyT, InputsT
from state.record import Phase, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.worker.ports import Parts

_GRACE_S: float = 5.0  # above the periods: a loaded machine, an owner that is a little late


class ObserveGate(Generic[BodyT, InputsT]):
    """Observes the owner's cycles as they come.

    Args:
        parts: The world it lives in.
    """

    def __init__(self, parts: Parts[BodyT, InputsT]) -> None:
        """Start without a try."""
        self._parts = parts
        self._beside = Beside(parts)
        self._pending: Glance | None = None  # it waits for the owner's line of the same cycle
        self._tries: list[Try] = []
        self._cycles = 0  # observed, also where that was no evidence

    async def run(self, leaving: Callable[[], bool]) -> GateVerdict:
        """Observe until one try speaks for the candidate, or all of them against it.

        Args:
            leaving: Tells whether the worker was asked to leave.
        """
        parts = self._parts
        if not parts.workload.observe_twice:
            return skipped(GateName.OBSERVE, "its inputs are used up by reading (observe_twice)")
        begun_ns = parts.clock.monotonic_ns()
        owning = parts.store.read().ownership.release
        usual = baseline(parts.heard(), owning) if owning else None
        drop = parts.settings.health_drop
        try:
            judged: Judged | None = None
            while judged is None:
                if leaving():
                    judged = Judged(passed=False, words="it was asked to leave")
                    break
                self._look(parts.store.read())
                late = parts.clock.monotonic_ns() - begun_ns > self._limit_s() * NS
                over = self._cycles >= OBSERVE_PERIODS and not self._is_busy()
                judged = judge(self._tries, usual, drop=drop, last=late or over)
                if judged is None:
                    await parts.clock.pause(FOLLOW_POLL_S)
        finally:
            self._beside.stop()
        seconds = (parts.clock.monotonic_ns() - begun_ns) / NS
        if judged.passed:
            return passed(GateName.OBSERVE, judged.words, seconds=seconds)
        return failed(GateName.OBSERVE, judged.words, seconds=seconds)

    def _limit_s(self) -> float:
        period_s = self._parts.schedule.bounds.period_ns / NS
        return min(OBSERVE_S_MAX, OBSERVE_PERIODS * period_s + _GRACE_S)

    def _is_busy(self) -> bool:
        return self._beside.is_under_way() or self._pending is not None

    def _look(self, record: Record) -> None:
        """Take what the observation got, hold it against the owner's line, begin the next one."""
        if self._pending is None:
            self._pending = self._beside.result()
        if self._pending is not None:
            self._pair(record, self._pending)
        if self._is_busy() or record.progress.phase is not Phase.SETTLED:
            return
        unowned = record.ownership.owner is None  # nobody decides: compared with nothing
        if unowned or record.progress.cycle + 1 != self._beside.cycle:
            self._cycles += 1
            self._beside.begin(record)

    def _pair(self, record: Record, mine: Glance) -> None:
        unowned = record.ownership.owner is None
        if not mine.is_evidence:
            self._pending = None
        elif record.progress.cycle >= mine.cycle:
            self._pending = None
            line = decided(self._parts.heard(), mine.cycle)
            if line is not None or mine.fault:
                self._tries.append(Try(mine, None if line is None else line.health))
        elif unowned:
            self._pending = None
            self._tries.append(Try(mine, None))
