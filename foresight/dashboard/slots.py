"""The board's slots as cards: window, price against reference, what is held, what came last.

Owns what is said of one slot at one moment. Everything comes from the book; the market is never
asked from here. Prices of shares are USDC, times are wall-clock milliseconds.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from foresight.board import MICRO, MINUTE_S, TIMEFRAME_S, Slot, Window, window_at, window_of_slug
from foresight.book import Book, SlotMemory, Word, decided_here, memory_of
from foresight.closes import Closes
from foresight.config import ASSETS
from foresight.trades import Decided, OpenOrder, Position
from handoff.cadence import app_time_ns, wall_time_ns
from handoff.limits import MS, NS
from state.record import Timeline

PATH_WINDOWS: Final = 4  # of the price are drawn, the running one at the end
OLD_MINUTES: Final = 1  # a newest close that lacks more than that of the newest cycle is old
_TIMEFRAMES: Final = tuple(TIMEFRAME_S)


class Held(enum.StrEnum):
    """What is held or wanted in a slot."""

    NOTHING = "nothing"
    ORDERED = "ordered"  # an order has no receipt yet
    OPEN = "open"  # a position in the running window
    AWAITING = "awaiting"  # its window ended, the venue has not ruled yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position or an order.

    Attributes:
        held: Which of them.
        side: `up` or `down`.
        price: Mean price paid per share, or the highest that would be.
        shares: How many.
        probability: What we thought the chance was; None if it was adopted.
        is_adopted: Found at the venue, not bought by this book.
        is_ahead: The price stands on its side now; None where that is not known.
        release: Release that decided it.
        until_ms: When its window ended, wall-clock; 0 of the running one.
        more: Further positions of the running window that are not shown.
    """

    held: Held
    side: str
    price: float
    shares: float
    probability: float | None = None
    is_adopted: bool = False
    is_ahead: bool | None = None
    release: str = ""
    until_ms: int = 0
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResult:
    """The newest decided trade of a slot: `won`, `lost` or `void`, and USDC after fees."""

    outcome: str
    profit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """One card.

    Attributes:
        slot: Slot id.
        asset: Its asset.
        timeframe: Its timeframe.
        window_from_ms: Start of the running window, wall-clock.
        window_until_ms: Its end.
        price: Newest close, or None.
        price_at_ms: When it was that, wall-clock, if newer ones are lacking; None otherwise.
        reference: Price to beat, or None.
        move: Price over reference minus one; None where either is unknown, or the price is old.
        path: Closes of the last minutes, oldest first.
        path_in_window: How many of them, from the end, belong to the running window.
        holding: What is held of the running window, or None.
        ended: What is held of windows that ended, newest first; no price of now is theirs.
        last: The newest decided trade, or None.
        word: What became of the last look.
        reason: Why.
        probability_up: The strategy's probability of Up, or None.
    """

    slot: str
    asset: str
    timeframe: str
    window_from_ms: int
    window_until_ms: int
    price: float | None = None
    price_at_ms: int | None = None
    reference: float | None = None
    move: float | None = None
    path: tuple[float, ...] = ()
    path_in_window: int = 0
    holding: Holding | None = None
    ended: tuple[Holding, ...] = ()
    last: LastResult | None = None
    word: str = Word.NEW.value
    reason: str = ""
    probability_up: float | None = None


def slot_views(book: Book, timeline: Timeline, now_ms: int) -> tuple[SlotView, ...]:
    """Return a card for every slot that the book knows: by asset, shorter windows first.

    Args:
        book: What the trader knows.
        timeline: How wall-clock time maps to application time.
        now_ms: Wall-clock milliseconds.
    """
    now_s = app_time_ns(timeline, now_ms * MS) // NS
    return tuple(_view(book, slot, timeline, now_s) for slot in known_slots(book))


def known_slots(book: Book) -> tuple[Slot, ...]:
    """Return the slots in the book's memory, in the order of the default board."""
    found: list[Slot] = []
    for slot_id in book.slots:
        asset, _, timeframe = slot_id.upper().rpartition("-")
        if asset and timeframe.lower() in TIMEFRAME_S:
            found.append(Slot(asset, timeframe.lower()))
    return tuple(sorted(found, key=_place))


def _place(slot: Slot) -> tuple[int, str, int]:
    known = ASSETS.index(slot.asset) if slot.asset in ASSETS else len(ASSETS)
    return known, slot.asset, _TIMEFRAMES.index(slot.timeframe)


