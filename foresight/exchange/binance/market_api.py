"""The spot venue's public side over HTTP: /api/v3 market data.

Owns the routes, their parameters and weights, and caches of rendered candles. Must never enter:
orders, shapes of JSON (see `messages`), faults.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from aiohttp import web

from foresight.exchange.binance import candle_pages, exchange_info, market_trades, messages
from foresight.exchange.binance.access import Gate, Route, asset_of, touch_of
from foresight.exchange.binance.average_price import average_price
from foresight.exchange.binance.decimals import amount, number
from foresight.exchange.binance.filters import AVERAGE_MINUTES
from foresight.exchange.binance.parameters import (
    Query,
    instant_us,
    integer,
    names,
    page_size,
    required,
)
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS
from foresight.exchange.prices.candles import Candle, merge
from foresight.exchange.venue import Venue

_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1000
_DEPTH_DEFAULT: Final = 100
_DEPTH_MAX: Final = 5000
_DAY_MINUTES: Final = 1440
_US_PER_MS: Final = 1000
_FOREVER_MS: Final = 10**15
_UTC: Final = frozenset({"0", "0:00", "00:00", "+0:00", "+00:00", "-0:00", "-00:00"})
_DEPTH_WEIGHTS: Final = ((100, 5), (500, 25), (1000, 50), (_DEPTH_MAX, 250))


def depth_weight(query: Query) -> int:
    """Return the weight of a book: the more levels, the heavier."""
    wanted = query.get("limit", "")
    levels = int(wanted[:5]) if wanted.isascii() and wanted.isdigit() else _DEPTH_DEFAULT
    return next((weight for most, weight in _DEPTH_WEIGHTS if levels <= most), 250)


def ticker_weight(query: Query) -> int:
    """Return the weight of 24-hour tickers: all together are heavy."""
    few = "symbol" in query or "symbols" in query  # this board has no more than twenty
    return 2 if few else 80


class BinanceMarketApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue, gate: Gate) -> None:
        """Serve `venue` behind `gate`."""
        self._venue = venue
        self._gate = gate
        self._kline_texts: dict[tuple[str, int], str] = {}
        self._days: dict[str, tuple[int, Candle]] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from self._gate.routes(
            "public",
            (
                Route("GET /api/v3/ping", self.ping),
                Route("GET /api/v3/time", self.time),
                Route("GET /api/v3/exchangeInfo", self.exchange_info, 20),
                Route("GET /api/v3/klines", self.klines, 2),
                Route("GET /api/v3/uiKlines", self.klines, 2),
                Route("GET /api/v3/trades", self.trades, 25),
                Route("GET /api/v3/historicalTrades", self.trades, 25),
                Route("GET /api/v3/aggTrades", self.aggregated, 4),
                Route("GET /api/v3/avgPrice", self.average, 2),
                Route("GET /api/v3/ticker/24hr", self.tickers, ticker_weight),
                Route("GET /api/v3/ticker/price", self.prices, _listing_weight),
                Route("GET /api/v3/ticker/bookTicker", self.book_tickers, _listing_weight),
                Route("GET /api/v3/depth", self.depth, depth_weight),
            ),
        )

    def ping(self, query: Query) -> web.Response:
        """Answer."""
        del query
        return web.json_response({})

    def time(self, query: Query) -> web.Response:
        """Return wall time: signatures are checked against it."""
        del query
        return web.json_response({"serverTime": self._venue.now().wall_ns // NS_PER_MS})

    def exchange_info(self, query: Query) -> web.Response:
        """Return the markets, all or those asked for."""
        now = self._venue.now()
        return web.json_response(
            exchange_info.whole(
                {asset: self._venue.spot.tick(asset) for asset in self._assets(query)},
                wall_ms=now.wall_ns // NS_PER_MS,
                is_open=not self._venue.tape.has_ended(now.market_ns),
            )
        )

    def klines(self, query: Query) -> web.Response:
        """Return candles up to now; the last one is the running, unfinished one."""
        asset = asset_of(self._venue, required(query, "symbol"))
        minutes = messages.INTERVAL_MINUTES.get(required(query, "interval"))
        if minutes is None:
            raise Refusal(-1120, "Invalid interval.")
        if query.get("timeZone", "0") not in _UTC:
            raise Refusal(-1100, "Invalid timeZone: UTC alone is served here.")
        page = candle_pages.Page(
            minutes,
            page_size(query, default=_LIMIT_DEFAULT, most=_LIMIT_MAX),
            instant_us(query, "startTime"),
            instant_us(query, "endTime"),
        )
        market_ns = self._venue.now().market_ns
        places = candle_pages.openings(self._venue.tape, asset, page, market_ns)
        texts = (self._kline(asset, minute, minutes, market_ns) for minute in places)
        body = "[" + ",".join(text for text in texts if text) + "]"
        return web.Response(text=body, content_type="application/json")

    def trades(self, query: Query) -> web.Response:
        """Return public trades: the newest, or those from a number on."""
        found = self._trades(query, is_by_time=False)
        return web.json_response([market_trades.shown(trade) for trade in found])

    def aggregated(self, query: Query) -> web.Response:
        """Return public trades: the newest, from a number on, or of a range of time."""
        found = self._trades(query, is_by_time=True)
        return web.json_response([market_trades.aggregated(trade) for trade in found])

    def average(self, query: Query) -> web.Response:
        """Return the average price that filters compare with."""
        asset = asset_of(self._venue, required(query, "symbol"))
        market_ns = self._venue.now().market_ns
        price = average_price(self._venue.tape, asset, market_ns) or 0
        return web.json_response(
            {
                "mins": AVERAGE_MINUTES,
                "price": amount(price),
                "closeTime": market_ns // NS_PER_MS,
            }
        )

    def tickers(self, query: Query) -> web.Response:
        """Return 24-hour tickers."""
        return self._per_asset(query, self.ticker)

    def prices(self, query: Query) -> web.Response:
        """Return last prices."""

        def price(asset: str, market_ns: int) -> messages.Json:
            last = self._venue.tape.price_at(asset, market_ns) or 0.0
            return {"symbol": messages.symbol_of(asset), "price": number(last)}

        return self._per_asset(query, price)

    def book_tickers(self, query: Query) -> web.Response:
        """Return best bids and asks."""

        def best(asset: str, market_ns: int) -> messages.Json:
            bid, ask = touch_of(self._venue, asset, market_ns)
            return {
                "symbol": messages.symbol_of(asset),
                "bidPrice": amount(bid),
                "bidQty": messages.TOUCH_SIZE,
                "askPrice": amount(ask),
                "askQty": messages.TOUCH_SIZE,
            }

        return self._per_asset(query, best)

    def depth(self, query: Query) -> web.Response:
        """Return the spot order book."""
        asset = asset_of(self._venue, required(query, "symbol"))
        market_ns = self._venue.now().market_ns
        return web.json_response(
            messages.depth(
                touch_of(self._venue, asset, market_ns),
                tick=self._venue.spot.tick(asset),
                limit=page_size(query, default=_DEPTH_DEFAULT, most=_DEPTH_MAX),
                market_ms=market_ns // NS_PER_MS,
            )
        )

    def _trades(self, query: Query, *, is_by_time: bool) -> list[market_trades.MarketTrade]:
        asset = asset_of(self._venue, required(query, "symbol"))
        limit = page_size(query, default=_LIMIT_DEFAULT, most=_LIMIT_MAX)
        tape, market_ns = self._venue.tape, self._venue.now().market_ns
        first_id = integer(query, "fromId")
        if first_id is not None:
            return market_trades.from_id(tape, asset, first_id, market_ns=market_ns, limit=limit)
        start_us, end_us = instant_us(query, "startTime"), instant_us(query, "endTime")
        if not is_by_time or (start_us is None and end_us is None):
            return market_trades.latest(tape, asset, market_ns=market_ns, limit=limit)
        if start_us is None:
            end_ns = min(market_ns, (end_us or 0) * _US_PER_MS)
            return market_trades.latest(tape, asset, market_ns=end_ns, limit=limit)
        last_ms = _FOREVER_MS if end_us is None else end_us // _US_PER_MS
        return market_trades.between(
            tape, asset, start_us // _US_PER_MS, last_ms, market_ns=market_ns, limit=limit
        )

    def _kline(self, asset: str, minute: int, minutes: int, market_ns: int) -> str:
        is_finished = minute + minutes <= market_ns // NS_PER_MINUTE
        if minutes == 1 and is_finished:
            known = self._kline_texts.get((asset, minute))
            if known is not None:
                return known
        candle = self._venue.tape.interval(
            asset, first_minute=minute, minutes=minutes, market_ns=market_ns
        )
        text = json.dumps(messages.kline(candle, minutes=minutes)) if candle else ""
        if minutes == 1 and is_finished:
            if len(self._kline_texts) > _DAY_MINUTES * len(self._venue.identity.assets):
                self._kline_texts.clear()
            self._kline_texts[asset, minute] = text
        return text

    def ticker(self, asset: str, market_ns: int) -> messages.Json:
        """Return the 24-hour ticker of an asset at an instant, or refuse where there is none."""
        minute = market_ns // NS_PER_MINUTE
        known = self._days.get(asset)
        if known is None or known[0] != minute:
            candles = self._venue.tape.candles(
                asset, first_minute=minute - _DAY_MINUTES, end_minute=minute
            )
            if not candles:
                raise Refusal(-1000, "No candle in the last 24 hours.", status=503)
            known = minute, merge(candles)
            self._days[asset] = known
        running = self._venue.tape.partial(asset, market_ns)
        day = merge([known[1], running]) if running is not None else known[1]
        touch = touch_of(self._venue, asset, market_ns)
        return messages.ticker(asset, day, touch, market_ms=market_ns // NS_PER_MS)

    def _per_asset(self, query: Query, render: Callable[[str, int], messages.Json]) -> web.Response:
        market_ns = self._venue.now().market_ns
        rows = [render(asset, market_ns) for asset in self._assets(query)]
        return web.json_response(rows[0] if "symbol" in query else rows)

    def _assets(self, query: Query) -> Sequence[str]:
        """Return the asset of `symbol`, those of `symbols`, or all."""
        wanted = names(query, "symbols")
        if "symbol" in query:
            if wanted is not None:
                raise Refusal(-1128, "Combination of optional parameters invalid.")
            wanted = [query["symbol"]]
        if wanted is None:
            return self._venue.tape.source.assets
        return [asset_of(self._venue, name) for name in wanted]


def _listing_weight(query: Query) -> int:
    return 2 if "symbol" in query else 4
