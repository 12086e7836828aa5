"""A trader driven cycle by cycle against a served exchange: the engine's loop in a few lines."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from typing_extensions import override

from foresight.board import NS
from foresight.book import SCHEMA as BOOK
from foresight.book import Book
from foresight.config import Config, load
from foresight.market import SCHEMA as MARKET
from foresight.market import Market
from foresight.overrides import EXCHANGE_URL
from foresight.trader import Trader, create_with
from handoff.cadence import Schedule, seed_of
from handoff.worker.boundary_clock import SystemClock
from handoff.workload import Absent, Context, Cycle, Pending, Unavailable, Unknown
from state.record import Control, Effect, Outcome, Receipt, Timeline
from tests.exchange.served import Running, StandingClock

APP = "foresight"
PATIENCE_S = 8.0  # of a request: a busy machine stops a process for seconds
PAGES_S = 2.0  # of a whole listing


class TraderClock(SystemClock):
    """The exchange's clock, as the trader sees it."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self.ahead_s = 0.0
        self.waited_s = 0.0  # of the clock that never steps, while the market stands

    @override
    def now_ns(self) -> int:
        return self._clock.now_ns + round(self.ahead_s * NS)

    @override
    def monotonic_ns(self) -> int:
        return self._clock.now_ns + round(self.waited_s * NS)

    @override
    async def pause(self, seconds: float) -> None:
        self._clock.forward(seconds)


@dataclass
class Driven:
    """A trader with its body, and everything that passed between it and the driver."""

    running: Running
    trader: Trader
    timeline: Timeline
    body: Book
    cycle: int
    receipts: tuple[Receipt, ...] = ()
    outbox: dict[str, Effect] = field(default_factory=dict)
    planned: list[Effect] = field(default_factory=list)
    received: list[Receipt] = field(default_factory=list)
    inputs: list[Market | Unavailable] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    control: Control = field(default_factory=Control)
    lag_s: float = 0.05
    epoch: int = 3
    release: str = "r1"
    clock: TraderClock = field(default_factory=lambda: TraderClock(StandingClock()))

    def skew(self, ahead_s: float) -> None:
        """Set the trader's clock so far ahead of the exchange's; negative behind it."""
        self.clock.ahead_s = ahead_s

    async def run(self, cycles: int) -> None:
        for _ in range(cycles):
            await self.step()

    async def step(self) -> None:
        """Run one cycle: move the clock to its boundary, observe, decide, settle its effects."""
        schedule = Schedule(self.trader.cadence, self.timeline)
        boundary_ns = schedule.boundary_ns(self.cycle)
        lag_s = self.lag_s - self.clock.ahead_s
        self.running.clock.now_ns = boundary_ns + round(lag_s * NS)
        cycle = Cycle(
            number=self.cycle,
            now_ns=schedule.app_boundary_ns(self.cycle),
            seed=seed_of(APP, self.timeline, self.cycle),
            control=self.control,
            epoch=self.epoch,
            release=self.release,
        )
        started, started_cpu = time.perf_counter(), time.process_time()
        inputs = await self.trader.observe(cycle, self.body)
        if isinstance(inputs, Market):
            inputs = MARKET.decode(MARKET.encode(inputs), MARKET.schema_id)
        decision = self.trader.decide(cycle, self.body, inputs, self.receipts)
        self.wall_ms.append((time.perf_counter() - started) * 1000)
        self.cpu_ms.append((time.process_time() - started_cpu) * 1000)
        again = self.trader.decide(cycle, self.body, inputs, self.receipts)
        stored = BOOK.encode(decision.body)
        assert stored == BOOK.encode(again.body), "the same inputs decide the same"
        assert self.trader.invariants(decision.body) == []
        self.body = BOOK.decode(stored, BOOK.schema_id)
        self.inputs.append(inputs)
        self.planned += decision.effects
        self.outbox |= {effect.effect_id: effect for effect in decision.effects}
        self.receipts = tuple(await self._settle(decision.effects))
        self.received += self.receipts
        self.cycle += 1

    async def _settle(self, fresh: Sequence[Effect]) -> list[Receipt]:
        new = {effect.effect_id for effect in fresh}
        final: list[Receipt] = []
        for effect in list(self.outbox.values()):
            answer: object = Unknown()
            if effect.effect_id in new:
                answer = await self.perform(effect)
            if isinstance(answer, Pending | Unknown):
                answer = await self.resolve(effect)
            if isinstance(answer, Absent) and answer.enforced:
                answer = Receipt(
                    effect_id=effect.effect_id, kind=effect.kind, outcome=Outcome.EXPIRED
                )
            if isinstance(answer, Receipt):
                del self.outbox[effect.effect_id]
                final.append(answer)
        return final

    async def perform(self, effect: Effect) -> Receipt | Pending | Unknown:
        try:
            return await self.trader.perform(effect)
        except Exception as error:  # noqa: BLE001 - any exception means unknown, by contract
            return Unknown(f"{type(error).__name__}: {error}")

    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        try:
            return await self.trader.resolve(effect)
        except Exception as error:  # noqa: BLE001 - as above
            return Unknown(f"{type(error).__name__}: {error}")

    async def ledger(self) -> dict[str, Any]:
        books = await self.running.control("ledger")
        assert isinstance(books, dict)
        return books


def demo_config(**sections: dict[str, Any]) -> Config:
    """Return the repository's own configuration with some sections' keys replaced."""
    config = load("foresight.toml", {})
    # The clock stands, the machine may be busy.
    patient = {"timeout_s": PATIENCE_S} | sections.pop("venue", {})
    sections["venue"] = patient
    changes = {
        name: msgspec.structs.replace(getattr(config, name), **keys)
        for name, keys in sections.items()
    }
    return msgspec.structs.replace(config, **changes)


@asynccontextmanager
async def driven(running: Running, config: Config | None = None) -> AsyncIterator[Driven]:
    """Open a trader on a served exchange, at the exchange's own time."""
    identity = running.venue.identity
    timeline = Timeline(origin_ns=identity.origin_ns, speed=identity.speed)
    context = Context(app=APP, release="r1", tree=".", home=".", timeline=timeline)
    clock = TraderClock(running.clock)
    trader = create_with(config or demo_config(), context, {EXCHANGE_URL: running.url}, clock=clock)
    trader._pages_s = PAGES_S  # noqa: SLF001 - of a second's cycle, which stands here
    schedule = Schedule(trader.cadence, timeline)
    cycle = schedule.cycle_at(running.clock.now_ns) + 1
    try:
        await trader.warm(Book())
        yield Driven(running, trader, timeline, Book(), cycle, clock=clock)
    finally:
        await trader.close()
