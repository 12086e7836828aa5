"""One slot over time: its price, what was bought and why, and how that ended.

Owns the way from a book to these values. The book keeps two hours of closes and so many trades in
full; nothing older is shown. Times are wall-clock milliseconds, prices of shares USDC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from foresight.board import MICRO, MINUTE_S, Slot, Window, window_at
from foresight.book import Book, decided_here
from foresight.closes import Closes
from foresight.dashboard.hues import hue_of
from foresight.dashboard.slots import SlotView, known_slots, slot_views
from foresight.trades import Decided, OpenOrder, Position
from foresight.trades import Entry as TradeEntry
from handoff.cadence import Cadence, Schedule, app_time_ns, wall_time_ns
from handoff.limits import MS, NS
from state.record import Cadence as Kept
from state.record import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """What was bought in one window, or is being.

    Attributes:
        bought_ms: When the cycle that decided it began.
        ends_ms: When its window ends.
        side: `up` or `down`.
        shares: How many; of an order, at most.
        price: Paid per share, or the highest that would be.
        probability: What we thought the chance was; None if it was adopted.
        state: `won`, `lost`, `void`, `open`, `waiting` for the venue, or `ordered`.
        profit: After fees, USDC; None before it is decided.
        release: Id of the release that wanted it; empty if it was adopted.
        name: Its short name.
        hue: Of its colour, degrees.
        why: The reason, in a sentence.
    """

    bought_ms: int
    ends_ms: int
    side: str
    shares: float
    price: float
    probability: float | None
    state: str
    profit: float | None
    release: str
    name: str
    hue: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotHistory:
    """One slot.

    Attributes:
        card: What the board shows of it now.
        at_ms: When each close was.
        prices: The closes, oldest first.
        bets: Newest first.
        window_ms: Length of a window, wall-clock.
        window_from_ms: Start of the running one.
    """

    card: SlotView
    at_ms: tuple[int, ...] = ()
    prices: tuple[float, ...] = ()
    bets: tuple[Bet, ...] = ()
    window_ms: int = 0
    window_from_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How numbers of the book become moments.

    Attributes:
        timeline: How wall-clock time maps to application time.
        cadence: When cycles begin; None where no owner has said it yet.
        now_ms: Wall-clock time.
        names: Short names by release id.
    """

    timeline: Timeline
    cadence: Kept | None
    now_ms: int
    names: Mapping[str, str] = field(default_factory=dict)

    def wall_ms(self, app_s: int) -> int:
        """Return a moment of application time on the wall clock."""
        return wall_time_ns(self.timeline, app_s * NS) // MS

    def began_ms(self, cycle: int) -> int:
        """Return when a cycle began."""
        if self.cadence is None:
            return self.wall_ms(cycle * MINUTE_S)
        held = Cadence(period_ns=self.cadence.period_ns, offset_ns=self.cadence.offset_ns)
        return Schedule(held, self.timeline).boundary_ns(cycle) // MS


def slot_history(
    book: Book, slot_id: str, clock: Clock, is_in: Callable[[int], bool]
) -> SlotHistory | None:
    """Return one slot in a range, or None where the book knows no such slot.

    Args:
        book: What the trader knows.
        slot_id: As on the board, `btc-5m`.
        clock: How its numbers become moments.
        is_in: Tells whether a moment lies in the range.
    """
    slot = next((each for each in known_slots(book) if each.slot_id == slot_id), None)
    if slot is None:
        return None
    window = window_at(slot, app_time_ns(clock.timeline, clock.now_ms * MS) // NS)
    closes = book.closes.get(slot.asset, Closes())
    points = [
        # A close is the price at the end of its minute.
        (clock.wall_ms((minute + 1) * MINUTE_S), price)
        for minute, price in zip(closes.minutes, closes.prices, strict=True)
    ]
    shown = [point for point in points if is_in(point[0])]
    return SlotHistory(
        card=_card(book, slot, clock),
        at_ms=tuple(at_ms for at_ms, _ in shown),
        prices=tuple(price for _, price in shown),
        bets=tuple(bet for bet in _bets(book, slot, window, clock) if is_in(bet.ends_ms)),
        window_ms=clock.wall_ms(window.end_s) - clock.wall_ms(window.start_s),
        window_from_ms=clock.wall_ms(window.start_s),
    )


def _card(book: Book, slot: Slot, clock: Clock) -> SlotView:
    cards = slot_views(book, clock.timeline, clock.now_ms)
    return next(card for card in cards if card.slot == slot.slot_id)


def _bets(book: Book, slot: Slot, window: Window, clock: Clock) -> list[Bet]:
    decided = [
        _decided(each, clock) for each in decided_here(book) if each.entry.slot == slot.slot_id
    ]
    held = [
        _held(each, window, clock)
        for each in book.positions.values()
        if each.entry.slot == slot.slot_id
    ]
    ordered = [
        _ordered(each, clock) for each in book.orders.values() if each.entry.slot == slot.slot_id
    ]
    found = [*decided, *held, *ordered]
    return sorted(found, key=lambda bet: (bet.ends_ms, bet.bought_ms), reverse=True)


def _decided(trade: Decided, clock: Clock) -> Bet:
    outcome = "won" if trade.is_won else "lost"
    return _bet(
        trade.entry,
        clock,
        shares_micro=trade.shares_micro,
        price=trade.cost_micro / trade.shares_micro,
        fee=trade.fee_micro / trade.shares_micro,
        state="void" if trade.result.value == "void" else outcome,
        profit=trade.profit_micro / MICRO,
    )


def _held(position: Position, window: Window, clock: Clock) -> Bet:
    return _bet(
        position.entry,
        clock,
        shares_micro=position.shares_micro,
        price=position.price_micro / MICRO,
        fee=position.fee_micro / position.shares_micro,
        state="open" if position.entry.end_s > window.start_s else "waiting",
    )


def _ordered(order: OpenOrder, clock: Clock) -> Bet:
    price = order.limit_micro / MICRO
    return _bet(order.entry, clock, shares_micro=order.shares_micro, price=price, state="ordered")


def _bet(
    entry: TradeEntry,
    clock: Clock,
    *,
    shares_micro: int,
    price: float,
    state: str,
    fee: float = 0.0,
    profit: float | None = None,
) -> Bet:
    return Bet(
        # An adopted one was found, not bought: nobody here knows when it was.
        bought_ms=clock.wall_ms(entry.end_s) if not entry.cycle else clock.began_ms(entry.cycle),
        ends_ms=clock.wall_ms(entry.end_s),
        side=entry.side.value,
        shares=shares_micro / MICRO,
        price=price,
        probability=None if entry.is_adopted else entry.probability_ppm / MICRO,
        state=state,
        profit=profit,
        release=entry.release,
        name=clock.names.get(entry.release, entry.release[:12]),
        hue=hue_of(entry.release),
        why=why_of(entry, price=price, fee=fee),
    )


def why_of(entry: TradeEntry, *, price: float, fee: float) -> str:
    """Return why something was bought, in a sentence.

    Args:
        entry: Who decided it.
        price: Paid per share, without fee.
        fee: Paid per share; 0 where it is not known yet.
    """
    if entry.is_adopted:
        return "Found at the venue, not bought by this bot."
    chance = entry.probability_ppm / MICRO
    cents = (chance - price - fee) * 100
    paid = "price and fee" if fee else "the highest price"
    more = "more" if cents >= 0 else "less"
    seemed = f"{entry.side.value.capitalize()} seemed {chance:.1%} likely"
    return f"{seemed}: {abs(cents):.1f} ¢ a share {more} than {paid}."
