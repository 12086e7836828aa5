"""One exchange put together: timeline, market, counters, ledger file, faults.

Owns the assembly and the one `commit` that makes entries durable before they count. Must never
enter: HTTP, wire formats, decisions about orders.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foresight.exchange.counters.prediction_desk import Desk
from foresight.exchange.counters.settlement import Ruling, Settler
from foresight.exchange.counters.spot_desk import SpotDesk
from foresight.exchange.counters.trade_course import Course, Trouble, course_of
from foresight.exchange.faults import Fault, FaultPlan, Switch
from foresight.exchange.ledger.file import (
    FORMAT,
    AnyEntry,
    Identity,
    LedgerFile,
    agree,
    open_ledger,
)
from foresight.exchange.ledger.prediction_entries import (
    Entry,
    Fill,
    RedemptionSwitched,
    TickChanged,
)
from foresight.exchange.ledger.predictions import Ledger, Order
from foresight.exchange.ledger.spot import ATOMS, SpotEntry, SpotLedger
from foresight.exchange.market.amounts import TICK_DEFAULT_MICRO
from foresight.exchange.market.calibration import Table
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.table_files import load_table
from foresight.exchange.market.windows import Window, parse_slug
from foresight.exchange.market_clock import NS_PER_MS, NS_PER_SECOND, Now, Timeline, minute_of
from foresight.exchange.prices.candles import CandleSource
from foresight.exchange.prices.recordings import load_recordings
from foresight.exchange.prices.replay import LEAD_MINUTES_DEFAULT, ReplayPrices
from foresight.exchange.prices.synthetic import DEFAULT_ASSETS, SyntheticPrices
from foresight.exchange.prices.tape import Tape

BALANCE_DEFAULT: Final = 10_000
"""Starting balance: USDC of every prediction account, USDT of the spot account."""

RULE_DEFAULT: Final = Rule.AVERAGE
"""How the windows of a new ledger are settled."""

HOLD_DEFAULT_MS: Final = 250
"""How long the markets of a new ledger hold taker orders, market time (as the reference venue)."""

REDEEM_DEFAULT_S: Final = 300
"""How long the shares of a new ledger's ended windows stay, market time from the result."""

REDEEM_MAX_S: Final = 7 * 86_400
"""Longest stay that can be asked for."""

HOLD_MAX_MS: Final = 60_000
"""Longest hold that can be asked for: a fifth of the shortest window."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to start an exchange.

    Attributes:
        folder: Where its ledger lives; one exchange at a time.
        seed: Of the synthetic market, the depth, the dice of the faults.
        origin_ns: Where wall and market time agree; None means the ledger's, or now.
        speed: Market time per wall time, >= 1.
        assets: Board of a synthetic market; ignored with `replay`.
        replay: Folder of recorded candles, or None for a synthetic market.
        lead_minutes: History of a replay before the origin.
        balance: Starting balance in whole units.
        faults: Switches that are on from the start.
        rule: How windows are settled; None means the ledger's, or `RULE_DEFAULT`.
        tick_micro: Tick of its markets; None means the ledger's, or a cent.
        hold_ms: How long its markets hold orders that would execute, market milliseconds, 0 for
            not at all; None means the ledger's, or `HOLD_DEFAULT_MS`.
        redeem_s: Market seconds from a window's result until its shares are redeemed; None means
            the ledger's, or `REDEEM_DEFAULT_S`.
    """

    folder: Path
    seed: int = 1
    origin_ns: int | None = None
    speed: int = 1
    assets: tuple[str, ...] = DEFAULT_ASSETS
    replay: Path | None = None
    lead_minutes: int = LEAD_MINUTES_DEFAULT
    balance: int = BALANCE_DEFAULT
    faults: tuple[tuple[Fault, Switch], ...] = field(default=())
    rule: Rule | None = None
    tick_micro: int | None = None
    hold_ms: int | None = None
    redeem_s: int | None = None