def _view(book: Book, slot: Slot, timeline: Timeline, now_s: int) -> SlotView:
    window = window_at(slot, now_s)
    memory = memory_of(book, slot.slot_id)
    closes = book.closes.get(slot.asset, Closes())
    is_current = memory.start_s == window.start_s
    reference = _reference(memory, closes, window)
    price = closes.prices[-1] if closes.prices else (memory.price or None)
    old_s = _old_s(closes, book.now_s)
    move = price / reference - 1.0 if price and reference and old_s is None else None
    drawn = PATH_WINDOWS * slot.length_s // MINUTE_S
    holding, ended = _held_in(book, window, move, timeline)
    inside = sum(minute >= window.start_s // MINUTE_S for minute in closes.minutes[-drawn:])
    return SlotView(
        slot=slot.slot_id,
        asset=slot.asset,
        timeframe=slot.timeframe,
        window_from_ms=wall_time_ns(timeline, window.start_s * NS) // MS,
        window_until_ms=wall_time_ns(timeline, window.end_s * NS) // MS,
        price=price,
        price_at_ms=None if old_s is None else wall_time_ns(timeline, old_s * NS) // MS,
        reference=reference,
        move=move,
        path=closes.prices[-drawn:],
        path_in_window=inside,
        holding=holding,
        ended=ended,
        last=_last(decided_here(book), slot.slot_id),
        word=memory.word.value if is_current else Word.NEW.value,
        reason=memory.reason if is_current else "",
        probability_up=memory.probability_ppm / MICRO
        if is_current and memory.probability_ppm
        else None,
    )


def _old_s(closes: Closes, now_s: int) -> int | None:
    """Return the end of the newest minute that is known where the newest cycle lacks newer ones."""
    is_old = closes.newest < now_s // MINUTE_S - 1 - OLD_MINUTES
    return (closes.newest + 1) * MINUTE_S if closes.minutes and is_old else None


def _reference(memory: SlotMemory, closes: Closes, window: Window) -> float | None:
    if memory.start_s == window.start_s and memory.reference > 0:
        return memory.reference
    facts = memory.facts
    if facts is not None and facts.start_s == window.start_s and facts.reference > 0:
        return facts.reference
    return closes.at(window.start_s // MINUTE_S - 1)


def _held_in(
    book: Book, window: Window, move: float | None, timeline: Timeline
) -> tuple[Holding | None, tuple[Holding, ...]]:
    """Return what is held of the running window, and what of those that ended."""
    slot_id = window.slot.slot_id
    held = [each for each in book.positions.values() if _slot_of(each) == slot_id]
    held.sort(key=lambda each: each.entry.end_s, reverse=True)
    orders = [each for each in book.orders.values() if each.entry.slot == slot_id]
    running = [
        *(_position(each, window, move) for each in held if each.entry.end_s > window.start_s),
        *(_order(each) for each in orders if each.entry.end_s > window.start_s),
    ]
    ended = [
        replace(shown, until_ms=wall_time_ns(timeline, end_s * NS) // MS)
        for shown, end_s in (
            *((_position(each, window, move), each.entry.end_s) for each in held),
            *((_order(each), each.entry.end_s) for each in orders),
        )
        if end_s <= window.start_s
    ]
    first = replace(running[0], more=len(running) - 1) if running else None
    return first, tuple(ended)


def _slot_of(position: Position) -> str:
    window = window_of_slug(position.entry.slug)
    return position.entry.slot if window is None else window.slot.slot_id


def _position(position: Position, window: Window, move: float | None) -> Holding:
    entry = position.entry
    is_open = entry.end_s > window.start_s
    ahead = None if move is None or not is_open else (move >= 0) == (entry.side.value == "up")
    return Holding(
        held=Held.OPEN if is_open else Held.AWAITING,
        side=entry.side.value,
        price=position.price_micro / MICRO,
        shares=position.shares_micro / MICRO,
        probability=None if entry.is_adopted else entry.probability_ppm / MICRO,
        is_adopted=entry.is_adopted,
        is_ahead=ahead,
        release=entry.release,
    )


def _order(order: OpenOrder) -> Holding:
    return Holding(
        held=Held.ORDERED,
        side=order.entry.side.value,
        price=order.limit_micro / MICRO,
        shares=order.shares_micro / MICRO,
        probability=order.entry.probability_ppm / MICRO,
        release=order.entry.release,
    )


def _last(decided: Iterable[Decided], slot_id: str) -> LastResult | None:
    newest = next((trade for trade in reversed([*decided]) if trade.entry.slot == slot_id), None)
    if newest is None:
        return None
    outcome = "won" if newest.is_won else "lost"
    outcome = "void" if newest.result.value == "void" else outcome
    return LastResult(outcome=outcome, profit=newest.profit_micro / MICRO)
