"""The simulated outside world: requests travel, are late, get lost; the truth is in here.

One kind refuses a second effect with the same id. The other executes whatever arrives and only
answers what became of an id. Either may enforce the time after which an effect must not be
executed, by a clock of its own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from handoff.limits import IN_FLIGHT_NS, MS, NS

if TYPE_CHECKING:
    import asyncio

    from state.record import Effect
    from tests.sim.clockwork import Clockwork, Process
    from tests.sim.faults import Faults

LATE_NS_MAX: Final = IN_FLIGHT_NS - NS  # within the bound that the engine is told
ANSWER_NS_MAX: Final = 40 * MS


class Venue:
    """What executes effects.

    Attributes:
        refuses_duplicates: A second effect with a known id is not executed.
        executed: How often each effect was executed.
    """

    def __init__(self, clockwork: Clockwork, faults: Faults) -> None:
        rng = clockwork.rng
        self.refuses_duplicates = rng.random() < 0.5
        self.executed: Counter[str] = Counter()
        self._enforces_time = rng.random() < 0.4
        self._rests = rng.random() < 0.3  # some orders are accepted first and answered later
        self._resting: dict[str, int] = {}
        self._refused: set[str] = set()
        self._clockwork = clockwork
        self._faults = faults
        self._down_until_ns = 0

    def go_down(self, duration_ns: int) -> None:
        self._down_until_ns = self._clockwork.now_ns + duration_ns

    async def execute(self, process: Process, effect: Effect) -> str:
        """Send a request; it goes its way even if the sender is gone."""
        answer: asyncio.Future[str] = process.loop.create_future()
        travel_ns = self._travel_ns()
        if self._is_down():
            message = "connection refused"
            raise ConnectionRefusedError(message)
        if not self._faults.strikes("venue_lost", 0.1):
            if self._faults.strikes("venue_late", 0.2):
                travel_ns = self._clockwork.rng.randrange(LATE_NS_MAX)
            self._clockwork.after(travel_ns, lambda: self._arrive(effect, answer))
        return await answer

    async def query(self, process: Process, effect: Effect) -> str:
        """Ask what became of an effect."""
        answer: asyncio.Future[str] = process.loop.create_future()
        if self._is_down():
            message = "connection refused"
            raise ConnectionRefusedError(message)

        def look() -> None:
            self._answer(answer, self._state(effect))

        self._clockwork.after(self._travel_ns(), look)
        return await answer

    def _is_down(self) -> bool:
        return self._faults.on and self._clockwork.now_ns < self._down_until_ns

    def _travel_ns(self) -> int:
        if self._faults.strikes("slow", 0.1):
            return self._clockwork.rng.randrange(3 * NS)
        return self._clockwork.rng.randrange(ANSWER_NS_MAX)

    def _arrive(self, effect: Effect, answer: asyncio.Future[str]) -> None:
        name = effect.effect_id
        if not self.executed[name] and self._dislikes(name):
            self._refused.add(name)
        if self._too_late(effect) or name in self._refused:
            self._answer(answer, self._state(effect))
            return
        if not (self.refuses_duplicates and self.executed[name]):
            self.executed[name] += 1
            if self._rests and self._faults.on and self._clockwork.rng.random() < 0.3:
                until_ns = self._clockwork.now_ns + self._clockwork.rng.randrange(20 * NS)
                self._resting[name] = until_ns
        self._answer(answer, self._state(effect))

    def _state(self, effect: Effect) -> str:
        name = effect.effect_id
        if self.executed[name]:
            resting = self._resting.get(name, 0) > self._clockwork.now_ns
            return "pending" if resting else "executed"
        if name in self._refused:
            return "refused"
        return "too late" if self._too_late(effect) else "absent"

    def _too_late(self, effect: Effect) -> bool:
        bound_ns = effect.not_after_ns
        return self._enforces_time and bound_ns is not None and self._clockwork.true_ns() > bound_ns

    @staticmethod
    def _dislikes(name: str) -> bool:
        return sum(name.encode()) % 11 == 0

    def _answer(self, future: asyncio.Future[str], state: str) -> None:
        if self._faults.strikes("venue_lost", 0.1):
            return
        self._clockwork.after(self._travel_ns(), lambda: _resolve(future, state))


def _resolve(future: asyncio.Future[str], state: str) -> None:
    if not future.done():
        future.set_result(state)
