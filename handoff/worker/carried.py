"""The effects of earlier cycles whose outcome is unknown: one more try a cycle, in its own time.

Owns the share of a cycle that they get. They come after the cycle's own effects, and what finds no
time waits for the next cycle: nothing waits for them. A lane keeps its order within a cycle only.
What an answer allows, and when nobody goes on asking, is `state.absence`'.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

from handoff.limits import LANES_MAX, NS
from handoff.workload import Absent, receipt
from state.absence import Next, is_repeated, when_absent
from state.record import Delivery, Effect, Fate, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handoff.worker.requests import Requests, Verdict


class CarriedEffects:
    """One pass over the doubtful effects of earlier cycles.

    Args:
        requests: Who sends and asks.
        limit_s: After so many seconds no try is under way any more.
        may_send: False while halted: outcomes are asked for, nothing is sent.
        at_once: So many are tried at one time.

    Attributes:
        tried: Ids of those that had their turn.
    """

    def __init__(
        self, requests: Requests, *, limit_s: float, may_send: bool, at_once: int = LANES_MAX
    ) -> None:
        """Keep the bounds; the time runs from now on."""
        self._requests = requests
        self._deadline_ns = requests.monotonic_ns() + round(limit_s * NS)
        self._may_send = may_send
        self._at_once = at_once
        self._verdicts: dict[str, Verdict] = {}
        self.tried: list[str] = []

    async def run(self, effects: Sequence[Effect]) -> dict[str, Verdict]:
        """Return for each effect id a receipt or `Fate.DOUBTFUL`, those in front tried first."""
        self._verdicts = {effect.effect_id: Fate.DOUBTFUL for effect in effects}
        waiting = iter(effects)
        await asyncio.gather(*(self._try_in_turn(waiting) for _ in range(self._at_once)))
        return self._verdicts

    def next_at_once(self) -> int:
        """Return how many to try at one time in the next pass.

        They share the outside world and this process: tried together, all may run out of time
        together, in each cycle again, where a few of them would have had their answers.
        """
        if self._seconds_left() > 0:
            return min(LANES_MAX, 2 * self._at_once)
        if any(isinstance(verdict, Receipt) for verdict in self._verdicts.values()):
            return min(LANES_MAX, 1 + self._at_once)
        return max(1, self._at_once // 2) if self.tried else self._at_once

    async def _try_in_turn(self, waiting: Iterator[Effect]) -> None:
        for effect in waiting:
            if self._seconds_left() <= 0:
                return
            self.tried.append(effect.effect_id)
            # What an effect comes after may have ended in this pass; until then it is not sent.
            blocked = self._verdicts.get(effect.after) is Fate.DOUBTFUL
            self._verdicts[effect.effect_id] = await self._try(effect, blocked=blocked)

    async def _try(self, effect: Effect, *, blocked: bool) -> Verdict:
        may_send = self._may_send and not blocked and not self._requests.is_expired(effect)
        if is_repeated(effect):
            return await self._send(effect) if may_send else Fate.DOUBTFUL
        if effect.delivery is Delivery.BY_ID:
            return await self._ask(effect, may_send=may_send)
        return Fate.DOUBTFUL  # it cannot be asked about: its cycle's settling ends it

    async def _ask(self, effect: Effect, *, may_send: bool) -> Verdict:
        answer = await self._requests.ask(effect, self._seconds_left())
        if not isinstance(answer, Absent):
            return answer if isinstance(answer, Receipt) else Fate.DOUBTFUL
        behind = self._requests.absence(effect, answer)
        match when_absent(effect, behind, may_send=may_send):
            case Next.SEND:
                return await self._send(effect)
            case Next.WRITE_OFF:
                return receipt(effect, Outcome.EXPIRED, reason="proven never executed")
            case Next.ASK_AGAIN:
                return Fate.DOUBTFUL
            case following:
                assert_never(following)

    async def _send(self, effect: Effect) -> Verdict:
        answer = await self._requests.send(effect, self._seconds_left())
        return answer if isinstance(answer, Receipt) else Fate.DOUBTFUL

    def _seconds_left(self) -> float:
        return (self._deadline_ns - self._requests.monotonic_ns()) / NS
