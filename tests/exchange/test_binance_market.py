"""Pages of candles and of public trades, over candles that a test makes itself."""

import pytest

from foresight.exchange.binance import market_trades
from foresight.exchange.binance.average_price import average_price
from foresight.exchange.binance.candle_pages import Page, openings
from foresight.exchange.ledger.spot import ATOMS
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS
from foresight.exchange.prices.candles import Candle
from foresight.exchange.prices.tape import Tape

US = 60_000_000
FIRST = 1_440_000  # minutes; a multiple of every interval
GAP = range(FIRST + 10, FIRST + 15)
NOW_NS = (FIRST + 40) * NS_PER_MINUTE + 30_000 * NS_PER_MS


class Candles:
    """Candles from the third minute on, with a gap of five minutes."""

    def __init__(self, end: int | None = None) -> None:
        self.assets = ("BTC",)
        self.first_minute = FIRST
        self.end_minute = end

    def candle(self, asset: str, minute: int) -> Candle | None:
        assert asset in self.assets
        is_over = self.end_minute is not None and minute >= self.end_minute
        if minute < FIRST + 3 or minute in GAP or is_over:
            return None
        price = 100.0 + minute - FIRST
        return Candle(minute, price, price + 3, price - 2, price + 1, 15.0)

    def tick(self, asset: str) -> float:
        assert asset in self.assets
        return 0.01


def tape(end: int | None = None) -> Tape:
    return Tape(Candles(end), seed=1)


def opened(page: Page, end: int | None = None) -> list[int]:
    found = openings(tape(end), "BTC", page, NOW_NS)
    return [minute - FIRST for minute in found]


def test_an_early_start_finds_the_first_candles_there_are() -> None:
    """How clients look for the beginning of a market: start 0, one candle."""
    assert opened(Page(1, 1, start_us=0)) == [3]
    assert opened(Page(1, 3, start_us=0)) == [3, 4, 5]
    assert opened(Page(15, 2, start_us=0)) == [0, 15]


def test_a_gap_does_not_count() -> None:
    """A page has as many candles as were asked for, wherever there are so many."""
    start = (FIRST + 9) * US
    assert opened(Page(1, 3, start_us=start)) == [9, 15, 16]
    assert opened(Page(1, 3, start_us=start, end_us=(FIRST + 15) * US)) == [9, 15]
    assert opened(Page(1, 3, end_us=(FIRST + 15) * US)) == [8, 9, 15]
    assert opened(Page(5, 3, end_us=(FIRST + 15) * US)) == [0, 5, 15]


def test_a_start_between_two_candles_is_the_next_ones() -> None:
    """A candle is of the range if it opens in it."""
    assert opened(Page(5, 1, start_us=(FIRST + 15) * US + 1)) == [20]
    assert opened(Page(5, 1, start_us=(FIRST + 15) * US)) == [15]


def test_the_running_candle_is_the_last_one() -> None:
    """Nothing of the future is shown, and an end before the beginning is an empty page."""
    assert opened(Page(1, 2)) == [39, 40]
    assert opened(Page(5, 9, start_us=(FIRST + 35) * US)) == [35, 40]
    assert opened(Page(1, 9, start_us=(FIRST + 50) * US)) == []
    assert opened(Page(1, 9, end_us=FIRST * US)) == []


def test_a_recording_that_is_over_shows_its_end() -> None:
    """Its last candles are still there, however long ago they were."""
    assert opened(Page(1, 2), end=FIRST + 6) == [4, 5]


def trades(minute: int, second: float = 60) -> list[market_trades.MarketTrade]:
    until_ns = (FIRST + minute) * NS_PER_MINUTE + round(second * 1000) * NS_PER_MS
    return market_trades.of_minute(tape(), "BTC", FIRST + minute, until_ns)


def test_a_minutes_trades_make_its_candle() -> None:
    """A client that builds candles from trades gets the venue's."""
    prices = [trade.price for trade in trades(20)]
    assert len(prices) == market_trades.PLACES
    assert (prices[0], prices[-1]) == (120 * ATOMS, 121 * ATOMS)
    assert (max(prices), min(prices)) == (123 * ATOMS, 118 * ATOMS)
    assert sum(trade.quantity for trade in trades(20)) == 15 * ATOMS
    assert not trades(12), "nothing trades in a gap"


def test_no_trade_is_seen_before_it_happens() -> None:
    """Else the extremes at the end of a minute would tell where it closes."""
    assert len(trades(20, 0)) == 1
    assert len(trades(20, 4.999)) == 1
    assert len(trades(20, 5)) == 2
    assert len(trades(20, 59.996)) == market_trades.PLACES - 3
    assert trades(20, 30) == trades(20)[:7]


def test_trades_go_on_from_a_number() -> None:
    """How clients read a history: the last number plus one, over a gap too."""
    whole = market_trades.between(
        tape(), "BTC", FIRST * 60_000, 10**15, market_ns=NOW_NS, limit=10_000
    )
    assert whole == sorted(whole)
    read: list[market_trades.MarketTrade] = []
    for _ in range(len(whole) // 50 + 1):
        after = read[-1].id + 1 if read else 0
        read += market_trades.from_id(tape(), "BTC", after, market_ns=NOW_NS, limit=50)
    assert read == whole
    assert market_trades.latest(tape(), "BTC", market_ns=NOW_NS, limit=100) == whole[-100:]


def test_a_range_of_time_has_both_its_ends() -> None:
    """The trade of its last millisecond belongs to it, the one after does not."""
    start_ms = (FIRST + 20) * 60_000
    found = market_trades.between(
        tape(), "BTC", start_ms + 5000, start_ms + 10_000, market_ns=NOW_NS, limit=9
    )
    assert [trade.market_ms - start_ms for trade in found] == [5000, 10_000]


def test_the_average_price_is_of_what_was_seen() -> None:
    """Five minutes and the running one, by volume; in a long gap the last price."""
    average = average_price(tape(), "BTC", NOW_NS)
    assert average is not None
    assert average / ATOMS == pytest.approx(138.2, abs=0.5)
    assert average_price(tape(end=FIRST + 6), "BTC", NOW_NS) == 106 * ATOMS
    assert average_price(tape(), "BTC", (FIRST + 1) * NS_PER_MINUTE) is None
