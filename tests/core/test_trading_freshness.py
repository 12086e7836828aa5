"""Clocks and ages: an unfinished candle is never kept, and nothing old is bought by."""

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from foresight.book import Book, SlotMemory
from foresight.closes import Closes
from foresight.decision import decide
from foresight.errors import VenueUnreachable
from foresight.feeds.closed_candles import MARGIN_S, closed_candles
from foresight.freshness import deny_age, deny_clock
from foresight.market import Candles, FeedClock, Market, Offer
from foresight.risk import Denial
from state.record import Timeline
from tests.trading_values import (
    RISK,
    START_S,
    closes,
    cycle_at,
    facts,
    offer,
    policy,
    seen,
)

if TYPE_CHECKING:
    from foresight.feeds.binance import BinanceCandles
    from handoff.worker.ports import Clock

NOW_S = START_S + 180
MINUTE = NOW_S // 60
NOW_MS = NOW_S * 1000


class Standing:
    """Our clock: it stands, but for the pauses that are made on it."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.paused: list[float] = []

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now_ms += round(seconds * 1000)


class Feed:
    """A feed whose clock is off by so much from ours, and who was asked for what."""

    def __init__(self, clock: Standing, *, ahead_ms: int, answers: bool = True) -> None:
        self.clock, self.ahead_ms, self.answers = clock, ahead_ms, answers
        self.end_minutes: list[int] = []

    async def time_ms(self) -> int:
        if not self.answers:
            what = "no answer"
            raise VenueUnreachable(what)
        return self.clock.now_ms + self.ahead_ms

    async def fetch(self, newest: dict[str, int], *, end_minute: int) -> dict[str, Candles]:
        self.end_minutes.append(end_minute)
        return {asset: Candles(minutes=(end_minute - 1,), prices=(1.0,)) for asset in newest}


async def read(
    feed: Feed, *, wait_s: float = 4.0, speed: int = 1
) -> tuple[FeedClock, dict[str, Any]]:
    return await closed_candles(
        cast("BinanceCandles", feed),
        cast("Clock", feed.clock),
        {"BTC": -1},
        timeline=Timeline(origin_ns=NOW_S * 10**9, speed=speed),
        end_minute=MINUTE,
        wait_s=wait_s,
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ahead_ms", "paused", "end_minute"),
    [
        (0, [], MINUTE),
        (3_000, [], MINUTE),
        (-3_000, [3.02], MINUTE),  # the minute is waited for
        (-4_000, [4.02], MINUTE),
        (-4_001, [], MINUTE - 1),  # too far off: its candle is not asked for
        (-60_000, [], MINUTE - 1),
        (-60_001, [], MINUTE - 2),
        (60_000, [], MINUTE),  # what closed since is of a later cycle
    ],
)
async def test_a_minute_is_waited_for_or_left_out_until_the_feed_has_closed_it(
    ahead_ms: int, paused: list[float], end_minute: int
) -> None:
    """Three seconds of skew spoiled 550 of 624 closes: they were taken while they moved."""
    feed = Feed(Standing(NOW_MS), ahead_ms=ahead_ms)
    clock, _ = await read(feed)
    assert (feed.clock.paused, feed.end_minutes) == (paused, [end_minute])
    assert clock == FeedClock(ahead_ms=ahead_ms)


@pytest.mark.asyncio
async def test_on_a_faster_market_the_wait_is_of_the_wall() -> None:
    feed = Feed(Standing(NOW_MS), ahead_ms=-100)
    await read(feed, wait_s=0.2, speed=60)
    assert (feed.clock.paused, feed.end_minutes) == ([0.1 + MARGIN_S], [MINUTE])
    late = Feed(Standing(NOW_MS), ahead_ms=-1_000)
    await read(late, wait_s=0.2, speed=60)
    assert (late.clock.paused, late.end_minutes) == ([], [MINUTE - 1])


@pytest.mark.asyncio
async def test_without_the_feeds_clock_no_candle_is_finished() -> None:
    feed = Feed(Standing(NOW_MS), ahead_ms=0, answers=False)
    clock, candles = await read(feed)
    assert feed.end_minutes == []
    assert candles == {"BTC": Candles(failure=clock.failure)}
    assert clock.failure == "the feed's clock: VenueUnreachable: no answer"


def market(clock: FeedClock | None, *, edition: int = 2) -> Market:
    return Market(clock=clock, edition=edition)


@pytest.mark.parametrize(
    ("clock", "denial"),
    [
        (FeedClock(), None),
        (FeedClock(ahead_ms=5_000), None),
        (FeedClock(ahead_ms=-5_000), None),
        (FeedClock(ahead_ms=5_001), Denial.CLOCK_SKEWED),
        (FeedClock(ahead_ms=-5_001), Denial.CLOCK_SKEWED),
        (FeedClock(failure="no"), Denial.CLOCK_UNREAD),
        (None, Denial.CLOCK_UNREAD),
    ],
)
def test_clocks_that_disagree_stop_the_board(
    clock: FeedClock | None, denial: Denial | None
) -> None:
    """Eighteen seconds are a third of the last minute, in which a share is won or lost."""
    assert deny_clock(market(clock), risk=RISK) is denial
    assert deny_clock(market(clock, edition=1), risk=RISK) is None


KNOWN = closes(MINUTE - 1)
BOOK = offer(book_s=NOW_S)


def age(
    clock: FeedClock | None,
    *,
    known: Closes = KNOWN,
    book: Offer | None = BOOK,
    edition: int = 2,
    speed: int = 1,
) -> Denial | None:
    return deny_age(market(clock, edition=edition), known, book, risk=RISK, speed=speed)


def test_a_price_is_as_old_as_its_close_by_the_feeds_clock() -> None:
    """A candle one minute old turns a profit into a loss."""
    assert age(FeedClock(now_ms=NOW_MS + 20_000)) is None
    assert age(FeedClock(now_ms=NOW_MS + 20_001)) is Denial.PRICE_OLD
    assert age(FeedClock(now_ms=NOW_MS), known=closes(MINUTE - 2)) is Denial.PRICE_OLD
    assert age(FeedClock(now_ms=NOW_MS + 20_001), edition=1) is None


def test_the_age_of_a_price_is_of_the_wall() -> None:
    """On a market that runs sixty times faster, answers take as long as ever."""
    book = offer(book_s=NOW_S + 1_200)
    assert age(FeedClock(now_ms=NOW_MS + 1_200_000), speed=60, book=book) is None
    assert age(FeedClock(now_ms=NOW_MS + 1_200_001), speed=60, book=book) is Denial.PRICE_OLD


def test_a_book_is_as_old_as_it_says() -> None:
    """A book half a minute late offers what others have bought long since."""
    at = FeedClock(now_ms=NOW_MS + 10_000)
    assert age(at, book=offer(book_s=NOW_S - 20)) is None
    assert age(at, book=offer(book_s=NOW_S - 21)) is Denial.BOOK_STALE
    assert age(at, book=offer(book_s=0)) is Denial.BOOK_UNDATED
    assert age(at, book=offer(book_s=NOW_S + 40)) is None  # clocks differ a little
    for later in (NOW_S + 41, NOW_S * 1000):  # another unit of time is as far off
        assert age(at, book=offer(book_s=later)) is Denial.BOOK_UNDATED
    assert age(at, book=offer(book_s=0), edition=1) is None
    for unread in (None, offer(failure="no", book_s=0), offer(is_accepting=False, book_s=0)):
        assert age(at, book=unread) is None, "said elsewhere, and why"


def test_an_age_without_a_clock_is_not_known() -> None:
    assert age(None) is Denial.CLOCK_UNREAD
    assert age(FeedClock(now_ms=NOW_MS, failure="no")) is Denial.CLOCK_UNREAD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clock": None}, "clock_unread"),
        ({"clock": FeedClock(ahead_ms=18_000, now_ms=NOW_MS)}, "clock_skewed"),
        ({"clock": FeedClock(now_ms=NOW_MS + 21_000)}, "price_old"),
        ({"offers": {"btc-5m": offer(book_s=NOW_S - 31)}}, "book_stale"),
        ({"offers": {"btc-5m": offer(book_s=0)}}, "book_undated"),
    ],
)
def test_what_is_old_or_unsure_buys_nothing_and_says_why(
    changes: dict[str, Any], reason: str
) -> None:
    inputs = msgspec.structs.replace(seen(NOW_S), **changes)
    values: dict[str, Any] = {"cycle": cycle_at(NOW_S), "body": Book(), "receipts": ()}
    decision = decide(policy(), inputs=inputs, **values)
    assert decision.effects == ()
    assert decision.body.slots["btc-5m"].reason == reason
    assert len(decide(policy(), inputs=seen(NOW_S), **values).effects) == 1
    # As an older release recorded it: none of this was asked for, and it bought.
    older = msgspec.structs.replace(seen(NOW_S), edition=1, clock=None, facts={})
    known = Book(slots={"btc-5m": SlotMemory(facts=facts())})
    assert len(decide(policy(), inputs=older, **(values | {"body": known})).effects) == 1
