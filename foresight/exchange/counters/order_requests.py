"""An order as it arrived, and what a market's rules say of it.

Owns what is refused without a look at the book, what an order takes from one, and when it is killed
for what it did not get. Must never enter: balances, times, the ledger, wire formats.
"""

from typing import NamedTuple

from foresight.exchange.ledger.prediction_entries import Terms
from foresight.exchange.market.amounts import (
    CROSSING_MIN_MICRO,
    MICRO,
    RESTING_MIN_MICRO,
    Amounts,
    bad_amounts,
)
from foresight.exchange.market.matching import Taken, TimeInForce, cost_of, spend, take
from foresight.exchange.market.pricing import Book
from foresight.exchange.market.windows import Side, Window


class OrderRequest(NamedTuple):
    """A well-formed, signed order as it arrived.

    Attributes:
        account: Owner's address, lower case.
        order_id: EIP-712 hash.
        window: What it is about.
        side: Which outcome.
        terms: What it asks for.
        amounts: Shares and USDC as they were named.
        is_on_tick: False if they mean no price on the market's tick.
        is_post_only: True refuses to match at once.
    """

    account: str
    order_id: str
    window: Window
    side: Side
    terms: Terms
    amounts: Amounts
    is_on_tick: bool
    is_post_only: bool


def unsound(request: OrderRequest, tick_micro: int) -> str:
    """Return why an order is refused whatever the book is, in the venue's words; empty if not.

    Args:
        request: The order.
        tick_micro: The market's tick.
    """
    terms = request.terms
    if not request.is_on_tick or not 0 < terms.price_micro < MICRO:
        price, tick = terms.price_micro / MICRO, tick_micro / MICRO
        return (
            f"order {request.order_id} is invalid. "
            f"Price ({price:g}) breaks minimum tick size rule: {tick:g}"
        )
    rests = TimeInForce(terms.time_in_force).rests
    if rests and terms.size_micro < RESTING_MIN_MICRO:
        size = terms.size_micro / MICRO
        return f"order {request.order_id} is invalid. Size ({size:g}) lower than the minimum: 5"
    small = "" if rests else too_small(terms)  # what rests has no such minimum
    return small or bad_amounts(
        request.amounts, is_buy=terms.is_buy, rests=rests, tick_micro=tick_micro
    )


def too_small(terms: Terms) -> str:
    """Return why an order that executes at once is refused for its amount; empty if it is not."""
    cash_micro = terms.budget_micro or cost_of(terms.size_micro, terms.price_micro)
    if not terms.is_buy or cash_micro >= CROSSING_MIN_MICRO:
        return ""
    return f"invalid amount for a marketable BUY order (${cash_micro / MICRO:g}), min size: $1"


def taken_by(terms: Terms, book: Book) -> tuple[Taken, ...]:
    """Return what an order takes from a book, best price first."""
    limit_micro = terms.price_micro
    if terms.budget_micro:
        return spend(book.asks, limit_micro=limit_micro, budget_micro=terms.budget_micro)
    levels = book.asks if terms.is_buy else book.bids
    size_micro = terms.size_micro
    return take(levels, is_buy=terms.is_buy, limit_micro=limit_micro, size_micro=size_micro)


def _is_whole(terms: Terms, taken: tuple[Taken, ...]) -> bool:
    if terms.budget_micro:
        return sum(one.cash_micro for one in taken) == terms.budget_micro
    return sum(one.size_micro for one in taken) == terms.size_micro


def kill_reason(terms: Terms, taken: tuple[Taken, ...]) -> str:
    """Return why an order that may not rest is killed for what it got; empty if it is not."""
    tif = TimeInForce(terms.time_in_force)
    if tif is TimeInForce.FOK and not _is_whole(terms, taken):
        return "order couldn't be fully filled. FOK orders are fully filled or killed."
    if tif is TimeInForce.FAK and not taken:
        return (
            "no orders found to match with FAK order. "
            "FAK orders are partially filled or killed if no match is found."
        )
    return ""
