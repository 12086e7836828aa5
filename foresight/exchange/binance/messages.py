"""The spot venue's wire format: what its JSON says.

Owns the shapes of exchangeInfo, klines, tickers, depth, orders, trades and the error object, as
`ccxt.async_support.binance` 4.5.90 reads them. Must never enter: HTTP, clocks, decisions.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from foresight.exchange.ledger.spot import ATOMS, SpotFill, SpotOrder, SpotReceived, SpotTerms
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.prices.candles import Candle

Json = dict[str, Any]

QUOTE: Final = "USDT"
INTERVAL_MINUTES: Final[Mapping[str, int]] = MappingProxyType(
    {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}
)
ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET")
STEP: Final = "0.00001000"

_MINUTE_MS: Final = 60_000


def symbol_of(asset: str) -> str:
    """Return the venue's name of an asset's market, such as ``BTCUSDT``."""
    return asset + QUOTE


def number(value: float) -> str:
    """Return a price or quantity with eight decimals."""
    return f"{value:.8f}"


def amount(atoms: int) -> str:
    """Return atoms (10**-8) with eight decimals."""
    sign = "-" if atoms < 0 else ""
    whole, rest = divmod(abs(atoms), ATOMS)
    return f"{sign}{whole}.{rest:08d}"


def atoms(text: str) -> int:
    """Read a positive decimal text as atoms.

    Raises:
        ValueError: It is no number, not positive, or finer than eight decimals.
    """
    try:
        scaled = Decimal(text) * ATOMS
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not scaled.is_finite() or scaled <= 0 or scaled != scaled.to_integral_value():
        raise ValueError(text)
    return int(scaled)


def exchange_info(ticks: Mapping[str, float], *, wall_ms: int, is_open: bool) -> Json:
    """Return the list of markets.

    Args:
        ticks: Price step by asset, board order.
        wall_ms: Server time.
        is_open: False once a recording is over.
    """
    return {
        "timezone": "UTC",
        "serverTime": wall_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            }
        ],
        "exchangeFilters": [],
        "symbols": [_market(asset, tick, is_open=is_open) for asset, tick in ticks.items()],
    }


def _market(asset: str, tick: float, *, is_open: bool) -> Json:
    return {
        "symbol": symbol_of(asset),
        "status": "TRADING" if is_open else "BREAK",
        "baseAsset": asset,
        "baseAssetPrecision": 8,
        "quoteAsset": QUOTE,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": number(tick),
                "maxPrice": "10000000.00000000",
                "tickSize": number(tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": STEP,
                "maxQty": "9000000.00000000",
                "stepSize": STEP,
            },
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000"},
        ],
    }


def kline(candle: Candle, *, minutes: int) -> list[Any]:
    """Return one candle as the venue's array of twelve."""
    open_ms = candle.minute * _MINUTE_MS
    quote = candle.volume * (candle.open + candle.close) / 2
    return [
        open_ms,
        number(candle.open),
        number(candle.high),
        number(candle.low),
        number(candle.close),
        number(candle.volume),
        open_ms + minutes * _MINUTE_MS - 1,
        number(quote),
        int(candle.volume) % 997 + 1,
        number(candle.volume / 2),
        number(quote / 2),
        "0",
    ]


def ticker(asset: str, day: Candle, touch: tuple[int, int], *, market_ms: int) -> Json:
    """Return the 24-hour ticker.

    Args:
        asset: Upper-case name.
        day: The last 24 hours as one candle.
        touch: Best bid and best ask, atoms.
        market_ms: Now, market time.
    """
    change = day.close - day.open
    middle = (day.high + day.low + day.close) / 3
    return {
        "symbol": symbol_of(asset),
        "priceChange": number(change),
        "priceChangePercent": f"{100 * change / day.open:.3f}",
        "weightedAvgPrice": number(middle),
        "prevClosePrice": number(day.open),
        "lastPrice": number(day.close),
        "lastQty": "1.00000000",
        "bidPrice": amount(touch[0]),
        "bidQty": "10.00000000",
        "askPrice": amount(touch[1]),
        "askQty": "10.00000000",
        "openPrice": number(day.open),
        "highPrice": number(day.high),
        "lowPrice": number(day.low),
        "volume": number(day.volume),
        "quoteVolume": number(day.volume * middle),
        "openTime": market_ms - 1440 * _MINUTE_MS,
        "closeTime": market_ms,
        "firstId": 1,
        "lastId": 2,
        "count": 2,
    }


def depth(touch: tuple[int, int], *, tick: int, limit: int, market_ms: int) -> Json:
    """Return a spot order book: equal steps away from the touch, growing sizes."""
    best_bid, best_ask = touch
    levels = range(min(limit, 20))
    return {
        "lastUpdateId": market_ms,
        "bids": [
            [amount(best_bid - step * tick), f"{1 + step}.00000000"]
            for step in levels
            if best_bid > step * tick
        ],
        "asks": [[amount(best_ask + step * tick), f"{1 + step}.00000000"] for step in levels],
    }


def placed(entry: SpotReceived, order: SpotOrder) -> Json:
    """Return the FULL answer to an accepted order."""
    return spot_order(order) | {
        "transactTime": entry.wall_ns // NS_PER_MS,
        "fills": [
            {
                "price": amount(fill.price),
                "qty": amount(fill.quantity),
                "commission": amount(fill.commission),
                "commissionAsset": _commission_asset(order.terms),
                "tradeId": fill.id,
            }
            for fill in order.fills
        ],
    }


def spot_order(order: SpotOrder) -> Json:
    """Return an order as GET /order shows it."""
    terms = order.terms
    created_ms = order.wall_ns // NS_PER_MS
    updated_ms = order.fills[-1].wall_ns // NS_PER_MS if order.fills else created_ms
    return {
        "symbol": symbol_of(terms.asset),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": terms.client_id,
        "price": amount(terms.price),
        "origQty": amount(terms.quantity),
        "executedQty": amount(order.filled),
        "cummulativeQuoteQty": amount(order.quote),
        "status": order.status,
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "side": "BUY" if terms.is_buy else "SELL",
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": created_ms,
        "updateTime": updated_ms,
        "isWorking": True,
        "workingTime": created_ms,
        "origQuoteOrderQty": "0.00000000",
        "selfTradePreventionMode": "NONE",
    }


def my_trades(orders: Iterable[SpotOrder]) -> list[Json]:
    """Return every fill of some orders, oldest first."""
    rows = [_my_trade(order, fill) for order in orders for fill in order.fills]
    return sorted(rows, key=lambda row: (row["time"], row["id"]))


def _my_trade(order: SpotOrder, fill: SpotFill) -> Json:
    return {
        "symbol": symbol_of(order.terms.asset),
        "id": fill.id,
        "orderId": order.id,
        "orderListId": -1,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "quoteQty": amount(fill.quantity * fill.price // ATOMS),
        "commission": amount(fill.commission),
        "commissionAsset": _commission_asset(order.terms),
        "time": fill.wall_ns // NS_PER_MS,
        "isBuyer": order.terms.is_buy,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def _commission_asset(terms: SpotTerms) -> str:
    return terms.asset if terms.is_buy else QUOTE


def account(balances: Sequence[tuple[str, int, int]], *, wall_ms: int) -> Json:
    """Return the account.

    Args:
        balances: Asset, free and locked atoms.
        wall_ms: Server time.
    """
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "updateTime": wall_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": amount(free), "locked": amount(locked)}
            for asset, free, locked in balances
        ],
        "permissions": ["SPOT"],
    }
