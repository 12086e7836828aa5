"""A trader that is replaced again and again while its exchange misbehaves.

Its effects go through the engine's own performer, so that what is lost is asked about and sent
again by the engine's rules. The record is what a cycle had committed: the body and the outbox.
"""

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import msgspec
import pytest
from typing_extensions import override

from foresight.board import NS
from foresight.book import Book
from foresight.config import Config
from foresight.errors import VenueError
from foresight.exchange.faults import Fault
from foresight.overrides import EXCHANGE_URL
from foresight.trader import Trader, create_with
from foresight.trades import Decided, Position
from foresight.venues import polymarket
from foresight.venues.ccxt_calls import board_client
from handoff.cadence import Schedule, seed_of
from handoff.limits import MS
from handoff.logs import Log
from handoff.worker.effects import Performer
from handoff.workload import Context, Cycle
from state.record import Effect, Fate, Receipt, Timeline
from tests.exchange.served import Running, StandingClock
from tests.exchange.traded import APP, Driven, TraderClock

ROUNDS_SLOW: Final = 1  # of faults that cost the client its whole patience
FAULTS_AT_ONCE: Final = 3
KILL_SHARE: Final = 0.1  # of the cycles
PAUSES_S_MAX: Final = 0.7  # of the wall, in a cycle of one second
ASK_S_MAX: Final = 4.0
TURNS_MAX: Final = 150  # of the event loop, until a sender is killed

# One hit each but where all trades of an order fail, in another order each round. Client ids that
# are used again are the spot market's matter.
FORCED: Final[Mapping[Fault, dict[str, Any]]] = MappingProxyType(
    {
        Fault.RATE_LIMIT: {"scope": "orders"},
        Fault.BAN: {"scope": "orders", "seconds": 5.0},
        Fault.TOO_EARLY: {},
        Fault.SERVER_ERROR: {"scope": "orders"},
        Fault.EXECUTION_UNKNOWN: {},
        Fault.TIMEOUT: {"scope": "orders", "seconds": 5.0},
        Fault.LATE_ANSWER: {"seconds": 5.0},
        Fault.LOST_REQUEST: {},
        Fault.LOST_ANSWER: {},
        Fault.MALFORMED: {"scope": "orders"},
        Fault.OUTAGE: {"seconds": 0.7, "count": None},
        Fault.STALE_BOOK: {},
        Fault.VOID_SETTLEMENT: {},
        Fault.DELAYED_SETTLEMENT: {"seconds": 300.0},
        Fault.TRADE_RETRYING: {"seconds": 80.0},
        Fault.TRADE_FAILING: {"seconds": 80.0, "count": 3},
        Fault.BLANK_LOOKUP: {},
        Fault.HIDDEN_REFERENCE: {},
    }
)
SLOW: Final = frozenset({Fault.TIMEOUT, Fault.LATE_ANSWER})


class Moment(Enum):
    """When in a cycle an owner is killed."""

    OBSERVED = "observed"  # it has seen the market, and committed nothing
    COMMITTED = "committed"  # its effects are planned, and none is sent
    SENDING = "sending"  # some requests have arrived, and some not
    ANSWERED = "answered"  # all answers are in, and none is written down
    SETTLED = "settled"  # it waits for its next cycle, as it does when it is deployed


class WithinCycle(TraderClock):
    """A clock that pauses move, but never beyond the cycle in hand."""

    end_ns: int = 0

    @override
    async def pause(self, seconds: float) -> None:
        left_ns = max(0, self.end_ns - self._clock.now_ns)
        self._clock.forward(min(seconds, left_ns / NS))
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, no time


