"""Getting warm: the gates that only a release's own code can answer, in their order.

Owns which of them a candidate and a standby are asked, and what bad weather means before a worker
is warm. A candidate is refused whatever the reason: its owner goes on. A standby may be the only
worker there is, so bad weather makes it wait and try again, for as long as a launcher lets it, and
what it leaves for then is not held against its release.
"""

from __future__ import annotations

import enum
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, Generic

from handoff.gate_verdict import to_message
from handoff.limits import NS, WEATHER_PAUSE_S, WEATHER_S_MAX
from handoff.log_events import LogEvent
from handoff.wire import Kind
from handoff.worker import gates
from handoff.worker.fallback import as_owned_by
from handoff.worker.follower import Follower
from handoff.worker.gates import Examined
from handoff.worker.observe_gate import ObserveGate
from handoff.worker.shadow import Shadow
from handoff.workload import BodyT, InputsT
from state.hosts_seen import Role
from state.planned_stop import ASKED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from handoff.wish import Wish
    from handoff.worker.follower import Follower
    from handoff.worker.ports import Parts
    from state.record import Record

GETTING_WARM: Final = "it is getting warm"


class Cold(enum.Enum):
    """Why a worker does not get warm; each has the name of why it leaves then."""

    DRAINED = "it was asked to leave"
    REFUSED = "a gate refused it"
    OUTSIDE = "the outside world keeps it from getting warm"


class Warming(Generic[BodyT, InputsT]):
    """Asks the gates of one worker.

    Args:
        parts: The world it lives in.
        follower: Says whose candidate it is, and whether its release is a known one.
        wish: What is wished of a candidate beyond the gates that every worker passes.
        leaving: Tells whether the worker was asked to leave.

    Attributes:
        reason: What keeps it from getting warm, or an empty string.
    """

    def __init__(
        self,
        parts: Parts[BodyT, InputsT],
        follower: Follower[BodyT, InputsT],
        wish: Wish,
        leaving: Callable[[], bool],
    ) -> None:
        """Start cold."""
        self._parts = parts
        self._follower = follower
        self._wish = wish
        self._leaving = leaving
        self.reason = ""

    async def run(self) -> Cold | None:
        """Return None once the worker is warm, otherwise why it never will be."""
        parts, is_standby = self._parts, not self._follower.deploy_id
        parts.footing.stand(Role.NOT_STANDBY, GETTING_WARM)
        begun_ns = parts.clock.monotonic_ns()
        for pause_s in chain(WEATHER_PAUSE_S, repeat(WEATHER_PAUSE_S[-1])):
            left_s = WEATHER_S_MAX - (parts.clock.monotonic_ns() - begun_ns) / NS
            refused = await self._pass_gates(left_s if is_standby else None)
            if refused is None:
                self.reason = ""
                return None
            if not (is_standby and refused.is_weather):
                return Cold.REFUSED
            parts.footing.stand(Role.NOT_STANDBY, self.reason)
            if left_s <= pause_s:
                break
            await parts.clock.pause(pause_s)
            if self._leaving():
                self.reason = ASKED
                return Cold.DRAINED
        return Cold.OUTSIDE

    async def _pass_gates(self, limit_s: float | None) -> Examined | None:
        """Return what refuses this worker, or None once it is warm.

        Args:
            limit_s: Each gate of a standby takes no longer than that.
        """
        parts, deploy_id = self._parts, self._follower.deploy_id
        record = as_owned_by(parts.me, parts.store.read())
        async for examined in self._verdicts(record, limit_s):
            verdict = examined.verdict
            parts.channel.tell(Kind.GATE, deploy=deploy_id, **to_message(verdict))
            if not verdict.allows:
                self.reason = f"{verdict.name}: {verdict.reason}"
                parts.log.write(LogEvent.GATE_FAILED, gate=verdict.name, reason=verdict.reason)
                return examined
        parts.footing.get_ready()
        parts.log.write(LogEvent.WORKER_WARM)
        parts.channel.tell(Kind.READY, deploy=deploy_id)
        return None

    async def _verdicts(self, record: Record, limit_s: float | None) -> AsyncIterator[Examined]:
        parts, is_candidate = self._parts, bool(self._follower.deploy_id)
        way_back = is_candidate and not self._wish.irreversible
        numbers = gates.cadence(parts.schedule, record, parts.newest_numbered)
        if is_candidate or not numbers.allows:
            # A standby is of a release that numbered the cycles itself; it is told only if not.
            yield Examined(numbers)
            if not numbers.allows:
                return
        async for examined in gates.examine(
            parts.workload, record, parts.clock, way_back=way_back, limit_s=limit_s
        ):
            yield examined
        if self._wish.shadow:
            yield Examined(await Shadow(parts, self._wish).run(self._leaving))
        if is_candidate and not self._follower.is_known(parts.store.read()):
            # Neither a restart nor a way back: an outage cannot keep those from owning.
            yield Examined(await ObserveGate(parts).run(self._leaving))
