"""Doing what a decision planned, and finding out what became of it.

Owns what was found out until it is in the record: an unknown outcome is asked about, never
repeated blindly, and what has its turn goes on in a later cycle. One attempt is in `requests`, the
order of a cycle's effects in `lanes`, those of earlier cycles in `carried`. Who may perform at all
was settled by the commit that planned it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from handoff.limits import LANES_MAX
from handoff.worker.carried import CarriedEffects
from handoff.worker.lanes import OwnEffects
from handoff.worker.requests import Outside, Requests, Verdict
from state.absence import ends_unknown
from state.record import Effect, Fate, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from handoff.logs import Log
    from handoff.worker.footing import Footing
    from handoff.worker.ports import Clock


class Performer:
    """Performs and resolves effects for one worker and one epoch; made as `Requests` are."""

    def __init__(
        self,
        workload: Outside,
        clock: Clock,
        log: Log,
        footing: Footing | None = None,
        epoch: int = 0,
    ) -> None:
        """Keep the parts and the moment."""
        self._clock = clock
        self._requests = Requests(workload, clock, log, footing, epoch)
        self._found: dict[str, Verdict] = {}
        self._turns: dict[str, int] = {}  # carried effects, by when each had its last turn
        self._at_once = LANES_MAX  # of the carried ones: fewer where all ran out of time together

    def fault(self) -> str:
        """Return what the release itself did wrong since the last call, or an empty string."""
        return self._requests.fault()

    async def settle_all(
        self,
        outbox: Sequence[Effect],
        *,
        fresh: bool,
        limit_s: float,
        may_send: bool,
        carried: Collection[str] = (),
    ) -> dict[str, Verdict]:
        """Bring every effect of the cycle in hand to a fate.

        What was found out before counts until `settled` says that it is in the record: a
        settle that could not be written is tried again, its effects are not.

        Args:
            outbox: Planned and doubtful effects of one cycle.
            fresh: This worker planned the planned ones itself and nobody has sent them.
            limit_s: After so many seconds, what is not known becomes doubtful.
            may_send: False while halted: outcomes are asked for, nothing is sent.
            carried: Ids of doubtful effects of earlier cycles: nothing goes after one of them.

        Returns:
            For each effect id a receipt or `Fate.DOUBTFUL`.
        """
        own = OwnEffects(
            self._requests, fresh=fresh, limit_s=limit_s, may_send=may_send, carried=carried
        )
        self._found |= await own.run(list(self._unfinished(outbox)))
        return {effect.effect_id: self._found[effect.effect_id] for effect in outbox}

    async def ask_carried(
        self,
        outbox: Sequence[Effect],
        *,
        cycle: int,
        limit_s: float,
        may_send: bool,
        planned_ns: Callable[[int], int],
    ) -> dict[str, Verdict]:
        """Try once more for effects of earlier cycles, as far as time goes.

        Args:
            outbox: Doubtful effects of earlier cycles.
            cycle: The cycle in hand.
            limit_s: After so many seconds the rest waits for the next cycle; with 0 nothing is
                sent or asked, and only what was carried long enough ends.
            may_send: False while halted.
            planned_ns: Returns the boundary of a cycle, wall-clock nanoseconds UTC.

        Returns:
            For each effect id a receipt or `Fate.DOUBTFUL`.
        """
        left = [effect for effect in outbox if effect.effect_id not in self._found]
        carried = CarriedEffects(
            self._requests, limit_s=limit_s, may_send=may_send, at_once=self._at_once
        )
        self._found |= await carried.run(self._longest_untried(left))
        self._at_once = carried.next_at_once()
        turn = 1 + max(self._turns.values(), default=0)
        self._turns |= dict.fromkeys(carried.tried, turn)
        self._end_carried(left, cycle=cycle, planned_ns=planned_ns)
        return {effect.effect_id: self._found[effect.effect_id] for effect in outbox}

    def settled(self) -> None:
        """Forget what was found out: the record has it now."""
        for effect_id, verdict in self._found.items():
            if isinstance(verdict, Receipt):
                self._requests.settled(effect_id)
        self._found = {}

    def _unfinished(self, outbox: Sequence[Effect]) -> Iterator[Effect]:
        for effect in outbox:
            found = self._found.get(effect.effect_id)
            if found is None:
                yield effect
            elif found is Fate.DOUBTFUL:
                yield msgspec.structs.replace(effect, fate=Fate.DOUBTFUL)

    def _longest_untried(self, effects: Sequence[Effect]) -> list[Effect]:
        """Put first what was tried longest ago: where time is short, everybody has a turn."""
        self._turns = {each.effect_id: self._turns.get(each.effect_id, 0) for each in effects}
        return sorted(effects, key=lambda effect: self._turns[effect.effect_id])

    def _end_carried(
        self, effects: Sequence[Effect], *, cycle: int, planned_ns: Callable[[int], int]
    ) -> None:
        """Give up what was carried long enough and has no answer."""
        now_ns = self._clock.now_ns()
        for effect in effects:
            since_ns = planned_ns(effect.cycle)
            if isinstance(self._found[effect.effect_id], Receipt) or not ends_unknown(
                effect, planned_ns=since_ns, now_ns=now_ns, cycle=cycle
            ):
                continue
            reason = f"carried since cycle {effect.cycle} without an answer"
            self._found[effect.effect_id] = self._requests.ended(effect, reason)
