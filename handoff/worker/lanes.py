"""The effects of the cycle in hand: in which order they go, and until when each is pursued.

Owns lanes, `after`, and the bounds of a cycle's own effects. One attempt and one question are
`requests`'; what an answer allows is `state.absence`'.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

from handoff.limits import LANES_MAX, NS, RESOLVE_ATTEMPTS_MAX, RESOLVE_PAUSE_S
from handoff.worker.requests import NotSent
from handoff.workload import Absent, Pending, Unknown, receipt
from state.absence import Next, when_absent
from state.record import Delivery, Effect, Fate, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from handoff.worker.requests import Requests, Verdict


class OwnEffects:
    """One pass over the effects of a cycle.

    Args:
        requests: Who sends and asks.
        fresh: This worker planned the planned ones itself and nobody has sent them.
        limit_s: After so many seconds, what is not known becomes doubtful.
        may_send: False while halted.
        carried: Ids of doubtful effects of earlier cycles.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        fresh: bool,
        limit_s: float,
        may_send: bool,
        carried: Collection[str],
    ) -> None:
        """Keep the bounds; the time runs from now on."""
        self._requests = requests
        self._fresh = fresh
        self._deadline_ns = requests.monotonic_ns() + round(limit_s * NS)
        self._may_send = may_send
        self._carried = frozenset(carried)
        self._final: dict[str, asyncio.Event] = {}
        self._verdicts: dict[str, Verdict] = {}

    async def run(self, effects: Sequence[Effect]) -> dict[str, Verdict]:
        """Return for each effect id a receipt or `Fate.DOUBTFUL`."""
        lanes: dict[str, list[Effect]] = {}
        for effect in effects:
            lanes.setdefault(effect.lane or effect.effect_id, []).append(effect)
        self._final = {effect.effect_id: asyncio.Event() for effect in effects}
        gate = asyncio.Semaphore(LANES_MAX)
        await asyncio.gather(*(self._lane(each, gate) for each in lanes.values()))
        return self._verdicts

    async def _lane(self, effects: Sequence[Effect], gate: asyncio.Semaphore) -> None:
        for effect in effects:
            # Waiting for another lane must not hold a place that the other lane needs.
            blocked = await self._wait_after(effect)
            async with gate:
                self._verdicts[effect.effect_id] = await self._verdict(effect, blocked)
            self._final[effect.effect_id].set()

    async def _wait_after(self, effect: Effect) -> str:
        """Wait until the effect may be sent; return why it may not, or nothing."""
        if effect.fate is Fate.DOUBTFUL:
            return ""  # it is only asked about
        if effect.after in self._carried:
            return f"the outcome of {effect.after} is unknown"
        if effect.after not in self._final:
            return ""  # what it waits for is final already
        try:
            async with asyncio.timeout(self._seconds_left()):
                await self._final[effect.after].wait()
        except TimeoutError:
            return f"{effect.after} took too long"
        if self._verdicts[effect.after] is Fate.DOUBTFUL:
            return f"the outcome of {effect.after} is unknown"
        return ""

    async def _verdict(self, effect: Effect, blocked: str) -> Verdict:
        if effect.fate is Fate.PLANNED and self._fresh:
            return await self._send_first(effect, blocked)
        # From here on somebody may have sent it: another owner, or this one before.
        may_send = self._may_send and not blocked
        match effect.delivery:
            case Delivery.BY_ID:
                return await self._ask_about(effect, may_send=may_send)
            case Delivery.AT_LEAST_ONCE:
                return await self._repeat(effect, may_send=may_send)
            case Delivery.AT_MOST_ONCE:
                reason = "its sender died, and it is not repeated"
                return receipt(effect, Outcome.UNKNOWN, reason=reason)
            case _:
                assert_never(effect.delivery)

    async def _send_first(self, effect: Effect, blocked: str) -> Verdict:
        blocked = blocked or ("" if self._may_send else "halted")
        if blocked:
            return receipt(effect, Outcome.REFUSED, reason=f"not sent: {blocked}")
        if self._requests.is_expired(effect):
            return receipt(effect, Outcome.EXPIRED, reason="never sent: too late")
        if effect.delivery is Delivery.AT_LEAST_ONCE:
            return await self._send_until(effect)
        answer = await self._requests.send(effect, self._seconds_left())
        if isinstance(answer, NotSent):
            answer = receipt(effect, Outcome.REFUSED, reason=answer.reason)
        if isinstance(answer, Receipt):
            return answer
        if effect.delivery is Delivery.AT_MOST_ONCE:
            return receipt(effect, Outcome.UNKNOWN, reason=answer.reason)
        return await self._ask_about(effect, may_send=not isinstance(answer, Pending))

    async def _repeat(self, effect: Effect, *, may_send: bool) -> Verdict:
        """Send what may execute twice, unless it is too late for it: then nobody will know."""
        if self._requests.is_expired(effect):
            return receipt(effect, Outcome.UNKNOWN, reason="too late to send it again")
        if not may_send:
            return self._requests.doubtful(effect, "it may not be sent now")
        return await self._send_until(effect)

    async def _send_until(self, effect: Effect) -> Verdict:
        """Send until an answer comes, within every bound; the first attempt is always made."""
        reason = "never attempted"
        for attempt in range(1 + RESOLVE_ATTEMPTS_MAX):
            if attempt:
                await self._requests.pause(RESOLVE_PAUSE_S)
                if self._requests.is_expired(effect):
                    return receipt(effect, Outcome.UNKNOWN, reason=reason)
                if self._late():
                    break
            answer = await self._requests.send(effect, self._seconds_left())
            if isinstance(answer, Receipt):
                return answer
            reason = answer.reason
        return self._requests.doubtful(effect, reason)

    async def _ask_about(self, effect: Effect, *, may_send: bool) -> Verdict:
        """Ask until it is proven; send again only what may be sent and is proven absent."""
        reason = "not asked"
        for attempt in range(RESOLVE_ATTEMPTS_MAX):
            if attempt:
                await self._requests.pause(RESOLVE_PAUSE_S * 2**attempt)
            answer = await self._requests.ask(effect, self._seconds_left())
            match answer:
                case Receipt():
                    return answer
                case Absent():
                    behind = self._requests.absence(effect, answer)
                    may = may_send and not self._requests.is_expired(effect)
                    following = when_absent(effect, behind, may_send=may)
                    if following is Next.WRITE_OFF:
                        return receipt(effect, Outcome.EXPIRED, reason="proven never executed")
                    if following is Next.SEND:
                        sent = await self._requests.send(effect, self._seconds_left())
                        if isinstance(sent, Receipt):
                            return sent
                        may_send = not isinstance(sent, Pending)
                    reason = "absent, but a request may be under way"
                case Unknown():
                    reason = answer.reason
                case _:
                    assert_never(answer)
            if self._late():
                break
        return self._requests.doubtful(effect, reason)

    def _late(self) -> bool:
        return self._requests.monotonic_ns() >= self._deadline_ns

    def _seconds_left(self) -> float:
        """Return the time to the deadline, at least a moment, so that each ask gets a try."""
        return max((self._deadline_ns - self._requests.monotonic_ns()) / NS, 0.05)
