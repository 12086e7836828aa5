"""A small world for tests of the engine: an application, a venue, processes, a launcher's line.

Everything lives in memory and on virtual time, so that a test of an hour takes milliseconds and
comes out the same every time.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from typing_extensions import override

from handoff.cadence import Cadence, Schedule, every
from handoff.limits import NS
from handoff.logs import Log
from handoff.workload import (
    Absent,
    Cycle,
    Decision,
    NotReady,
    Pending,
    Ready,
    Unavailable,
    Unknown,
    Violation,
    Workload,
    effect,
    receipt,
)
from state.memory_store import MemoryStore
from state.record import Effect, Outcome, Progress, Receipt, Record, Timeline, WorkerId
from state.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from handoff.virtual_time import VirtualClock

APP = "engine-test"
PERIOD_S = 10
START_NS = 1_795_000_000 * NS  # a boundary, as it is a multiple of ten seconds
TIMELINE = Timeline()
Answer = Receipt | Pending | Absent | Unknown | Exception | str | None


class Body(msgspec.Struct):
    """What the application remembers."""

    cycles: list[int] = []
    outcomes: list[str] = []


class Application(Workload[Body, list[str]]):
    """Remembers its cycles; plans the effects that the test wants; talks to a venue."""

    body: Schema[Any] = Schema("test.body", 1, Body)
    inputs: Schema[Any] = Schema("test.inputs", 1, list[str])
    cadence: Cadence = every(PERIOD_S)
    # A test that is about observing beside the owner says so; in the others a take costs no cycle.
    observe_twice: ClassVar[bool] = False

    def __init__(self, venue: Venue | None = None) -> None:
        self.venue = venue or Venue()
        self.plans: dict[int, list[Effect]] = {}  # cycle to effects
        self.observed: Callable[[Cycle], Awaitable[Any]] | None = None
        self.deciding: Callable[[Cycle, Body], None] | None = None
        self.violations: list[Violation] = []
        self.readiness: Ready | NotReady = Ready()
        self.closed = 0

    @override
    async def observe(self, cycle: Cycle, body: Body) -> list[str] | Unavailable:
        if self.observed is None:
            return [f"seen in {cycle.number}"]
        inputs: list[str] | Unavailable = await self.observed(cycle)
        return inputs

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Body,
        inputs: list[str] | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Body]:
        if self.deciding is not None:
            self.deciding(cycle, body)
        body.cycles = [*body.cycles, cycle.number][-500:]
        body.outcomes += [f"{each.effect_id} {each.outcome.value}" for each in receipts]
        planned = [] if cycle.control.halted else self.plans.get(cycle.number, [])
        return Decision(body=body, effects=planned)

    @override
    async def follow(self, cycle: Cycle, body: Body) -> Ready | NotReady:
        return self.readiness

    @override
    def invariants(self, body: Body) -> Sequence[Violation]:
        return self.violations

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        return await self.venue.perform(effect)

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        return await self.venue.resolve(effect)

    @override
    async def close(self) -> None:
        self.closed += 1


class Venue:
    """An outside world that executes each id once, or as often as it is told.

    Attributes:
        executed: Ids in the order in which they were executed.
        sent: Ids in the order in which requests came.
        asked: Ids in the order in which they were asked about.
        answers: What the next requests for an id get instead, one each; an exception is raised.
        lost: Ids that execute although the answer is an exception.
        resolving: As `answers`, for questions.
        refuses_repeats: Whether a second request with the same id is refused.
        hooks: Awaited before a request for an id is looked at.
    """

    def __init__(self, *, refuses_repeats: bool = True) -> None:
        self.executed: list[str] = []
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.answers: dict[str, list[Answer]] = {}
        self.resolving: dict[str, list[Answer]] = {}
        self.lost: set[str] = set()
        self.refuses_repeats = refuses_repeats
        self.hooks: dict[str, Callable[[], Awaitable[None]]] = {}
        self.under_way = 0
        self.most_under_way = 0

    async def perform(self, effect: Effect) -> Receipt | Pending:
        name = effect.effect_id
        self.sent.append(name)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if name in self.hooks:
                await self.hooks[name]()
        finally:
            self.under_way -= 1
        answers = self.answers.get(name)
        answer = answers.pop(0) if answers else None
        if answer is None or name in self.lost or isinstance(answer, Pending):
            self._execute(name)
        if isinstance(answer, Exception):
            raise answer
        return receipt(effect, Outcome.CONFIRMED) if answer is None else answer  # type: ignore[return-value] # a test may answer nonsense

    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        self.asked.append(effect.effect_id)
        answers = self.resolving.get(effect.effect_id)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer  # type: ignore[return-value] # as above
        if effect.effect_id in self.executed:
            return receipt(effect, Outcome.CONFIRMED)
        return Absent(repeatable=self.refuses_repeats)

    def _execute(self, name: str) -> None:
        if name not in self.executed or not self.refuses_repeats:
            self.executed.append(name)


def order(name: str = "order-1", **changes: Any) -> Effect:  # noqa: ANN401 - arguments of effect
    return effect("order", **({"effect_id": name, "payload": {"of": name}} | changes))


def schedule() -> Schedule:
    return Schedule(Application.cadence, TIMELINE)


FIRST = schedule().cycle_at(START_NS)  # the cycle that begins at START_NS


def worker_id(name: str = "a", release: str = "r1") -> WorkerId:
    return WorkerId(
        worker=name,
        host="host",
        boot_id="boot",
        pid_namespace="4026531836",
        pid=1000 + sum(name.encode()),
        start_ticks=7,
        release=release,
    )


def memory_store(clock: VirtualClock, *, settled: int = FIRST) -> MemoryStore:
    """A store whose record nobody owns yet; the given cycle is settled."""
    store = MemoryStore(app=APP, timeline=TIMELINE, now_ns=clock.now_ns)
    store.create(Record(app=APP, timeline=TIMELINE, progress=Progress(cycle=settled)))
    return store


class LogBook:
    """A log that can be asked what it was told."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self.log = Log(stream=self._text)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event."""
        lines = [json.loads(line) for line in self._text.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]
