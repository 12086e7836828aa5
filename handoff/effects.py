"""Doing what a decision planned, and finding out what became of it.

Owns the order of effects (lanes, `after`), the bounds of an attempt and the meaning of an
unknown outcome: it is asked about, never repeated blindly. What an effect is, is the
application's; who may perform at all was settled by the commit that planned it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from handoff.limits import IN_FLIGHT_NS, LANES_MAX, NS, RESOLVE_ATTEMPTS_MAX, RESOLVE_PAUSE_S
from handoff.log_events import LogEvent
from handoff.workload import Absent, Pending, Unknown, Workload, receipt
from state.record import Delivery, Effect, Fate, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff.logs import Log
    from handoff.ports import Clock

Verdict = Receipt | Fate
"""A receipt, or `Fate.DOUBTFUL`."""


class Performer:
    """Performs and resolves effects for one worker.

    Args:
        workload: The application.
        clock: Time.
        log: Where doubtful effects are reported.
        owned_since_ns: Wall-clock instant from which on only this worker can have started
            a request: the owner before it had settled, or is proven dead.
    """

    def __init__(
        self, workload: Workload[Any, Any], clock: Clock, log: Log, *, owned_since_ns: int
    ) -> None:
        """Keep the parts."""
        self._workload = workload
        self._clock = clock
        self._log = log
        self._owned_since_ns = owned_since_ns
        self._sent_ns: dict[str, int] = {}

    async def settle_all(
        self,
        outbox: Sequence[Effect],
        *,
        fresh: bool,
        deadline_ns: int,
        may_send: bool,
    ) -> dict[str, Verdict]:
        """Bring every pending effect to a fate.

        Args:
            outbox: Planned and doubtful effects.
            fresh: This worker planned the planned ones itself and nobody has sent them.
            deadline_ns: Wall-clock instant at which what is not known becomes doubtful.
            may_send: False while halted: outcomes are asked for, nothing is sent.

        Returns:
            For each effect id a receipt or `Fate.DOUBTFUL`.
        """
        run = _Run(self, fresh=fresh, deadline_ns=deadline_ns, may_send=may_send)
        lanes: dict[str, list[Effect]] = {}
        for effect in outbox:
            lanes.setdefault(effect.lane or effect.effect_id, []).append(effect)
        run.expect(outbox)
        gate = asyncio.Semaphore(LANES_MAX)
        await asyncio.gather(*(run.lane(effects, gate) for effects in lanes.values()))
        for effect_id, verdict in run.verdicts.items():
            if isinstance(verdict, Receipt):
                self._sent_ns.pop(effect_id, None)
        return run.verdicts

    async def send(self, effect: Effect, timeout_s: float) -> Receipt | Pending | Unknown:
        """Attempt an effect once. Whatever goes wrong, the outcome is unknown."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._workload.perform(effect)
        except Exception as error:  # noqa: BLE001 - any exception means unknown, by contract
            return Unknown(f"{type(error).__name__}: {error}")
        finally:
            self._sent_ns[effect.effect_id] = self._clock.now_ns()

    async def ask(self, effect: Effect, timeout_s: float) -> Receipt | Absent | Unknown:
        """Ask once what became of an effect."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._workload.resolve(effect)
        except Exception as error:  # noqa: BLE001 - an answer that fails is no answer
            return Unknown(f"{type(error).__name__}: {error}")

    def seconds_left(self, deadline_ns: int) -> float:
        """Return the time to a deadline, at least a moment, so that each ask gets a try."""
        return max((deadline_ns - self._clock.now_ns()) / NS, 0.05)

    def no_request_under_way(self, effect: Effect) -> bool:
        """Tell whether every request that was ever started must have arrived by now."""
        last_ns = max(self._sent_ns.get(effect.effect_id, 0), self._owned_since_ns)
        return self._clock.now_ns() > last_ns + IN_FLIGHT_NS

    def now_ns(self) -> int:
        """Return wall-clock time, nanoseconds UTC."""
        return self._clock.now_ns()

    async def pause(self, seconds: float) -> None:
        """Wait between two asks."""
        await self._clock.pause(seconds)

    def doubtful(self, effect: Effect, reason: str) -> Fate:
        """Report that an outcome stays unknown for now."""
        self._log.write(LogEvent.EFFECT_DOUBTFUL, effect=effect.effect_id, reason=reason)
        return Fate.DOUBTFUL


class _Run:
    """One pass over an outbox."""

    def __init__(
        self,
        performer: Performer,
        *,
        fresh: bool,
        deadline_ns: int,
        may_send: bool,
    ) -> None:
        self._performer = performer
        self._fresh = fresh
        self._deadline_ns = deadline_ns
        self._may_send = may_send
        self._final: dict[str, asyncio.Event] = {}
        self.verdicts: dict[str, Verdict] = {}

    def expect(self, effects: Sequence[Effect]) -> None:
        self._final = {effect.effect_id: asyncio.Event() for effect in effects}

    async def lane(self, effects: Sequence[Effect], gate: asyncio.Semaphore) -> None:
        for effect in effects:
            # Waiting for another lane must not hold a place that the other lane needs.
            blocker = await self._wait_after(effect)
            if blocker is None:
                async with gate:
                    self.verdicts[effect.effect_id] = await self._verdict(effect)
            else:
                self.verdicts[effect.effect_id] = blocker
            self._final[effect.effect_id].set()

    async def _wait_after(self, effect: Effect) -> Verdict | None:
        if effect.after not in self._final:
            return None
        try:
            async with asyncio.timeout(self._performer.seconds_left(self._deadline_ns)):
                await self._final[effect.after].wait()
        except TimeoutError:
            return self._not_sent(effect, f"{effect.after} took too long")
        if self.verdicts[effect.after] is Fate.DOUBTFUL:
            return self._not_sent(effect, f"the outcome of {effect.after} is unknown")
        return None

    def _not_sent(self, effect: Effect, reason: str) -> Verdict:
        if effect.fate is Fate.PLANNED and self._fresh:
            return receipt(effect, Outcome.REFUSED, reason=f"not sent: {reason}")
        return self._performer.doubtful(effect, reason)

    async def _verdict(self, effect: Effect) -> Verdict:
        if effect.fate is Fate.DOUBTFUL:
            return await self._ask_about(effect, may_repeat=False)
        if self._fresh:
            return await self._send_first(effect)
        if effect.delivery is Delivery.AT_MOST_ONCE:
            return receipt(effect, Outcome.UNKNOWN, reason="its sender died")
        if effect.delivery is Delivery.AT_LEAST_ONCE:
            return await self._send_first(effect)
        return await self._ask_about(effect, may_repeat=self._may_send)

    async def _send_first(self, effect: Effect) -> Verdict:
        if not self._may_send:
            return receipt(effect, Outcome.REFUSED, reason="not sent: halted")
        if self._expired(effect):
            return receipt(effect, Outcome.EXPIRED, reason="never sent: too late")
        answer = await self._performer.send(effect, self._seconds_left())
        if isinstance(answer, Receipt):
            return answer
        match effect.delivery:
            case Delivery.AT_MOST_ONCE:
                return receipt(effect, Outcome.UNKNOWN, reason=answer.reason)
            case Delivery.AT_LEAST_ONCE:
                return await self._send_until(effect)
            case Delivery.BY_ID:
                pending = isinstance(answer, Pending)
                return await self._ask_about(effect, may_repeat=not pending)

    async def _send_until(self, effect: Effect) -> Verdict:
        answer: Receipt | Pending | Unknown = Unknown("never attempted")
        for _ in range(RESOLVE_ATTEMPTS_MAX):
            await self._performer.pause(RESOLVE_PAUSE_S)
            answer = await self._performer.send(effect, self._seconds_left())
            if isinstance(answer, Receipt):
                return answer
        return receipt(effect, Outcome.UNKNOWN, reason=answer.reason)

    async def _ask_about(self, effect: Effect, *, may_repeat: bool) -> Verdict:
        """Ask until it is proven; send again only what may be sent and is proven absent."""
        reason = "not asked"
        for attempt in range(RESOLVE_ATTEMPTS_MAX):
            if attempt:
                await self._performer.pause(RESOLVE_PAUSE_S * 2**attempt)
            answer = await self._performer.ask(effect, self._seconds_left())
            match answer:
                case Receipt():
                    return answer
                case Absent():
                    quiet = answer.enforced or self._performer.no_request_under_way(effect)
                    over = not may_repeat or answer.enforced or self._expired(effect)
                    if quiet and over:
                        return receipt(effect, Outcome.EXPIRED, reason="proven never executed")
                    if (quiet or answer.repeatable) and not over:
                        sent = await self._performer.send(effect, self._seconds_left())
                        if isinstance(sent, Receipt):
                            return sent
                    reason = "absent, but a request may be under way"
                case Unknown():
                    reason = answer.reason
            if self._performer.now_ns() > self._deadline_ns:
                break
        return self._performer.doubtful(effect, reason)

    def _expired(self, effect: Effect) -> bool:
        return effect.not_after_ns is not None and self._performer.now_ns() >= effect.not_after_ns

    def _seconds_left(self) -> float:
        return self._performer.seconds_left(self._deadline_ns)
