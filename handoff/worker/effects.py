"""Doing what a decision planned, and finding out what became of it.

Owns the order of effects (lanes, `after`), the bounds of an attempt and the meaning of an
unknown outcome: it is asked about, never repeated blindly. What an effect is, is the
application's; who may perform at all was settled by the commit that planned it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, assert_never

import msgspec

from handoff.limits import IN_FLIGHT_NS, LANES_MAX, NS, RESOLVE_ATTEMPTS_MAX, RESOLVE_PAUSE_S
from handoff.log_events import LogEvent
from handoff.outside import fault_words, is_outside
from handoff.workload import Absent, Pending, Unknown, is_json, receipt
from state.record import Delivery, Effect, Fate, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handoff.logs import Log
    from handoff.worker.ports import Clock

Verdict = Receipt | Fate
"""A receipt, or `Fate.DOUBTFUL`."""


class Outside(Protocol):
    """The application's way to the outside world: what `Workload` does with effects."""

    @property
    def outside(self) -> tuple[type[Exception], ...]:
        """See `Workload.outside`."""
        ...

    async def perform(self, effect: Effect) -> Receipt | Pending:
        """See `Workload.perform`."""
        ...

    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        """See `Workload.resolve`."""
        ...


class Performer:
    """Performs and resolves effects for one worker and one epoch.

    It is made when the worker comes to own: a request of the owner before it was started
    earlier than that, because that owner had settled or is proven dead.

    Args:
        workload: The application.
        clock: Time. Bounds go by its monotonic side, so that a clock that is set can neither
            cut an attempt short nor make a request under way look arrived.
        log: Where doubtful effects are reported.
    """

    def __init__(self, workload: Outside, clock: Clock, log: Log) -> None:
        """Keep the parts and the moment."""
        self._workload = workload
        self._clock = clock
        self._log = log
        self._owned_since_ns = clock.monotonic_ns()
        self._sent_ns: dict[str, int] = {}
        self._found: dict[str, Verdict] = {}
        self._fault = ""

    def fault(self) -> str:
        """Return what the release itself did wrong since the last call, or an empty string.

        An effect whose attempt raised has an unknown outcome all the same.
        """
        fault, self._fault = self._fault, ""
        return fault

    async def settle_all(
        self, outbox: Sequence[Effect], *, fresh: bool, limit_s: float, may_send: bool
    ) -> dict[str, Verdict]:
        """Bring every pending effect to a fate.

        What was found out before counts until `settled` says that it is in the record: a
        settle that could not be written is tried again, its effects are not.

        Args:
            outbox: Planned and doubtful effects.
            fresh: This worker planned the planned ones itself and nobody has sent them.
            limit_s: After so many seconds, what is not known becomes doubtful.
            may_send: False while halted: outcomes are asked for, nothing is sent.

        Returns:
            For each effect id a receipt or `Fate.DOUBTFUL`.
        """
        run = _Run(self, fresh=fresh, limit_s=limit_s, may_send=may_send)
        lanes: dict[str, list[Effect]] = {}
        for effect in self._unfinished(outbox):
            lanes.setdefault(effect.lane or effect.effect_id, []).append(effect)
        run.expect(lanes.values())
        gate = asyncio.Semaphore(LANES_MAX)
        await asyncio.gather(*(run.lane(effects, gate) for effects in lanes.values()))
        self._found |= run.verdicts
        return {effect.effect_id: self._found[effect.effect_id] for effect in outbox}

    def settled(self) -> None:
        """Forget what was found out: the record has it now."""
        for effect_id, verdict in self._found.items():
            if isinstance(verdict, Receipt):
                self._sent_ns.pop(effect_id, None)
        self._found = {}

    def _unfinished(self, outbox: Sequence[Effect]) -> Iterator[Effect]:
        for effect in outbox:
            found = self._found.get(effect.effect_id)
            if found is None:
                yield effect
            elif found is Fate.DOUBTFUL:
                yield msgspec.structs.replace(effect, fate=Fate.DOUBTFUL)

    async def send(self, effect: Effect, timeout_s: float) -> Receipt | Pending | Unknown:
        """Attempt an effect once. Whatever goes wrong, the outcome is unknown."""
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                answer = await self._workload.perform(effect)
        except Exception as error:  # noqa: BLE001 - any exception means unknown, by contract
            if limit.expired() and isinstance(error, TimeoutError):
                return Unknown(f"no answer within {timeout_s:.2f} s")
            return self._raised("perform", error)
        finally:
            self._sent_ns[effect.effect_id] = self._clock.monotonic_ns()
        return answer if isinstance(answer, Pending) else _checked(answer, effect, "perform")

    async def ask(self, effect: Effect, timeout_s: float) -> Receipt | Absent | Unknown:
        """Ask once what became of an effect."""
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                answer = await self._workload.resolve(effect)
        except Exception as error:  # noqa: BLE001 - an answer that fails is no answer
            if limit.expired() and isinstance(error, TimeoutError):
                return Unknown(f"no answer within {timeout_s:.2f} s")
            return self._raised("resolve", error)
        return answer if isinstance(answer, Absent) else _checked(answer, effect, "resolve")

    def _raised(self, stage: str, error: Exception) -> Unknown:
        if not is_outside(error, self._workload.outside):
            self._fault = self._fault or fault_words(stage, error)
        return Unknown(f"{type(error).__name__}: {error}")

    def no_request_under_way(self, effect: Effect) -> bool:
        """Tell whether every request that was ever started must have arrived by now."""
        last_ns = max(self._sent_ns.get(effect.effect_id, 0), self._owned_since_ns)
        return self.monotonic_ns() > last_ns + IN_FLIGHT_NS

    def now_ns(self) -> int:
        """Return wall-clock time, nanoseconds UTC."""
        return self._clock.now_ns()

    def monotonic_ns(self) -> int:
        """Return time that never steps."""
        return self._clock.monotonic_ns()

    async def pause(self, seconds: float) -> None:
        """Wait between two asks."""
        await self._clock.pause(seconds)

    def doubtful(self, effect: Effect, reason: str) -> Fate:
        """Report that an outcome stays unknown for now."""
        self._log.write(LogEvent.EFFECT_DOUBTFUL, effect=effect.effect_id, reason=reason)
        return Fate.DOUBTFUL


