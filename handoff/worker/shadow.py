"""A candidate that decides live cycles beside the owner, effects off.

Owns the pairing of a record with the line of the cycle that was decided on it, and the bound
on waiting. Nothing is observed a second time, nothing is committed, nothing is performed:
the recorded inputs are decided again, once the owner has committed its own decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from handoff.gate_verdict import GateName, GateVerdict, failed, passed
from handoff.limits import FOLLOW_POLL_S, NS, READY_TIMEOUT_S, SHADOW_S_MAX
from handoff.replay.comparison import (
    Comparison,
    count,
    recorded_of,
    refusal_of,
    replay_cycle,
    words_of,
)
from handoff.workload import BodyT, InputsT
from state.record import Phase, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handoff.wish import Wish
    from handoff.worker.ports import Parts
    from state.journal_frames import Line

_PERIODS: float = 2.0  # as long as a cycle may be waited for, in periods


class Shadow(Generic[BodyT, InputsT]):
    """Decides the owner's cycles again as they come.

    Args:
        parts: The world it lives in; it must be able to read the journal's newest lines.
        wish: How many cycles, and how far they may differ.
    """

    def __init__(self, parts: Parts[BodyT, InputsT], wish: Wish) -> None:
        """Start without having seen anything."""
        self._parts = parts
        self._wish = wish
        self._found = Comparison()
        self._before: tuple[Record, str] | None = None  # settled, and its digest

    async def run(self, leaving: Callable[[], bool]) -> GateVerdict:
        """Decide as many cycles as were asked for; return the gate's verdict.

        Args:
            leaving: Tells whether the worker was asked to leave.
        """
        parts, token = self._parts, None
        begun_ns = parts.clock.monotonic_ns()
        while self._seen() < self._wish.shadow:
            if leaving():
                return self._verdict("it was asked to leave", begun_ns)
            if parts.clock.monotonic_ns() - begun_ns > self._limit_s() * NS:
                reason = f"only {self._seen()} of {self._wish.shadow} cycles came"
                return self._verdict(f"{reason} within {self._limit_s():.0f} s", begun_ns)
            newest = parts.store.token()
            if newest != token:
                token = newest
                self._look()
            await parts.clock.pause(FOLLOW_POLL_S)
        return self._verdict(refusal_of(self._found, differ_max=self._wish.differ_max), begun_ns)

    def _seen(self) -> int:
        return self._found.cycles + self._found.incomparable

    def _look(self) -> None:
        """Look at a record that changed: decide its cycle again, or keep it for the next one."""
        parts = self._parts
        record, lines = parts.store.read(), parts.newest_lines()
        if self._before is not None:
            before, digest = self._before
            line = _decided_on(digest, lines)
            if line is not None and line.cycle <= record.progress.cycle:
                recorded = recorded_of(before, line, parts.schedule)
                again = replay_cycle(parts.workload, recorded)
                self._found = count(self._found, recorded, again)
        # Only the line of the very write that made this record says what its digest is.
        mine = [line.result for line in lines if line.attempt == record.attempt]
        settled = record.progress.phase is Phase.SETTLED and mine
        self._before = (record, mine[-1]) if settled else None

    def _limit_s(self) -> float:
        period_s = self._parts.schedule.bounds.period_ns / NS
        return min(SHADOW_S_MAX, self._wish.shadow * period_s * _PERIODS + READY_TIMEOUT_S / 2)

    def _verdict(self, refusal: str, begun_ns: int) -> GateVerdict:
        seconds = (self._parts.clock.monotonic_ns() - begun_ns) / NS
        if refusal:
            return failed(GateName.SHADOW, refusal, seconds=seconds)
        return passed(GateName.SHADOW, words_of(self._found), seconds=seconds)


def _decided_on(digest: str, lines: Sequence[Line]) -> Line | None:
    decided = (line for line in lines if line.kind == "decide" and line.parent == digest)
    return next(decided, None)
