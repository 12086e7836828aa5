"""What is on offer: the synthetic book, less what was taken from it in the running slot.

Owns the memory of what was taken; the two outcomes of a window are one liquidity, seen from two
sides. Must never enter: accounts, decisions about orders, wire formats, clocks.
"""

from collections.abc import Callable, Iterable

from foresight.exchange.ledger.prediction_entries import Fill
from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.fair_market import SLOT_NS, FairMarket
from foresight.exchange.market.pricing import Book, Level
from foresight.exchange.market.windows import Side, Window

_Place = tuple[str, bool, int]  # window, whether it is Up's ask, Up's price


class Liquidity:
    """The books of one market."""

    def __init__(self, market: FairMarket, *, tick_of: Callable[[Window], int]) -> None:
        """Begin with books from which nothing was taken.

        Args:
            market: Makes the synthetic books.
            tick_of: Gives the tick of a window's market, micro-USDC.
        """
        self._market = market
        self._tick_of = tick_of
        self._taken: dict[_Place, int] = {}
        self._slot = -1

    def book(self, window: Window, side: Side, market_ns: int) -> Book:
        """Return what can be taken at an instant: others' offers that are left."""
        book = self.untouched(window, side, market_ns)
        if market_ns // SLOT_NS != self._slot:
            return book
        return Book(
            bids=self._left(window, side, book.bids, is_ask=False),
            asks=self._left(window, side, book.asks, is_ask=True),
        )

    def untouched(self, window: Window, side: Side, market_ns: int) -> Book:
        """Return the synthetic book of an instant as if nobody had taken anything from it."""
        return self._market.book(window, side, market_ns, tick_micro=self._tick_of(window))

    def take(
        self, window: Window, side: Side, fills: Iterable[Fill], *, is_buy: bool, market_ns: int
    ) -> None:
        """Remember what an order took, until the next slot.

        Args:
            window: Where.
            side: Which outcome.
            fills: What it took.
            is_buy: Whether it took from the asks.
            market_ns: When; never before an instant named earlier.
        """
        if market_ns // SLOT_NS != self._slot:
            self._taken.clear()
            self._slot = market_ns // SLOT_NS
        for fill in fills:
            place = _place(window, side, fill.price_micro, is_ask=is_buy)
            self._taken[place] = self._taken.get(place, 0) + fill.size_micro

    def _left(
        self, window: Window, side: Side, levels: tuple[Level, ...], *, is_ask: bool
    ) -> tuple[Level, ...]:
        left = []
        for level in levels:
            gone = self._taken.get(_place(window, side, level.price_micro, is_ask=is_ask), 0)
            if gone < level.size_micro:
                left.append(Level(level.price_micro, level.size_micro - gone))
        return tuple(left)


def _place(window: Window, side: Side, price_micro: int, *, is_ask: bool) -> _Place:
    # Down's asks are Up's bids: both are named as seen from Up.
    if side is Side.UP:
        return window.slug, is_ask, price_micro
    return window.slug, not is_ask, MICRO - price_micro
