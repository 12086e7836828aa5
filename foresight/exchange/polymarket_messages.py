"""The prediction venue's wire format: what its JSON says, from values and to values.

Owns the shapes of gamma events and markets, books, orders, trades, positions and the reading of a
posted order, as `ccxt.prediction.polymarket` 4.5.90 and the venue's public documentation have
them. Must never enter: HTTP, clocks, decisions, signatures.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from foresight.exchange import tokens
from foresight.exchange.chance import key_of
from foresight.exchange.desk import OrderRequest
from foresight.exchange.fees import RATE, RATE_PERCENT
from foresight.exchange.ledger import Account, Fill, Order, OrderReceived, Position, Terms
from foresight.exchange.market_clock import NS_PER_MS, NS_PER_SECOND
from foresight.exchange.order_hash import order_id
from foresight.exchange.pricing import Book, Level
from foresight.exchange.windows import Result, Side, Window, payout_share

Json = dict[str, Any]

TICK: Final = "0.01"
MIN_SIZE: Final = "5"
LAST_PAGE: Final = "LTE="
"""Cursor that says there is no further page (base64 of -1, as the real venue)."""

_ZERO_ADDRESS: Final = "0x" + "0" * 40


class BadOrderError(ValueError):
    """A posted order is not well formed; the text is what the venue answers."""


def iso(seconds: int) -> str:
    """Return an RFC 3339 text of unix seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(micro: int) -> str:
    """Return a number of millionths as the shortest decimal text."""
    whole, rest = divmod(abs(micro), 1_000_000)
    sign = "-" if micro < 0 else ""
    tail = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{tail}"


def cents_text(cents: int) -> str:
    """Return a price in cents as decimal text, such as ``0.5``."""
    return decimal(cents * 10_000)


def event(
    window: Window,
    *,
    probability: float,
    result: Result | None,
    is_tradable: bool,
    prices: tuple[float | None, float | None],
) -> Json:
    """Return a gamma event with its one market.

    Args:
        window: Which.
        probability: Fair probability of Up, shown as the outcome price while it runs.
        result: Published result, or None.
        is_tradable: Whether orders are accepted.
        prices: Price to beat and last price at the end, None while unknown.
    """
    title = f"{window.asset} Up or Down - {window.timeframe} from {iso(window.start_s)}"
    return {
        "id": tokens.event_id(window),
        "ticker": window.slug,
        "slug": window.slug,
        "title": title,
        "description": _RULES.format(asset=window.asset),
        "resolutionSource": f"local exchange, last {window.asset}/USDT price",
        "startDate": iso(window.start_s - 3600),
        "startTime": iso(window.start_s),
        "endDate": iso(window.end_s),
        "createdAt": iso(window.start_s - 3600),
        "updatedAt": iso(window.start_s),
        "active": True,
        "closed": result is not None,
        "archived": False,
        "restricted": False,
        "enableOrderBook": True,
        "negRisk": False,
        "seriesSlug": f"{window.asset.lower()}-up-or-down-{window.timeframe}",
        "eventMetadata": _metadata(*prices),
        "tags": [{"id": "1", "label": "Up or Down", "slug": "up-or-down"}],
        "markets": [
            market(
                window,
                probability=probability,
                result=result,
                is_tradable=is_tradable,
                title=title,
            )
        ],
    }


_RULES: Final = (
    'Resolves to "Up" if the last {asset}/USDT price at the end of the window is greater than or '
    'equal to the price at its beginning, otherwise to "Down". Reference and final price are last '
    "prices of the local exchange; equal counts as Up; a void window pays one half."
)


def _metadata(reference: float | None, final: float | None) -> Json:
    named = {"priceToBeat": reference, "finalPrice": final}
    return {name: price for name, price in named.items() if price is not None}


def market(
    window: Window, *, probability: float, result: Result | None, is_tradable: bool, title: str
) -> Json:
    """Return the gamma market of a window; arguments as in `event`."""
    if result is None:
        shown = [f"{probability:.3f}", f"{1.0 - probability:.3f}"]
    else:
        shown = [f"{payout_share(result, side):g}" for side in Side]
    answer: Json = {
        "id": tokens.event_id(window),
        "question": title,
        "conditionId": tokens.condition_id(window),
        "slug": window.slug,
        "startDate": iso(window.start_s - 3600),
        "eventStartTime": iso(window.start_s),
        "endDate": iso(window.end_s),
        "outcomes": json.dumps([side.value for side in Side]),
        "outcomePrices": json.dumps(shown),
        "clobTokenIds": json.dumps([tokens.token_id(window, side) for side in Side]),
        "active": True,
        "closed": result is not None,
        "archived": False,
        "enableOrderBook": True,
        "acceptingOrders": is_tradable,
        "orderPriceMinTickSize": float(TICK),
        "orderMinSize": int(MIN_SIZE),
        "negRisk": False,
        "feesEnabled": True,
        "feeType": "crypto_fees_v2",
        "feeSchedule": {"exponent": 1, "rate": RATE, "takerOnly": True, "rebateRate": 0},
        "volume": "0",
        "volume24hr": 0,
    }
    if result is not None:
        answer["umaResolutionStatus"] = "resolved"
        answer["automaticallyResolved"] = True
    return answer


def book(window: Window, side: Side, levels: Book, *, market_ns: int) -> Json:
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
        "tick_size": TICK,
        "neg_risk": False,
        "last_trade_price": cents_text(_middle_cents(levels)),
    }


def middle(levels: Book) -> str:
    """Return the middle of the best prices as decimal text."""
    best_bid = levels.bids[0].cents if levels.bids else 0
    best_ask = levels.asks[0].cents if levels.asks else 100
    return decimal((best_bid + best_ask) * 5_000)