@dataclass
class Replaced(Driven):
    """The driver, with owners that die and an exchange whose faults are drawn from a deck."""

    draw: random.Random = field(default_factory=lambda: random.Random("replaced owners"))  # noqa: S311
    config: Config = field(default_factory=Config)
    kills: Counter[Moment] = field(default_factory=Counter)
    rounds: int = 0
    deck: list[Fault] = field(default_factory=list)
    held: dict[str, Position] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    is_calm: bool = False

    def __post_init__(self) -> None:
        """Begin with a performer for the first trader."""
        self.performer = self._performer()

    @override
    async def step(self) -> None:
        """Run one cycle; perhaps it takes two owners."""
        schedule = Schedule(self.trader.cadence, self.timeline)
        boundary_ns = schedule.boundary_ns(self.cycle)
        assert isinstance(self.clock, WithinCycle)
        self.clock.end_ns = boundary_ns + round((self.lag_s + PAUSES_S_MAX) * NS)
        self.moment = None if self.is_calm else self._moment()
        if self.draw.random() < 0.5:
            self._misbehave()
        if self.moment is Moment.OBSERVED:
            self.running.clock.now_ns = boundary_ns + round(self.lag_s * NS)
            await self.trader.observe(self._cycle(schedule), self.body)
            await self.replace(Moment.OBSERVED)
        await super().step()
        self._look()
        if self.moment is Moment.SETTLED:
            await self.replace(Moment.SETTLED)
            with suppress(VenueError):  # it may be silent just now: a worker asks again
                found = await self.trader.reconcile(self.body, tuple(self.outbox.values()))
                self.differences += found.differences

    @override
    async def _settle(self, fresh: Sequence[Effect]) -> list[Receipt]:
        self._misbehave()
        planned = list(fresh)
        is_own = True
        if self.moment is Moment.COMMITTED:
            await self.replace(Moment.COMMITTED)
            is_own = False
        elif self.moment in {Moment.SENDING, Moment.ANSWERED} and planned:
            await self._die_sending(planned, self.moment)
            is_own = False
        verdicts = await self._verdicts(planned, fresh=is_own)
        self.performer.settled()
        return list(self._written(verdicts))

    async def replace(self, moment: Moment) -> None:
        """Kill the owner and let a fresh trader of the next release go on from the record."""
        self.kills[moment] += 1
        await self.trader.close()
        # Who gets warm waits for its end, and the clock stands meanwhile.
        self.running.venue.faults.set(Fault.OUTAGE, None)
        self.epoch += 1
        self.release = f"r{self.epoch}"
        self.trader = fresh_trader(self.running, self.config, self.clock)
        await self.trader.warm(self.body)
        self.performer = self._performer()

    def calm(self) -> None:
        """Kill nobody any more, and let the exchange behave."""
        self.is_calm = True
        faults = self.running.venue.faults
        faults.set_all(dict.fromkeys(faults.describe(), 0))

    async def _die_sending(self, planned: Sequence[Effect], moment: Moment) -> None:
        sending = asyncio.ensure_future(self._verdicts(planned, fresh=True))
        if moment is Moment.SENDING:
            for _ in range(self.draw.randrange(TURNS_MAX)):
                await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, no time
            sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        await self.replace(moment)

    async def _verdicts(self, planned: Sequence[Effect], *, fresh: bool) -> dict[str, Any]:
        carried = [one for one in self.outbox.values() if one not in planned]
        schedule = Schedule(self.trader.cadence, self.timeline)
        own = await self.performer.settle_all(
            planned,
            fresh=fresh,
            limit_s=ASK_S_MAX,
            may_send=True,
            carried=[one.effect_id for one in carried],
        )
        earlier = await self.performer.ask_carried(
            carried,
            cycle=self.cycle,
            limit_s=ASK_S_MAX,
            may_send=True,
            planned_ns=schedule.boundary_ns,
        )
        return dict(own) | dict(earlier)

    def _written(self, verdicts: Mapping[str, Any]) -> list[Receipt]:
        final = []
        for effect_id, verdict in verdicts.items():
            if isinstance(verdict, Receipt):
                del self.outbox[effect_id]
                final.append(verdict)
            else:
                doubtful = msgspec.structs.replace(self.outbox[effect_id], fate=Fate.DOUBTFUL)
                self.outbox[effect_id] = doubtful
        return final

    def _look(self) -> None:
        self.held |= {one.entry.slug: one for one in self.body.positions.values()}
        self.decided |= {one.entry.slug: one for one in self.body.decided}

    def _moment(self) -> Moment | None:
        return self.draw.choice(list(Moment)) if self.draw.random() < KILL_SHARE else None

    def _misbehave(self) -> None:
        """Switch on what comes next in the deck, unless enough is on already."""
        faults = self.running.venue.faults
        if self.is_calm or len(faults.describe()) >= FAULTS_AT_ONCE:
            return
        if not self.deck:
            self.rounds += 1
            self.deck = [one for one in FORCED if self.rounds <= ROUNDS_SLOW or one not in SLOW]
            self.draw.shuffle(self.deck)
        fault = self.deck.pop()
        faults.set_all({fault.value: {"count": 1} | FORCED[fault]})

    def _cycle(self, schedule: Schedule) -> Cycle:
        return Cycle(
            number=self.cycle,
            now_ns=schedule.app_boundary_ns(self.cycle),
            seed=seed_of(APP, self.timeline, self.cycle),
            control=self.control,
            epoch=self.epoch,
            release=self.release,
        )

    def _performer(self) -> Performer:
        return Performer(self.trader, self.clock, Log(stream=io.StringIO()))


def timeline_of(running: Running) -> Timeline:
    """Return how wall-clock time maps to the market's."""
    identity = running.venue.identity
    return Timeline(origin_ns=identity.origin_ns, speed=identity.speed)


def fresh_trader(running: Running, config: Config, clock: TraderClock) -> Trader:
    """Return a trader that nothing has been opened of."""
    context = Context(app=APP, release="r1", tree=".", home=".", timeline=timeline_of(running))
    return create_with(config, context, {EXCHANGE_URL: running.url}, clock=clock)


@asynccontextmanager
async def replaced(running: Running, config: Config) -> AsyncIterator[Replaced]:
    """Open the first trader on a served exchange."""
    clock = WithinCycle(running.clock)
    timeline = timeline_of(running)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polymarket, "board_client", partial(_client_at, running.clock))
        trader = fresh_trader(running, config, clock)
        cycle = Schedule(trader.cadence, timeline).cycle_at(running.clock.now_ns) + 1
        await trader.warm(Book())
        world = Replaced(running, trader, timeline, Book(), cycle, clock=clock, config=config)
        try:
            yield world
        finally:
            await world.trader.close()


def _client_at(clock: StandingClock, options: dict[str, Any]) -> Any:  # noqa: ANN401 - as ccxt's
    # What it signs is dated; the exchange refuses dates that lie minutes from its own clock, which
    # moves a second a cycle here, whatever the wall does.
    client = board_client(options)
    client.milliseconds = lambda: clock.now_ns // MS
    client.seconds = lambda: clock.now_ns // NS
    return client