class Venue:
    """Everything behind the HTTP of one exchange."""

    def __init__(
        self,
        settings: Settings,
        *,
        identity: Identity,
        source: CandleSource,
        table: Table,
        file: LedgerFile,
        clock_ns: Callable[[], int],
    ) -> None:
        """Use `open_venue` instead."""
        self.identity = identity
        self.folder = settings.folder
        self.seed = settings.seed
        self.timeline = Timeline(identity.origin_ns, identity.speed)
        self.faults = FaultPlan(seed=settings.seed)
        for fault, switch in settings.faults:
            self.faults.set(fault, switch)
        self.tape = Tape(source, seed=settings.seed)
        self.market = FairMarket(
            self.tape, seed=settings.seed, rule=Rule(identity.rule), table=table
        )
        self.ledger = Ledger()
        self.spot_ledger = SpotLedger("USDT")
        self.table = table
        self._file = file
        self._clock_ns = clock_ns
        for entry in file.entries():
            self._apply(entry)
        self.settler = Settler(
            self.ledger,
            self.market,
            commit=self._commit,
            rule=self._rule,
            redeem_ns=identity.redeem_s * NS_PER_SECOND,
        )
        self.desk = Desk(
            self.ledger,
            self.market,
            commit=self._commit,
            settler=self.settler,
            balance_micro=settings.balance * 1_000_000,
            tick_of=self.tick_of,
            hold_ns=identity.hold_ms * NS_PER_MS,
            trouble=self._trouble,
        )
        self.spot = SpotDesk(
            self.spot_ledger,
            self.tape,
            commit=self._commit_spot,
            reuse_client_ids=lambda: self.faults.draw(Fault.CLIENT_ID_REUSE) is not None,
        )
        self.spot.fund(settings.balance * ATOMS)

    @property
    def replays_fitted(self) -> bool:
        """Whether it replays minutes that its own table of probabilities was fitted on."""
        source, table = self.tape.source, self.table
        if not isinstance(source, ReplayPrices):
            return False
        return source.plays(table.first_minute, table.end_minute)

    def now(self) -> Now:
        """Return this instant in both times."""
        wall_ns = self._clock_ns()
        return Now(wall_ns, self.timeline.market_ns(wall_ns))

    def tick_of(self, window: Window) -> int:
        """Return the tick of a window's market, micro-USDC."""
        return self.ledger.ticks_micro.get(window.slug, self.identity.tick_micro)

    def change_tick(self, window: Window, tick_micro: int) -> None:
        """Give a market another tick from now on, durably; `tick_micro` is one of `TICKS_MICRO`."""
        self._commit([TickChanged(window.slug, tick_micro, self.now().wall_ns)])

    def redeem(self, *, is_automatic: bool) -> None:
        """Redeem the shares of ended windows without being asked from now on, or leave them."""
        if is_automatic != self.ledger.redeems:
            self._commit([RedemptionSwitched(is_automatic, self.now().wall_ns)])

    def course(self, order: Order, fill: Fill) -> Course:
        """Return the state of one of an order's trades, and since when, wall nanoseconds."""
        window = parse_slug(order.terms.slug)
        assert window is not None
        now_ns = self.now().market_ns
        state, since_ns = course_of(fill, end_ns=window.end_ns, market_ns=now_ns)
        passed_ns = (since_ns - fill.market_ns) // self.identity.speed
        return Course(state, fill.wall_ns + passed_ns)

    def advance(self) -> None:
        """Let time do its work on both counters."""
        now = self.now()
        self.desk.advance(now)
        self.spot.advance(now)

    def close(self) -> None:
        """Release the directory."""
        self._file.close()

    def _rule(self, slug: str) -> Ruling | None:
        del slug  # the dice do not care which window it is
        void = self.faults.draw(Fault.VOID_SETTLEMENT)
        delayed = self.faults.draw(Fault.DELAYED_SETTLEMENT)
        if void is None and delayed is None:
            return None
        delay_s = (delayed.seconds or 0.0) if delayed is not None else 0.0
        return Ruling(void is not None, round(delay_s * NS_PER_SECOND))

    def _trouble(self) -> Trouble:
        failing = self.faults.draw(Fault.TRADE_FAILING, ("clob", "orders"))
        switch = failing or self.faults.draw(Fault.TRADE_RETRYING, ("clob", "orders"))
        if switch is None:
            return Trouble()
        return Trouble(round((switch.seconds or 0.0) * NS_PER_SECOND), failing is not None)

    def _commit(self, entries: Sequence[Entry]) -> None:
        self._file.append(entries)
        for entry in entries:
            self.ledger.apply(entry)

    def _commit_spot(self, entries: Sequence[SpotEntry]) -> None:
        self._file.append(entries)
        for entry in entries:
            self.spot_ledger.apply(entry)

    def _apply(self, entry: AnyEntry) -> None:
        if isinstance(entry, SpotEntry):
            self.spot_ledger.apply(entry)
        else:
            self.ledger.apply(entry)


