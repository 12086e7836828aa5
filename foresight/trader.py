"""The trader as a workload of the engine.

Owns what a cycle asks of the outside world, how effects reach the venue, and how both are put
together from `foresight.toml`. What is decided is in `decision`; what answers mean is in the
adapters. A slot's or an asset's failure is recorded in its own place; only when nothing at all
was answered is a cycle without inputs.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec
from typing_extensions import override

from foresight import (
    appraisal,
    confirmation,
    decision,
    market,
    reconcile,
    settlement,
    window_facts,
)
from foresight.board import NS, Side, slots_of, window_at
from foresight.book import SCHEMA as BOOK
from foresight.book import Book, violations_of
from foresight.closes import Closes
from foresight.config import Config, config_hash
from foresight.errors import VenueError, VenueUnreachable
from foresight.feeds.base import Feed
from foresight.feeds.binance import BinanceCandles
from foresight.feeds.closed_candles import closed_candles
from foresight.feeds.streamed import StreamedCandles
from foresight.market import SCHEMA as MARKET
from foresight.market import (
    Candles,
    FeedClock,
    Holdings,
    Market,
    Offer,
    Ruling,
    Stage,
    Trades,
    WindowFacts,
)
from foresight.orders import KIND, PAYLOAD, Bought, Buy
from foresight.overridden import load_release
from foresight.own_strategies import load_own
from foresight.places import project_of
from foresight.sound_config import refuse_unsound
from foresight.strategies.registry import own_names
from foresight.table_files import strategies_of
from foresight.venues.base import Missing, NotBought, Venue, Waiting
from foresight.venues.ccxt_calls import AnswerT, Requests
from foresight.venues.client_options import client_options
from foresight.venues.keys import key_file_of
from foresight.venues.paper import Paper
from foresight.venues.polymarket import Polymarket
from foresight.venues.request_budget import SPENT, Budget
from foresight.venues.waiting import until_reachable
from handoff.cadence import Schedule, app_time_ns, every, wall_time_ns
from handoff.limits import MS
from handoff.worker.boundary_clock import system_clock
from handoff.worker.ports import Clock
from handoff.workload import (
    Absent,
    Appraisal,
    Context,
    Cycle,
    Decision,
    NotReady,
    Pending,
    Ready,
    Reconciliation,
    TwiceDecided,
    Unavailable,
    Unknown,
    Violation,
    Workload,
    payload_of,
    receipt,
)
from state.journal_frames import Health
from state.record import Effect, Outcome, Receipt
from state.schema import Schema

ANSWER_S_MAX: Final = 5.0  # longest wait for an answer, however long the period is
ANSWER_SHARE: Final = 0.3  # of a period: two rounds of requests fit into half of it
CLOCKS_DIFFER_S: Final = 60  # so far the venue's clock may be behind: its trades are asked for
WAIT_SHARE: Final = 0.4  # of the budget, for the feed's clock: what is asked then takes the rest
PAGES_SHARE: Final = 0.5  # of the budget, for what comes page by page: books take the rest
WARM_MINUTES: Final = 3  # candles that a warming worker fetches to see that the feed answers


class Trader(Workload[Book, Market]):
    """The trading system in one worker."""

    body = BOOK
    inputs = MARKET
    effect_kinds: ClassVar[Mapping[str, Schema[Any]]] = {KIND: PAYLOAD}
    # Clients' own errors are translated where they are called (`venues.ccxt_calls`).
    outside: ClassVar[tuple[type[Exception], ...]] = (VenueError,)

    def __init__(
        self,
        policy: decision.Policy,
        config: Config,
        *,
        feed: Feed,
        venue: Venue,
        clock: Clock,
    ) -> None:
        """Put the parts together; nothing is opened yet.

        Args:
            policy: What to decide by.
            config: The configuration it came from.
            feed: Where candles come from.
            venue: Where orders go.
            clock: Says when the market was seen.
        """
        engine = config.engine
        self.cadence = every(engine.period_s, catch_up_s=engine.catch_up_s or None)
        self._policy = policy
        self._feed = feed
        self._venue = venue
        self._positions_every = config.venue.positions_every
        self._clock = clock
        self._is_warm = False
        budget_s = Schedule(self.cadence, policy.timeline).bounds.budget_ns / NS
        self._wait_s = min(policy.risk.clock_skew_s, WAIT_SHARE * budget_s)
        self._pages_s = PAGES_SHARE * budget_s

    @override
    async def warm(self, body: Book) -> None:
        """Open the clients and see that feed and venue answer; raise to refuse the release."""
        await until_reachable(self._reach)
        self._is_warm = True

    async def _reach(self) -> None:
        # One after the other: what is left of an attempt must not run beside the next one.
        await self._feed.open()
        await self._venue.open()
        minute = self._now_s() // 60
        newest = dict.fromkeys(self._assets(), minute - WARM_MINUTES)
        candles = await self._feed.fetch(newest, end_minute=minute)
        if all(fresh.failure for fresh in candles.values()):
            raise VenueUnreachable(next(iter(candles.values())).failure)
        await self._look_once()

    @override
    async def follow(self, cycle: Cycle, body: Book) -> Ready | NotReady:
        # Every cycle fetches what is missing since the body's newest candle: nothing to keep up.
        return Ready() if self._is_warm else NotReady("its clients are not open yet")

    @override
    async def observe(self, cycle: Cycle, body: Book) -> Market | Unavailable:
        return await self._observed(cycle, body, owner=True)

    async def _observed(self, cycle: Cycle, body: Book, *, owner: bool) -> Market | Unavailable:
        self._feed.budget.ask_as(owner=owner)
        due = settlement.due(body, cycle.now_ns // NS, turn=cycle.number)
        (clock, candles), rulings, holdings, facts, trades = await asyncio.gather(
            self._candles(cycle, body),
            self._rulings(due),
            self._holdings() if cycle.number % self._positions_every == 0 else _nothing(),
            self._facts(body, cycle.now_ns // NS),
            self._trades(body),
        )
        failures = [fresh.failure for fresh in candles.values()]
        if all(failures) and all(ruling.failure for ruling in rulings):
            return Unavailable(failures[0])
        seen = Market(
            candles=candles,
            rulings=rulings,
            holdings=holdings,
            trades=trades,
            facts={slot: said for slot, said in facts.items() if not isinstance(said, str)},
            facts_unread={slot: said for slot, said in facts.items() if isinstance(said, str)},
            clock=clock,
        )
        offers = await self._offers(cycle, body, seen)
        # By the feed's clock, which goes on while books are asked for.
        now_ms = self._app_ns(clock.ahead_ms) // MS
        return msgspec.structs.replace(
            seen,
            offers=offers,
            clock=msgspec.structs.replace(clock, now_ms=now_ms),
            seen_s=self._now_s(),
        )

    @override
    async def observe_beside(self, cycle: Cycle, body: Book) -> Market | Unavailable:
        found = await self._observed(cycle, body, owner=False)
        # What was left unasked for the owner's sake is no evidence of what this release gets.
        return Unavailable(SPENT) if self._feed.budget.is_spent else found

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Book,
        inputs: Market | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Book]:
        return decision.decide(
            self._policy, cycle=cycle, body=body, inputs=inputs, receipts=receipts
        )

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        answer = await self._venue.buy(payload_of(effect, Buy))
        return Pending(answer.reason) if isinstance(answer, Waiting) else _receipt(effect, answer)

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        answer = await self._venue.find(payload_of(effect, Buy))
        match answer:
            case Waiting():
                return Unknown(answer.reason)
            case Missing():
                # The same salt and time stamp make the same hash: a second one is refused.
                return Absent(enforced=answer.is_final, repeatable=True)
            case Bought() | NotBought():
                return _receipt(effect, answer)

    @override
    async def reconcile(self, body: Book, pending: Sequence[Effect]) -> Reconciliation:
        strange = reconcile.strange_kind(body, self._policy.venue)
        if strange:
            return Reconciliation(differences=(strange,))
        holdings = await self._venue.holdings()  # its silence is the world's: asked again
        if holdings is None:
            return Reconciliation()
        found = reconcile.differences(body, holdings, now_s=self._now_s())
        # Unknown shares may be of the owner's newest orders, decided after this body was read;
        # if they are not, the owner adopts them within a few cycles.
        return Reconciliation(
            differences=tuple(
                f"{one.kind} {one.slug}: {one.detail}"
                for one in found
                if not (one.kind == reconcile.ADOPTED and one.is_newer)
            )
        )

    @override
    def invariants(self, body: Book) -> Sequence[Violation]:
        strange = reconcile.strange_kind(body, self._policy.venue)
        reasons = [*violations_of(body), *([strange] if strange else [])]
        return [Violation(reason) for reason in reasons]

    @override
    def health(self, inputs: Market | Unavailable) -> Health:
        if isinstance(inputs, Market):
            return market.health_of(inputs)
        return Health() if inputs.reason == SPENT else super().health(inputs)

    @override
    def appraise(self, body: Book, cycles: Iterable[TwiceDecided[Market]]) -> Appraisal:
        return appraisal.appraise(body, cycles)

    @override
    async def close(self) -> None:
        self._is_warm = False
        await asyncio.gather(self._feed.close(), self._venue.close())

    def _assets(self) -> list[str]:
        return list(dict.fromkeys(slot.asset for slot in self._policy.slots))

    def _now_s(self) -> int:
        return self._app_ns(0) // NS

    def _app_ns(self, ahead_ms: int) -> int:
        return app_time_ns(self._policy.timeline, self._clock.now_ns() + ahead_ms * MS)

    async def _candles(self, cycle: Cycle, body: Book) -> tuple[FeedClock, dict[str, Candles]]:
        return await closed_candles(
            self._feed,
            self._clock,
            {asset: body.closes.get(asset, Closes()).newest for asset in self._assets()},
            timeline=self._policy.timeline,
            end_minute=cycle.now_ns // NS // 60,
            wait_s=self._wait_s,
        )

    async def _look_once(self) -> None:
        # The first event and the first book cost a client 0.1 s once: not in a cycle, then. What
        # they say does not matter here; a slot that cannot be read is denied when it speaks.
        slot = self._policy.slots[0]
        window = window_at(slot, self._now_s())
        await self._venue.offers({slot.slot_id: (window.slug, Side.UP)})

    async def _rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        try:
            return await self._venue.rulings(slugs)
        except VenueError as error:
            return tuple(Ruling(slug=slug, failure=str(error)[:200]) for slug in slugs)

    async def _to_its_end(self, reading: Awaitable[AnswerT]) -> AnswerT:
        # A listing may have any number of pages, each with a wait of its own: it costs what it
        # would have said, and never the cycle.
        try:
            async with asyncio.timeout(self._pages_s):
                return await reading
        except TimeoutError as error:
            what = f"not read to its end within {self._pages_s:g} s: many pages, or slow ones"
            raise VenueUnreachable(what) from error

    async def _holdings(self) -> Holdings | None:
        try:
            return await self._to_its_end(self._venue.holdings())
        except VenueError as error:
            return Holdings(failure=f"{type(error).__name__}: {error}"[:200])

    async def _trades(self, body: Book) -> Trades | None:
        wanted = confirmation.waited_for(body)
        if not wanted:
            return None
        since_ns = wall_time_ns(self._policy.timeline, confirmation.since_s(body) * NS)
        stages: dict[str, Stage] = {}

        async def read() -> None:
            async for some in self._venue.trades(wanted, since_s=since_ns // NS - CLOCKS_DIFFER_S):
                stages.update(some)

        try:
            await self._to_its_end(read())
        except VenueError as error:
            # What was said holds. Dropped, it is waited for, and the listing only grows.
            return Trades(stages=stages, failure=f"{type(error).__name__}: {error}"[:200])
        return Trades(stages=stages)

    async def _facts(self, body: Book, now_s: int) -> dict[str, WindowFacts | str]:
        policy = self._policy
        wanted = window_facts.unread(body, policy.slots, risk=policy.risk, now_s=now_s)
        try:
            said = await self._venue.facts(tuple(wanted.values()))
        except VenueError as error:
            return dict.fromkeys(wanted, str(error)[:200])
        return {slot_id: said[slug] for slot_id, slug in wanted.items()}

    async def _offers(self, cycle: Cycle, body: Book, seen: Market) -> dict[str, Offer]:
        wanted = decision.wanted(self._policy, book=body, inputs=seen, cycle=cycle)
        try:
            return await self._venue.books(wanted)
        except VenueError as error:
            return {
                slot_id: Offer(slug=one.slug, side=one.side, failure=str(error)[:200])
                for slot_id, one in wanted.items()
            }


async def _nothing() -> None:
    return None


def _receipt(effect: Effect, answer: Bought | NotBought) -> Receipt:
    if isinstance(answer, Bought):
        return receipt(effect, Outcome.CONFIRMED, payload=answer)
    return receipt(effect, Outcome.REFUSED, reason=answer.reason)


def create(context: Context, kind: type[Trader] = Trader) -> Trader:
    """Return the trader of a release.

    Args:
        context: Where it runs; `foresight.toml` is read from its tree.
        kind: Its class: a project may have one of its own.

    Raises:
        ConfigError: The configuration says something unknown or impossible.
    """
    loaded = load_release(context.tree, os.environ)
    for key in loaded.ignored:
        sys.stderr.write(f"override {key} is not known to this release: it goes by its file\n")
    return create_with(loaded.config, context, os.environ, clock=system_clock(), kind=kind)


def create_with(
    config: Config,
    context: Context,
    environment: Mapping[str, str],
    *,
    clock: Clock,
    kind: type[Trader] = Trader,
) -> Trader:
    """Return a trader for a configuration.

    Args:
        config: The configuration.
        context: Where it runs.
        environment: Variables: where the local exchange is, whether live was asked for.
        clock: Says when the market was seen.
        kind: The trader's class.

    Raises:
        ConfigError: The configuration says something impossible.
    """
    refuse_unsound(config, environment)
    own = load_own(own_names(config))
    strategies, files = strategies_of(config, own, Path(context.tree), environment)
    policy = decision.Policy(
        app=context.app,
        config=config_hash(config, files),
        venue=config.venue.kind,
        timeline=context.timeline,
        slots=slots_of(config.board.assets, config.board.timeframes),
        strategies=strategies,
        risk=config.risk,
    )
    period_s = config.engine.period_s / context.timeline.speed
    timeout_s = config.venue.timeout_s or min(ANSWER_S_MAX, ANSWER_SHARE * period_s)
    spot, board = client_options(config.venue, environment, timeout_s=timeout_s)

    def requests() -> Requests:
        budget = Budget(clock.monotonic_ns)
        return Requests(config.venue.requests_at_once, timeout_s=timeout_s, budget=budget)

    asked = requests()
    feed: Feed = BinanceCandles(spot, quote=config.venue.quote, requests=asked)
    if config.venue.stream:
        feed = StreamedCandles(
            spot,
            assets=config.board.assets,
            quote=config.venue.quote,
            requests=asked,
            stale_s=config.venue.stream_stale_s,
            monotonic_ns=clock.monotonic_ns,
        )
    # Read when the venue is opened: a replay, a verification and a command open none.
    project = project_of(environment, Path(context.tree))

    def key() -> str:
        return key_file_of(config, environment, project).read()

    venue: Venue = Polymarket(
        board,
        requests=requests(),
        key=key if config.venue.kind == "live" else None,
    )
    if config.venue.kind == "paper":
        venue = Paper(venue)
    return kind(policy, config, feed=feed, venue=venue, clock=clock)