def _checked(answer: object, effect: Effect, what: str) -> Receipt | Unknown:
    """Take only an answer that is one, and about this effect; anything else proves nothing."""
    if isinstance(answer, Unknown):
        return answer
    if not isinstance(answer, Receipt):
        return Unknown(f"{what} returned {type(answer).__name__}")
    if answer.effect_id != effect.effect_id:
        return Unknown(f"{what} returned the receipt of {answer.effect_id}")
    if not is_json(answer.payload):
        return Unknown(f"{what} returned a receipt that cannot be stored")
    return answer


class _Run:
    """One pass over an outbox."""

    def __init__(
        self, performer: Performer, *, fresh: bool, limit_s: float, may_send: bool
    ) -> None:
        self._performer = performer
        self._fresh = fresh
        self._deadline_ns = performer.monotonic_ns() + round(limit_s * NS)
        self._may_send = may_send
        self._final: dict[str, asyncio.Event] = {}
        self.verdicts: dict[str, Verdict] = {}

    def expect(self, lanes: Iterable[Sequence[Effect]]) -> None:
        self._final = {effect.effect_id: asyncio.Event() for lane in lanes for effect in lane}

    async def lane(self, effects: Sequence[Effect], gate: asyncio.Semaphore) -> None:
        for effect in effects:
            # Waiting for another lane must not hold a place that the other lane needs.
            blocked = await self._wait_after(effect)
            async with gate:
                self.verdicts[effect.effect_id] = await self._verdict(effect, blocked)
            self._final[effect.effect_id].set()

    async def _wait_after(self, effect: Effect) -> str:
        """Wait until the effect may be sent; return why it may not, or nothing."""
        if effect.fate is Fate.DOUBTFUL or effect.after not in self._final:
            return ""  # it is only asked about, or what it waits for is final already
        try:
            async with asyncio.timeout(self._seconds_left()):
                await self._final[effect.after].wait()
        except TimeoutError:
            return f"{effect.after} took too long"
        if self.verdicts[effect.after] is Fate.DOUBTFUL:
            return f"the outcome of {effect.after} is unknown"
        return ""

    async def _verdict(self, effect: Effect, blocked: str) -> Verdict:
        planned = effect.fate is Fate.PLANNED
        if planned and self._fresh:
            return await self._send_first(effect, blocked)
        # From here on somebody may have sent it: another owner, or this one before.
        may_repeat = planned and self._may_send and not blocked
        if effect.delivery is Delivery.BY_ID:
            return await self._ask_about(effect, may_repeat=may_repeat)
        if effect.delivery is Delivery.AT_LEAST_ONCE and may_repeat and not self._expired(effect):
            return await self._send_until(effect)
        return receipt(effect, Outcome.UNKNOWN, reason="its sender died, and it is not repeated")

    async def _send_first(self, effect: Effect, blocked: str) -> Verdict:
        blocked = blocked or ("" if self._may_send else "halted")
        if blocked:
            return receipt(effect, Outcome.REFUSED, reason=f"not sent: {blocked}")
        if self._expired(effect):
            return receipt(effect, Outcome.EXPIRED, reason="never sent: too late")
        if effect.delivery is Delivery.AT_LEAST_ONCE:
            return await self._send_until(effect)
        answer = await self._performer.send(effect, self._seconds_left())
        if isinstance(answer, Receipt):
            return answer
        if effect.delivery is Delivery.AT_MOST_ONCE:
            return receipt(effect, Outcome.UNKNOWN, reason=answer.reason)
        return await self._ask_about(effect, may_repeat=not isinstance(answer, Pending))

    async def _send_until(self, effect: Effect) -> Verdict:
        """Send until an answer comes, within every bound; the first attempt is always made."""
        reason = "never attempted"
        for attempt in range(1 + RESOLVE_ATTEMPTS_MAX):
            if attempt:
                await self._performer.pause(RESOLVE_PAUSE_S)
                if self._expired(effect) or self._late():
                    break
            answer = await self._performer.send(effect, self._seconds_left())
            if isinstance(answer, Receipt):
                return answer
            reason = answer.reason
        return receipt(effect, Outcome.UNKNOWN, reason=reason)

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
                        may_repeat = not isinstance(sent, Pending)
                    reason = "absent, but a request may be under way"
                case Unknown():
                    reason = answer.reason
                case _:
                    assert_never(answer)
            if self._late():
                break
        return self._performer.doubtful(effect, reason)

    def _late(self) -> bool:
        return self._performer.monotonic_ns() >= self._deadline_ns

    def _expired(self, effect: Effect) -> bool:
        return effect.not_after_ns is not None and self._performer.now_ns() >= effect.not_after_ns

    def _seconds_left(self) -> float:
        """Return the time to the deadline, at least a moment, so that each ask gets a try."""
        return max((self._deadline_ns - self._performer.monotonic_ns()) / NS, 0.05)
