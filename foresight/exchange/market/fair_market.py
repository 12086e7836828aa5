"""The prediction market without a network: candles, a window and a time give a book and a result.

Owns `FairMarket`, the pure interface a backtest uses in-process and the server uses over HTTP: the
same numbers either way. Must never enter: accounts, orders, faults, wire formats, clocks.
"""

from collections.abc import Iterator
from typing import Final

from foresight.exchange.market.amounts import TICK_DEFAULT_MICRO
from foresight.exchange.market.calibration import Table
from foresight.exchange.market.pricing import Book, Level, buyers, mirrored, quote, sellers
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import settling_price, stand
from foresight.exchange.market.windows import (
    TIMEFRAME_SECONDS,
    Result,
    Side,
    Window,
    decide,
    window_at,
)
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_SECOND
from foresight.exchange.prices.tape import Tape

LISTED_AHEAD_NS: Final = 3600 * NS_PER_SECOND
"""Windows can be traded from one hour before they start (the real venue: a day)."""

SLOT_NS: Final = 5 * NS_PER_SECOND
"""The book changes with every knot of the tape."""


class FairMarket:
    """Books and results of every window of a tape."""

    def __init__(self, tape: Tape, *, seed: int, rule: Rule, table: Table) -> None:
        """Wrap a tape.

        Args:
            tape: Prices.
            seed: What the depth of the books depends on.
            rule: How its windows are settled.
            table: Calibrated on prices like the tape's.
        """
        self._tape = tape
        self._seed = seed
        self._rule = rule
        self._table = table

    @property
    def tape(self) -> Tape:
        """The prices behind the market."""
        return self._tape

    @property
    def rule(self) -> Rule:
        """How its windows are settled."""
        return self._rule

    def exists(self, window: Window) -> bool:
        """Say whether the market can ever settle a window: known asset, prices at both ends."""
        source = self._tape.source
        end = source.end_minute
        return (
            window.asset in source.assets
            and window.start_ns >= (source.first_minute + 1) * NS_PER_MINUTE
            and (end is None or window.end_ns <= end * NS_PER_MINUTE)
        )

    def is_tradable(self, window: Window, market_ns: int) -> bool:
        """Say whether a window takes orders at an instant: listed and not ended."""
        listed_ns = window.start_ns - LISTED_AHEAD_NS
        return self.exists(window) and listed_ns <= market_ns < window.end_ns

    def running(self, market_ns: int, *, ahead: int = 1) -> Iterator[Window]:
        """Yield each slot's running window and the `ahead` windows after it.

        Args:
            market_ns: Now, market time.
            ahead: How many later windows of each slot, 0 to 4.
        """
        for asset in self._tape.source.assets:
            for timeframe, length_s in TIMEFRAME_SECONDS.items():
                current = window_at(asset, timeframe, market_ns)
                for step in range(ahead + 1):
                    start_s = current.start_s + step * length_s
                    window = Window(asset, timeframe, start_s)
                    if self.exists(window):
                        yield window

    def reference(self, window: Window, market_ns: int) -> float | None:
        """Return the price to beat, or None before the window starts."""
        if market_ns < window.start_ns:
            return None
        return settling_price(self._tape, window.asset, self._rule, window.start_ns)

    def final(self, window: Window, market_ns: int) -> float | None:
        """Return the price that settles the window, or None before it ends."""
        if market_ns < window.end_ns:
            return None
        return settling_price(self._tape, window.asset, self._rule, window.end_ns)

    def probability_up(self, window: Window, market_ns: int) -> float:
        """Return the fair probability of Up given the path so far.

        Long before the start every price is as likely as its mirror image; under `Rule.AVERAGE`
        the minute before the start already decides part of the price to beat.
        """
        if market_ns < window.start_ns - NS_PER_MINUTE:
            return 0.5
        standing = stand(self._tape, window, self._rule, market_ns)
        if standing is None:
            return 0.5
        return self._table.probability_up(window.timeframe, self._rule, standing)

    def book(
        self, window: Window, side: Side, market_ns: int, *, tick_micro: int = TICK_DEFAULT_MICRO
    ) -> Book:
        """Return the synthetic book of one outcome at an instant before the window's end."""
        fair, key = self.probability_up(window, market_ns), self._depth_key(window, market_ns)
        up = quote(fair, *key, tick_micro=tick_micro)
        return up if side is Side.UP else up.mirrored()

    def asks(self, window: Window, side: Side, market_ns: int) -> tuple[Level, ...]:
        """Return the sellers of `book` alone, by the tick of a market as it is made."""
        fair, key = self.probability_up(window, market_ns), self._depth_key(window, market_ns)
        if side is Side.UP:
            return sellers(fair, *key, tick_micro=TICK_DEFAULT_MICRO)
        return mirrored(buyers(fair, *key, tick_micro=TICK_DEFAULT_MICRO))

    def result(self, window: Window, market_ns: int) -> Result | None:
        """Return how a window ended, or None while it runs or where prices are missing."""
        reference = self.reference(window, market_ns)
        final = self.final(window, market_ns)
        if reference is None or final is None:
            return None
        return decide(reference=reference, final=final)

    def _depth_key(self, window: Window, market_ns: int) -> tuple[object, ...]:
        return self._seed, window.slug, market_ns // SLOT_NS
