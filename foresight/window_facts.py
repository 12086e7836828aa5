"""What a market says of its window, before anybody trades it: asked once, kept, and believed.

Owns which windows are asked about, how the answers are kept in the slots' memory, what the price to
beat is, and how an offer is begun from what is known. The price to beat is the market's word; our
feed's own is there to check it by, and stands in for it where a configuration allows that. How a
market is asked is its adapter's matter.
"""

from collections.abc import Iterable, Mapping

import msgspec

from foresight.board import MINUTE_S, Method, Rules, Side, Slot, Window, window_at
from foresight.book import Book, memory_of
from foresight.closes import Closes
from foresight.config import Risk
from foresight.market import Offer, WindowFacts
from foresight.measured import measured
from foresight.risk import Denial


def unread(book: Book, slots: Iterable[Slot], *, risk: Risk, now_s: int) -> dict[str, str]:
    """Return the slugs of running windows that are asked about, by slot id.

    A window is asked about until it has answered: once, then, but for a market that does not say
    its price to beat yet where that is required.

    Args:
        book: What is known.
        slots: The board.
        risk: Whether the price to beat is required.
        now_s: Application time.
    """
    windows = {slot.slot_id: window_at(slot, now_s) for slot in slots}
    return {
        slot_id: window.slug
        for slot_id, window in windows.items()
        if not _is_complete(facts_of(book, window), risk)
    }


def note(book: Book, found: Mapping[str, WindowFacts]) -> None:
    """Keep what markets said, in the memory of their slots.

    Args:
        book: Changed.
        found: By slot id.
    """
    for slot_id, facts in found.items():
        memory = memory_of(book, slot_id)
        book.slots[slot_id] = msgspec.structs.replace(memory, facts=facts)


def facts_of(book: Book, window: Window) -> WindowFacts | None:
    """Return what is known of a window, or None: what was said of another one is not."""
    facts = memory_of(book, window.slot.slot_id).facts
    return facts if facts is not None and facts.start_s == window.start_s else None


def price_to_beat(
    facts: WindowFacts | None, window: Window, closes: Closes, *, risk: Risk
) -> float | Denial:
    """Return a window's price to beat, > 0, or why it is not known.

    Args:
        facts: What the market says of the window; None while it has not answered.
        window: Which window.
        closes: The asset's candles up to now.
        risk: How far the market's word may lie from our feed's.
    """
    if facts is None:
        return Denial.FACTS_UNREAD
    if facts.rules is None:
        return Denial.RULES_UNKNOWN
    ours = own_price_to_beat(facts.rules.method, window, closes)
    if ours is not None and not facts.reference:
        return Denial.REFERENCE_UNVERIFIED if risk.reference_required else ours
    check = (ours, 0.0) if ours is not None else _stand_in(window, closes)
    if check is None or not facts.reference:
        return Denial.REFERENCE_MISSING
    price, further = check
    tolerance = (risk.reference_tolerance_sigmas + further) * measured(closes).sigma
    is_ours = abs(facts.reference / price - 1.0) <= tolerance
    return facts.reference if is_ours else Denial.REFERENCE_UNVERIFIED


def own_price_to_beat(method: Method, window: Window, closes: Closes) -> float | None:
    """Return our feed's price to beat by the market's rule, or None where a candle is missing.

    Args:
        method: `LAST_PRICE` takes the close of the minute before the window, `AVERAGE_60S`
            (open + high + low + close) / 4 of it.
        window: Which window.
        closes: The asset's candles.
    """
    minute = window.start_s // MINUTE_S - 1
    match method:
        case Method.LAST_PRICE:
            return closes.at(minute)
        case Method.AVERAGE_60S:
            return closes.average(minute)


def _stand_in(window: Window, closes: Closes) -> tuple[float, float] | None:
    # Where the one candle is missing that a price to beat is checked by: the nearest price there
    # is, and how many sigmas further the two may lie apart. One bad candle costs that candle, and
    # not its asset a quarter of an hour.
    minute = window.start_s // MINUTE_S - 1
    if closes.at(minute) is not None:  # of a release that kept closes alone
        return None
    opened, before = closes.opened(minute + 1), closes.at(minute - 1)
    if opened is not None:
        return opened, 1.0
    return None if before is None else (before, 2.0)


def offer_of(facts: WindowFacts, slug: str, side: Side) -> Offer:
    """Return the offer of a window that is known, before its book was read."""
    return Offer(
        slug=slug,
        side=side,
        token=facts.up_token if side is Side.UP else facts.down_token,
        rules=facts.rules,
        rules_unknown=facts.unknown,
        neg_risk=facts.neg_risk,
        reference=facts.reference,
    )


def rules_of(facts: WindowFacts | None) -> Rules | None:
    """Return the rules of a window, or None where they are not known."""
    return None if facts is None else facts.rules


def _is_complete(facts: WindowFacts | None, risk: Risk) -> bool:
    if facts is None:
        return False
    return facts.rules is None or facts.reference > 0 or not risk.reference_required
