"""The spot venue's wire format: what the JSON of prices and books says.

Owns the names of markets and intervals, and the shapes of klines, tickers and depth, as
`ccxt.async_support.binance` 4.5.90 reads them. Must never enter: HTTP, clocks, decisions, orders.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from foresight.exchange.binance.decimals import amount, number
from foresight.exchange.prices.candles import Candle

Json = dict[str, Any]

QUOTE: Final = "USDT"
INTERVAL_MINUTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "1m": 1,
        "3m": 3,
        "5m": 5,
        "15m": 15,
        "30m": 30,
        "1h": 60,
        "2h": 120,
        "4h": 240,
        "6h": 360,
        "8h": 480,
        "12h": 720,
        "1d": 1440,
    }
)
"""Every interval that is served; each begins at a multiple of itself since 1970 UTC."""

TOUCH_SIZE: Final = "10.00000000"
"""What is shown to be offered at the best prices; as much as anybody wants is filled there."""

_MINUTE_MS: Final = 60_000


def symbol_of(asset: str) -> str:
    """Return the venue's name of an asset's market, such as ``BTCUSDT``."""
    return asset + QUOTE


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
        "bidQty": TOUCH_SIZE,
        "askPrice": amount(touch[1]),
        "askQty": TOUCH_SIZE,
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