def _middle_cents(levels: Book) -> int:
    best = levels.bids or levels.asks
    return best[0].cents if best else 50


def _level(level: Level) -> Json:
    return {"price": cents_text(level.cents), "size": decimal(level.size_micro)}


def read_order(body: Mapping[str, Any], account: str) -> OrderRequest:
    """Read the body of an order submission.

    Args:
        body: Parsed JSON of ``POST /order``.
        account: Owner behind the API key, lower case.

    Raises:
        BadOrderError: A field is missing or no number, or the token is not ours.
    """
    try:
        order = body["order"]
        is_buy = {"BUY": True, "SELL": False}[order["side"]]
        outcome = tokens.outcome_of_token(str(order["tokenId"]))
        given, wanted = int(order["makerAmount"]), int(order["takerAmount"])
        identity = order_id(order)
        terms_type = str(body["orderType"])
        wallet = str(order["maker"]).lower()
        expires_s = int(order["expiration"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = "Invalid order payload"
        raise BadOrderError(message) from error
    shares, cash = (wanted, given) if is_buy else (given, wanted)
    if outcome is None or shares <= 0 or cash <= 0 or terms_type not in _TIMES_IN_FORCE:
        message = "Invalid order payload"
        raise BadOrderError(message)
    window, side = outcome
    cents, is_on_tick = _price(cash, shares)
    terms = Terms(
        slug=window.slug,
        token=str(order["tokenId"]),
        outcome=side.value,
        is_buy=is_buy,
        cents=cents,
        size_micro=shares,
        time_in_force=terms_type,
        wallet=wallet,
        expires_s=expires_s if terms_type == "GTD" else 0,
    )
    is_post_only = body.get("postOnly") is True
    return OrderRequest(account, identity, window, side, terms, is_on_tick, is_post_only)


_TIMES_IN_FORCE: Final = frozenset({"GTC", "GTD", "FOK", "FAK"})


def _price(cash: int, shares: int) -> tuple[int, bool]:
    # Amounts are rounded to 4 decimals by the client, so a price may be off by half of that.
    cents = (200 * cash + shares) // (2 * shares)
    error_micro = abs(100 * cash - cents * shares)
    return cents, error_micro <= 100 * 100


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
        "price": cents_text(terms.cents),
        "outcome": terms.outcome,
        "expiration": str(terms.expires_s),
        "order_type": terms.time_in_force,
        "associate_trades": [fill.id for fill in one.fills],
        "created_at": one.wall_ns // NS_PER_SECOND,
    }


def trade(one: Order, fill: Fill, window: Window, owner: str) -> Json:
    """Return one fill as ``GET /data/trades`` shows it.

    ``fee`` and ``cash`` are ours: the exact amounts in USDC, which the real venue leaves to be
    computed from the fee schedule.
    """
    terms = one.terms
    side = "BUY" if terms.is_buy else "SELL"
    counterparty = "0x" + fill.id[4:]
    shared = {
        "price": cents_text(fill.cents),
        "fee_rate_bps": "0" if fill.is_maker else str(100 * RATE_PERCENT),
        "outcome": terms.outcome,
        "asset_id": terms.token,
    }
    seconds = str(fill.wall_ns // NS_PER_SECOND)
    return shared | {
        "id": fill.id,
        "taker_order_id": counterparty if fill.is_maker else one.id,
        "market": tokens.condition_id(window),
        "side": side,
        "size": decimal(fill.size_micro),
        "status": "CONFIRMED",
        "match_time": seconds,
        "last_update": seconds,
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


def page(rows: Iterable[Json]) -> Json:
    """Return rows as the one and last page of a listing."""
    data = list(rows)
    return {"data": data, "next_cursor": LAST_PAGE, "limit": len(data), "count": len(data)}


def position(one: Position, window: Window, price: float) -> Json:
    """Return an open or closed position as the data API shows it; numbers, not texts.

    Args:
        one: The position.
        window: Its window.
        price: What a share is worth now, USDC.
    """
    size = one.size_micro / 1e6
    cost = one.cost_micro / 1e6
    side = Side(one.outcome)
    return {
        "proxyWallet": one.wallet,
        "asset": one.token,
        "conditionId": tokens.condition_id(window),
        "size": size,
        "avgPrice": round(cost / size, 6) if size else 0,
        "initialValue": cost,
        "currentValue": round(size * price, 6),
        "cashPnl": round(size * price - cost, 6),
        "totalBought": one.bought_micro / 1e6,
        "realizedPnl": one.realized_micro / 1e6,
        "curPrice": round(price, 6),
        "currentPrice": round(price, 6),  # the name ccxt reads
        "redeemable": False,
        "mergeable": False,
        "title": window.slug,
        "slug": window.slug,
        "eventSlug": window.slug,
        "outcome": one.outcome,
        "outcomeIndex": list(Side).index(side),
        "oppositeOutcome": side.other.value,
        "oppositeAsset": tokens.token_id(window, side.other),
        "endDate": iso(window.end_s),
        "negativeRisk": False,
        "fees": one.fee_micro / 1e6,
    }


def summary(account: Account) -> Json:
    """Return an account for the control page: cash, open positions, closed ones counted."""
    return {
        "balance": decimal(account.balance_micro),
        "positions": [
            {
                "token": one.token,
                "slug": one.slug,
                "outcome": one.outcome,
                "size": decimal(one.size_micro),
                "cost": decimal(one.cost_micro),
                "fees": decimal(one.fee_micro),
            }
            for one in account.positions.values()
        ],
        "closed": len(account.closed),
        "realized": decimal(sum(one.realized_micro for one in account.closed)),
    }
