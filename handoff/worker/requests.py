"""One attempt and one question: what the application does outside, and what its answer is worth.

Owns the bound of each and the meaning of an unknown outcome, and remembers which requests may
still be under way. In which order effects go is in `lanes`, what becomes of those of earlier
cycles in `carried`. What an effect is, is the application's.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from handoff.limits import IN_FLIGHT_NS, LEASE_POLL_S, NS, REGAIN_PAUSE_NS
from handoff.log_events import LogEvent
from handoff.outside import fault_words, is_outside, words_of
from handoff.plain_text import storable
from handoff.worker.footing import Alone
from handoff.workload import Absent, Pending, Unknown, is_json, receipt
from state.absence import Absence
from state.errors import StateError, ValueUnstorable
from state.open_struct import as_read
from state.record import Effect, Fate, Outcome, Receipt

if TYPE_CHECKING:
    from handoff.logs import Log
    from handoff.worker.footing import Footing
    from handoff.worker.ports import Clock

Verdict = Receipt | Fate
"""A receipt, or `Fate.DOUBTFUL`."""

ToldT = TypeVar("ToldT", Pending, Unknown, Receipt)


class NotSent(Unknown, frozen=True):
    """Nothing was sent, and that is known."""


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


class Requests:
    """Sends and asks for one worker and one epoch, and remembers what may be under way.

    It is made when the worker comes to own: a request of the owner before it was started
    earlier than that, because that owner had settled or is proven dead.

    Args:
        workload: The application.
        clock: Time. Bounds go by its monotonic side, so that a clock that is set can neither
            cut an attempt short nor make a request under way look arrived.
        log: Where doubtful effects are reported.
        footing: Says how long a request may take that is sent now.
        epoch: In which the worker owns.
    """

    def __init__(
        self,
        workload: Outside,
        clock: Clock,
        log: Log,
        footing: Footing | None = None,
        epoch: int = 0,
    ) -> None:
        """Keep the parts and the moment."""
        self._footing = footing or Alone()
        self._workload = workload
        self._clock = clock
        self._log = log
        self._owned_since_ns = clock.monotonic_ns()
        self._sent_ns: dict[str, int] = {}
        self._asked_ns: dict[str, int] = {}  # when the newest question about an effect began
        self._fault = ""
        self._epoch = epoch
        self._under_way = 0  # requests
        self._stands_again_ns = 0  # when the lease may be asked for next, monotonic

    def fault(self) -> str:
        """Return what the release itself did wrong since the last call, or an empty string.

        An effect whose attempt raised has an unknown outcome all the same.
        """
        fault, self._fault = self._fault, ""
        return fault

    async def send(self, effect: Effect, timeout_s: float) -> Receipt | Pending | Unknown:
        """Attempt an effect once. Whatever goes wrong, the outcome is unknown.

        What an owner without a lease may not send is not sent: `NotSent`, which is known.
        """
        timeout_s = await self._wait_allowed(timeout_s)
        if not timeout_s:
            return NotSent("not sent: this owner's lease does not last that long")
        limit = asyncio.timeout(timeout_s)
        self._under_way += 1
        try:
            async with limit:
                answer = await self._workload.perform(effect)
        except asyncio.CancelledError:
            return _cancelled()
        except Exception as error:  # noqa: BLE001 - any exception means unknown, by contract
            if limit.expired() and isinstance(error, TimeoutError):
                return Unknown(f"no answer within {timeout_s:.2f} s")
            return self._raised("perform", error)
        finally:
            self._under_way -= 1
            self._sent_ns[effect.effect_id] = self._clock.monotonic_ns()
        return _told(answer) if isinstance(answer, Pending) else _checked(answer, effect, "perform")

    async def ask(self, effect: Effect, timeout_s: float) -> Receipt | Absent | Unknown:
        """Ask once what became of an effect."""
        limit = asyncio.timeout(timeout_s)
        self._asked_ns[effect.effect_id] = self._clock.monotonic_ns()
        try:
            async with limit:
                answer = await self._workload.resolve(effect)
        except asyncio.CancelledError:
            return _cancelled()
        except Exception as error:  # noqa: BLE001 - an answer that fails is no answer
            if limit.expired() and isinstance(error, TimeoutError):
                return Unknown(f"no answer within {timeout_s:.2f} s")
            return self._raised("resolve", error)
        return answer if isinstance(answer, Absent) else _checked(answer, effect, "resolve")

    async def _wait_allowed(self, timeout_s: float) -> float:
        """Return how long a request may take, once it may be sent; 0 if that does not come."""
        deadline_ns = self.monotonic_ns() + round(timeout_s * NS)
        allowed_s = self._footing.seconds_to_send(timeout_s)
        while not allowed_s:
            self._stand_anew()
            await self.pause(LEASE_POLL_S)
            left_ns = deadline_ns - self.monotonic_ns()
            if left_ns <= 0:
                return 0.0
            allowed_s = self._footing.seconds_to_send(left_ns / NS)
        return allowed_s

    def _stand_anew(self) -> None:
        """Bind the owner's key anew where its lease is over, or nothing is sent in this cycle.

        Not while a request is under way: nothing goes on here until etcd answers, and that one
        would go out later than its time-out, and the lease that covers it, allow.
        """
        is_early = self.monotonic_ns() < self._stands_again_ns
        if self._under_way or is_early or not self._footing.is_lost():
            return
        with contextlib.suppress(StateError):  # whoever settles the cycle says so
            if self._footing.regain(self._epoch):
                self._log.write(LogEvent.LEASE_LOST, epoch=self._epoch, bound=True)
        self._stands_again_ns = self.monotonic_ns() + REGAIN_PAUSE_NS

    def _raised(self, stage: str, error: Exception) -> Unknown:
        if not is_outside(error, self._workload.outside):
            self._fault = self._fault or fault_words(stage, error)
        return Unknown(words_of(error))

    def absence(self, effect: Effect, answer: Absent) -> Absence:
        """Return what stands behind the word that there is no such effect."""
        quiet = self._no_request_under_way(effect)
        return Absence(quiet=quiet, enforced=answer.enforced, repeatable=answer.repeatable)

    def is_expired(self, effect: Effect) -> bool:
        """Tell whether it is too late to send an effect, by this worker's clock."""
        return effect.not_after_ns is not None and self.now_ns() >= effect.not_after_ns

    def _no_request_under_way(self, effect: Effect) -> bool:
        """Tell whether every request that was ever started had arrived when it was asked about."""
        last_ns = max(self._sent_ns.get(effect.effect_id, 0), self._owned_since_ns)
        return self._asked_ns[effect.effect_id] > last_ns + IN_FLIGHT_NS

    def settled(self, effect_id: str) -> None:
        """Forget when an effect was sent and asked about: the record has its receipt."""
        self._sent_ns.pop(effect_id, None)
        self._asked_ns.pop(effect_id, None)

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

    def ended(self, effect: Effect, reason: str) -> Receipt:
        """Report that an outcome stays unknown for good."""
        self._log.write(LogEvent.EFFECT_DOUBTFUL, effect=effect.effect_id, reason=reason)
        return receipt(effect, Outcome.UNKNOWN, reason=reason)


def _cancelled() -> Unknown:
    """Return what an attempt came to that was cancelled within the application.

    Raises:
        CancelledError: It was this worker that was.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise asyncio.CancelledError
    return Unknown("the application cancelled it")


def _told(answer: ToldT) -> ToldT:
    """Return an answer whose reason can stand in a receipt, whatever it is made of."""
    return msgspec.structs.replace(answer, reason=storable(str(answer.reason)))


def _checked(answer: object, effect: Effect, what: str) -> Receipt | Unknown:
    """Take only an answer that is one, and about this effect; anything else proves nothing."""
    if isinstance(answer, Unknown):
        return _told(answer)
    if not isinstance(answer, Receipt):
        return Unknown(f"{what} returned {type(answer).__name__}")
    if answer.effect_id != effect.effect_id:
        return Unknown(f"{what} returned the receipt of {answer.effect_id}")
    if is_json(answer.payload):
        with contextlib.suppress(ValueUnstorable):
            return as_read(_told(answer))
    return Unknown(f"{what} returned a receipt that cannot be stored")
