"""Whether what was seen is fresh enough to act upon, by the feed's clock and not by ours.

Owns the guards on the clock, on the age of the newest price and on the age of a book. A price that
is a minute old, or a book that is half a minute late, turns a profit into a loss, and nothing looks
wrong. What an older release did not record is not checked; what today's inputs lack denies.
"""

from typing import Final

from foresight.board import MINUTE_S
from foresight.closes import Closes
from foresight.config import Risk
from foresight.market import Market, Offer
from foresight.risk import Denial

CLOCK_READ: Final = 2  # edition of inputs from which on the feed's clock is in them
_MS: Final = 1000


def deny_clock(inputs: Market, *, risk: Risk) -> Denial | None:
    """Return why the feed's clock forbids trading, or None."""
    if inputs.edition < CLOCK_READ:
        return None
    if inputs.clock is None or inputs.clock.failure:
        return Denial.CLOCK_UNREAD
    is_skewed = abs(inputs.clock.ahead_ms) > risk.clock_skew_s * _MS
    return Denial.CLOCK_SKEWED if is_skewed else None


def deny_age(
    inputs: Market, closes: Closes, offer: Offer | None, *, risk: Risk, speed: int
) -> Denial | None:
    """Return why the newest price or the book is too old to buy by, or None.

    Args:
        inputs: What was seen, and when by the feed's clock.
        closes: The asset's candles.
        offer: What the book said; None if it was not read, which is denied elsewhere.
        risk: The limits.
        speed: Application seconds per second of the wall.
    """
    if inputs.edition < CLOCK_READ:
        return None
    if inputs.clock is None or inputs.clock.failure:
        return Denial.CLOCK_UNREAD
    now_ms = inputs.clock.now_ms
    closed_ms = (closes.newest + 1) * MINUTE_S * _MS
    if now_ms - closed_ms > risk.price_age_s * speed * _MS:
        return Denial.PRICE_OLD
    if offer is None or offer.failure or not offer.is_accepting:
        return None
    age_ms = now_ms - offer.book_s * _MS
    # A time that has not come proves no age: another unit of time would make every book fresh.
    if not offer.book_s or -age_ms > risk.book_stale_s * _MS:
        return Denial.BOOK_UNDATED
    return Denial.BOOK_STALE if age_ms > risk.book_stale_s * _MS else None
