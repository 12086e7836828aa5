"""The spot venue's public side over HTTP: /api/v3 market data.

Owns the routes, their parameters and caches of rendered candles. Must never enter: orders, shapes
of JSON (see `messages`), faults.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web

from foresight.exchange.binance import messages
from foresight.exchange.binance.access import (
    BinanceAnswerError,
    Query,
    QueryHandler,
    asset_of,
    integer,
    public,
    touch_of,
)
from foresight.exchange.ledger.spot import ATOMS
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS
from foresight.exchange.prices.candles import Candle, merge
from foresight.exchange.venue import Venue

_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1000
_DAY_MINUTES: Final = 1440


class BinanceMarketApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue
        self._kline_texts: dict[tuple[str, int], str] = {}
        self._days: dict[str, tuple[int, Candle]] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        handlers: dict[str, QueryHandler] = {
            "ping": self.ping,
            "time": self.time,
            "exchangeInfo": self.exchange_info,
            "klines": self.klines,
            "ticker/24hr": self.tickers,
            "ticker/price": self.prices,
            "ticker/bookTicker": self.book_tickers,
            "depth": self.depth,
        }
        for path, handler in handlers.items():
            yield web.get(f"/api/v3/{path}", public(handler))

    def ping(self, query: Query) -> web.Response:
        """Answer."""
        del query
        return web.json_response({})

    def time(self, query: Query) -> web.Response:
        """Return wall time: signatures are checked against it."""
        del query
        return web.json_response({"serverTime": self._venue.now().wall_ns // NS_PER_MS})

    def exchange_info(self, query: Query) -> web.Response:
        """Return the markets."""
        del query
        now = self._venue.now()
        source = self._venue.tape.source
        return web.json_response(
            messages.exchange_info(
                {asset: source.tick(asset) for asset in source.assets},
                wall_ms=now.wall_ns // NS_PER_MS,
                is_open=not self._venue.tape.has_ended(now.market_ns),
            )
        )

    def klines(self, query: Query) -> web.Response:
        """Return candles up to now; the last one is the running, unfinished one."""
        asset = asset_of(self._venue, query.get("symbol", ""))
        minutes = messages.INTERVAL_MINUTES.get(query.get("interval", ""))
        if minutes is None:
            raise BinanceAnswerError(-1120, "Invalid interval.")
        limit = min(integer(query, "limit", _LIMIT_DEFAULT), _LIMIT_MAX)
        market_ns = self._venue.now().market_ns
        last = market_ns // NS_PER_MINUTE
        if "endTime" in query:
            last = min(last, integer(query, "endTime", 0) // 60_000)
        last -= last % minutes
        first = last - (limit - 1) * minutes
        if "startTime" in query:
            wanted = -(-integer(query, "startTime", 0) // (60_000 * minutes)) * minutes
            first = wanted
            last = min(last, wanted + (limit - 1) * minutes)
        first = max(first, self._venue.tape.source.first_minute)
        texts = (
            self._kline(asset, minute, minutes, market_ns)
            for minute in range(first, last + 1, minutes)
        )
        body = "[" + ",".join(text for text in texts if text) + "]"
        return web.Response(text=body, content_type="application/json")

    def tickers(self, query: Query) -> web.Response:
        """Return 24-hour tickers."""
        return self._per_asset(query, self._ticker)

    def prices(self, query: Query) -> web.Response:
        """Return last prices."""

        def price(asset: str, market_ns: int) -> messages.Json:
            last = self._venue.tape.price_at(asset, market_ns) or 0.0
            return {"symbol": messages.symbol_of(asset), "price": messages.number(last)}

        return self._per_asset(query, price)

    def book_tickers(self, query: Query) -> web.Response:
        """Return best bids and asks."""

        def best(asset: str, market_ns: int) -> messages.Json:
            bid, ask = touch_of(self._venue, asset, market_ns)
            return {
                "symbol": messages.symbol_of(asset),
                "bidPrice": messages.amount(bid),
                "bidQty": "10.00000000",
                "askPrice": messages.amount(ask),
                "askQty": "10.00000000",
            }

        return self._per_asset(query, best)

    def depth(self, query: Query) -> web.Response:
        """Return an order book."""
        asset = asset_of(self._venue, query.get("symbol", ""))
        market_ns = self._venue.now().market_ns
        tick = max(1, round(self._venue.tape.source.tick(asset) * ATOMS))
        return web.json_response(
            messages.depth(
                touch_of(self._venue, asset, market_ns),
                tick=tick,
                limit=integer(query, "limit", 100),
                market_ms=market_ns // NS_PER_MS,
            )
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

    def _ticker(self, asset: str, market_ns: int) -> messages.Json:
        minute = market_ns // NS_PER_MINUTE
        known = self._days.get(asset)
        if known is None or known[0] != minute:
            candles = self._venue.tape.candles(
                asset, first_minute=minute - _DAY_MINUTES, end_minute=minute
            )
            if not candles:
                raise BinanceAnswerError(-1000, "No candle in the last 24 hours.", status=503)
            known = minute, merge(candles)
            self._days[asset] = known
        running = self._venue.tape.partial(asset, market_ns)
        day = merge([known[1], running]) if running is not None else known[1]
        touch = touch_of(self._venue, asset, market_ns)
        return messages.ticker(asset, day, touch, market_ms=market_ns // NS_PER_MS)

    def _per_asset(self, query: Query, render: Callable[[str, int], messages.Json]) -> web.Response:
        market_ns = self._venue.now().market_ns
        if "symbol" in query:
            return web.json_response(render(asset_of(self._venue, query["symbol"]), market_ns))
        assets = list(self._venue.tape.source.assets)
        if "symbols" in query:
            try:
                assets = [asset_of(self._venue, str(name)) for name in json.loads(query["symbols"])]
            except ValueError as error:
                raise BinanceAnswerError(-1100, "Illegal characters in 'symbols'.") from error
        return web.json_response([render(asset, market_ns) for asset in assets])