def open_venue(settings: Settings, clock_ns: Callable[[], int]) -> Venue:
    """Open a directory and put an exchange together on it.

    Args:
        settings: How.
        clock_ns: Wall clock, nanoseconds since 1970 UTC.

    Raises:
        DirectoryInUseError: Another exchange runs on the directory.
        TimelineMismatchError: The directory belongs to another timeline.
        LedgerDamagedError: The ledger cannot be read.
        TableError: The table of probabilities cannot be used.
        RecordingError: The recordings cannot be used.
    """
    recordings = load_recordings(settings.replay) if settings.replay is not None else None
    file = open_ledger(settings.folder)
    try:
        kept = file.identity()
        origin_ns = settings.origin_ns
        if origin_ns is None:
            origin_ns = kept.origin_ns if kept is not None else clock_ns()
        origin_minute = minute_of(origin_ns)
        source: CandleSource
        if recordings is None:
            source = SyntheticPrices(
                seed=settings.seed, origin_minute=origin_minute, assets=settings.assets
            )
        else:
            source = ReplayPrices(
                recordings, origin_minute=origin_minute, lead_minutes=settings.lead_minutes
            )
        identity = Identity(
            seed=settings.seed,
            origin_ns=origin_ns,
            speed=settings.speed,
            assets=tuple(source.assets),
            source="synthetic" if settings.replay is None else settings.replay.name,
            format=FORMAT if kept is None else min(kept.format, FORMAT),
            rule=_rule_of(settings, kept),
            tick_micro=_tick_of(settings, kept),
            hold_ms=_hold_of(settings, kept),
            redeem_s=_redeem_of(settings, kept),
        )
        if kept is None:
            file.begin(identity)
        else:
            agree(kept, identity)
        return Venue(
            settings,
            identity=identity,
            source=source,
            table=load_table("synthetic" if recordings is None else "recorded"),
            file=file,
            clock_ns=clock_ns,
        )
    except BaseException:
        file.close()
        raise


def _rule_of(settings: Settings, kept: Identity | None) -> str:
    if settings.rule is not None:
        return settings.rule.value
    return kept.rule if kept is not None else RULE_DEFAULT.value


def _tick_of(settings: Settings, kept: Identity | None) -> int:
    if settings.tick_micro is not None:
        return settings.tick_micro
    return kept.tick_micro if kept is not None else TICK_DEFAULT_MICRO


def _hold_of(settings: Settings, kept: Identity | None) -> int:
    if settings.hold_ms is not None:
        return settings.hold_ms
    return kept.hold_ms if kept is not None else HOLD_DEFAULT_MS


def _redeem_of(settings: Settings, kept: Identity | None) -> int:
    if settings.redeem_s is not None:
        return settings.redeem_s
    return kept.redeem_s if kept is not None else REDEEM_DEFAULT_S
