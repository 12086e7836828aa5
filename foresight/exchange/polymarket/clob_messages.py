"""The clob's wire format: books, orders and trades of the prediction venue.

Owns their JSON shape as `ccxt.prediction.polymarket` 4.5.90 reads it. Prices and sizes are texts,
the best price of a book is last. Must never enter: HTTP, clocks, decisions, signatures.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from foresight.exchange.chance import key_of
from foresight.exchange.counters.trade_course import Course
from foresight.exchange.ledger.prediction_entries import Fill, OrderReceived
from foresight.exchange.ledger.predictions import Order
from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.fees import RATE_PERCENT
from foresight.exchange.market.pricing import Book, Level
from foresight.exchange.market.windows import Side, Window, parse_slug
from foresight.exchange.market_clock import NS_PER_MS, NS_PER_SECOND
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.gamma_messages import MIN_SIZE
from foresight.exchange.polymarket.wire_numbers import decimal

Json = dict[str, Any]

_ZERO_ADDRESS: Final = "0x" + "0" * 40


def book(window: Window, side: Side, levels: Book, *, tick_micro: int, market_ns: int) -> Json:
    """Return an order book; the best price is last on both sides, as the real venue sends it."""
    token = tokens.token_id(window, side)
    stamp = market_ns // NS_PER_MS
    return {
        "market": tokens.condition_id(window),
        "asset_id": token,
        "timestamp": str(stamp),
        "hash": f"{key_of(token, stamp, levels):040x}",
        "bids": [_level(level) for level in reversed(levels.bids)],
        "asks": [_level(level) for level in reversed(levels.asks)],
        "min_order_size": MIN_SIZE,
        "tick_size": decimal(tick_micro),
        "neg_risk": False,
        "last_trade_price": decimal(_middle_micro(levels)),
    }


def middle(levels: Book) -> str:
    """Return the middle of the best prices as decimal text."""
    best_bid = levels.bids[0].price_micro if levels.bids else 0
    best_ask = levels.asks[0].price_micro if levels.asks else MICRO
    return decimal((best_bid + best_ask) // 2)


def _middle_micro(levels: Book) -> int:
    best = levels.bids or levels.asks
    return best[0].price_micro if best else MICRO // 2


def _level(level: Level) -> Json:
    return {"price": decimal(level.price_micro), "size": decimal(level.size_micro)}


def submission(entry: OrderReceived, status: str) -> Json:
    """Return the answer to an accepted order."""
    shares = sum(fill.size_micro for fill in entry.fills)
    cash = sum(fill.cash_micro for fill in entry.fills)
    taking, making = (shares, cash) if entry.terms.is_buy else (cash, shares)
    return {
        "errorMsg": "",
        "orderID": entry.order_id,
        "takingAmount": decimal(taking) if shares else "",
        "makingAmount": decimal(making) if shares else "",
        "status": status.lower(),
        "transactionsHashes": [fill.id for fill in entry.fills],
        "success": True,
    }


def order(one: Order, window: Window, owner: str) -> Json:
    """Return an order as ``GET /data/order`` shows it; `owner` is the API key."""
    terms = one.terms
    return {
        "id": one.id,
        "status": one.status,
        "owner": owner,
        "maker_address": terms.wallet,
        "market": tokens.condition_id(window),
        "asset_id": terms.token,
        "side": "BUY" if terms.is_buy else "SELL",
        "original_size": decimal(terms.size_micro),
        "size_matched": decimal(one.filled_micro),
        "price": decimal(terms.price_micro),
        "outcome": terms.outcome,
        "expiration": str(terms.expires_s),
        "order_type": terms.time_in_force,
        "associate_trades": [fill.id for fill in one.fills],
        "created_at": one.wall_ns // NS_PER_SECOND,
    }


def trade(one: Order, fill: Fill, course: Course, window: Window, owner: str) -> Json:
    """Return one fill as ``GET /data/trades`` shows it.

    ``fee`` and ``cash`` are ours: the exact amounts in USDC, which the real venue leaves to be
    computed from the fee schedule.
    """
    terms = one.terms
    side = "BUY" if terms.is_buy else "SELL"
    counterparty = "0x" + fill.id[4:]
    shared = {
        "price": decimal(fill.price_micro),
        "fee_rate_bps": "0" if fill.is_maker else str(100 * RATE_PERCENT),
        "outcome": terms.outcome,
        "asset_id": terms.token,
    }
    return shared | {
        "id": fill.id,
        "taker_order_id": counterparty if fill.is_maker else one.id,
        "market": tokens.condition_id(window),
        "side": side,
        "size": decimal(fill.size_micro),
        "status": course.state,
        "match_time": str(fill.wall_ns // NS_PER_SECOND),
        "last_update": str(course.since_ns // NS_PER_SECOND),
        "bucket_index": 0,
        "owner": owner,
        "maker_address": terms.wallet if fill.is_maker else _ZERO_ADDRESS,
        "transaction_hash": fill.id,
        "trader_side": "MAKER" if fill.is_maker else "TAKER",
        "maker_orders": [
            shared
            | {
                "order_id": one.id if fill.is_maker else counterparty,
                "owner": owner if fill.is_maker else "",
                "maker_address": terms.wallet if fill.is_maker else _ZERO_ADDRESS,
                "matched_amount": decimal(fill.size_micro),
                "side": side,
            }
        ],
        "fee": decimal(fill.fee_micro),
        "cash": decimal(fill.cash_micro),
    }


def fills_of(orders: Iterable[Order]) -> list[tuple[Order, Fill]]:
    """Return every fill of some orders, newest first."""
    found = [(one, fill) for one in orders for fill in one.fills]
    found.sort(key=lambda each: each[1].wall_ns, reverse=True)
    return found


def trades(
    orders: Iterable[Order],
    owner_of: Callable[[str], str],
    course_of: Callable[[Order, Fill], Course],
) -> list[Json]:
    """Return every fill of some orders as it is shown, newest first.

    Args:
        orders: Which.
        owner_of: Gives the API key of an account.
        course_of: Gives a trade's state, and since when, wall time.
    """
    return [
        trade(one, fill, course_of(one, fill), window_of(one), owner_of(one.account))
        for one, fill in fills_of(orders)
    ]


def window_of(one: Order) -> Window:
    """Return the window an order is about."""
    window = parse_slug(one.terms.slug)
    assert window is not None
    return window


def is_about(one: Order, *, market: str = "", token: str = "") -> bool:
    """Say whether an order is about a market and an outcome; an empty name means any.

    Args:
        one: The order.
        market: Condition id.
        token: The outcome's token id.
    """
    if token not in {"", one.terms.token}:
        return False
    return not market or tokens.condition_id(window_of(one)) == market
