"""Candles that are finished by the feed's own clock, which is read first.

Owns the reading of that clock, the one wait where ours is ahead of it, and the wait's bound. A
candle is finished when the feed's clock says so, whatever ours says: three seconds of skew would
spoil nearly every close. What a skew means for trading is in `freshness`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from foresight.errors import VenueError
from foresight.feeds.base import Feed
from foresight.market import Candles, FeedClock
from handoff.cadence import app_time_ns, wall_time_ns
from handoff.limits import MS, NS
from handoff.worker.ports import Clock
from state.record import Timeline

MARGIN_S: Final = 0.02  # our timer is about as exact; the clock is read again after the wait
MINUTE_NS: Final = 60 * NS


class ClockReading(NamedTuple):
    """One reading.

    Attributes:
        wall_ms: What the feed's clock said, milliseconds UTC; it is at least that now.
        ahead_ms: How far it is ahead of ours, half the answer's way taken off.
    """

    wall_ms: int
    ahead_ms: int


async def closed_candles(
    feed: Feed,
    clock: Clock,
    newest: Mapping[str, int],
    *,
    timeline: Timeline,
    end_minute: int,
    wait_s: float,
) -> tuple[FeedClock, dict[str, Candles]]:
    """Return the feed's clock and new finished candles by asset.

    Without the clock nothing proves that a candle is finished: then there are none.

    Args:
        feed: Where candles come from.
        clock: Our clock.
        newest: By asset, the newest minute that is known, or -1.
        timeline: Maps application time to the wall clock.
        end_minute: The first minute that is not closed yet by our clock.
        wait_s: Longest wait for the minute before it to close, seconds of the wall; what is
            further off is not waited for, and its candle comes in a later cycle.
    """
    due_ms = -(-wall_time_ns(timeline, end_minute * MINUTE_NS) // MS)
    try:
        reading = await _read_clock(feed, clock)
        left_s = (due_ms - reading.wall_ms) / 1000
        if 0 < left_s <= wait_s:
            await clock.pause(left_s + MARGIN_S)
            reading = await _read_clock(feed, clock)
    except VenueError as error:
        failure = f"the feed's clock: {type(error).__name__}: {error}"[:200]
        return FeedClock(failure=failure), dict.fromkeys(newest, Candles(failure=failure))
    closed_minute = app_time_ns(timeline, reading.wall_ms * MS) // MINUTE_NS
    candles = await feed.fetch(newest, end_minute=min(end_minute, closed_minute))
    return FeedClock(ahead_ms=reading.ahead_ms), candles


async def _read_clock(feed: Feed, clock: Clock) -> ClockReading:
    before_ns = clock.now_ns()
    wall_ms = await feed.time_ms()
    between_ms = (before_ns + clock.now_ns()) // 2 // MS
    return ClockReading(wall_ms, wall_ms - between_ms)
