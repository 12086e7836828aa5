"""The book as everybody sees it: others' offers, and the orders that rest here.

Owns how a resting order looks from either outcome: who buys Up at 0.40 sells Down at 0.60.
What is shown of a resting order is met by the market's own flow alone, never by another account.

Must never enter: matching, accounts, clocks, wire formats.
"""

from collections.abc import Iterable

from foresight.exchange.ledger.predictions import Order
from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.pricing import Book, Level
from foresight.exchange.market.windows import Side


def with_orders(book: Book, orders: Iterable[Order], side: Side) -> Book:
    """Return a book with resting orders in it.

    Args:
        book: Others' offers of one outcome.
        orders: What rests in either outcome of the same window.
        side: The outcome that the book is of.
    """
    bids = {level.price_micro: level.size_micro for level in book.bids}
    asks = {level.price_micro: level.size_micro for level in book.asks}
    for order in orders:
        terms = order.terms
        is_ours = terms.outcome == side.value
        levels = bids if terms.is_buy is is_ours else asks
        price_micro = terms.price_micro if is_ours else MICRO - terms.price_micro
        levels[price_micro] = levels.get(price_micro, 0) + order.left_micro
    return Book(
        bids=tuple(Level(price, bids[price]) for price in sorted(bids, reverse=True)),
        asks=tuple(Level(price, asks[price]) for price in sorted(asks)),
    )
