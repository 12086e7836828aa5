"""The spot venue over HTTP: /api/v3.

Owns the routes, their parameters, signatures' placement and error codes. Must never enter:
decisions (see `spot_desk`), shapes of JSON (see `binance_messages`), faults.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from foresight.exchange import binance_messages as messages
from foresight.exchange.candles import Candle, merge
from foresight.exchange.client_urls import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS
from foresight.exchange.signatures import is_hex_hmac
from foresight.exchange.spot import ATOMS, SpotOrder, SpotTerms
from foresight.exchange.venue import Venue

_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1000
_WINDOW_MS_DEFAULT: Final = 5000
_WINDOW_MS_MAX: Final = 60_000
_AHEAD_MS_MAX: Final = 1000  # a timestamp may lie this far in the server's future
_DAY_MINUTES: Final = 1440

Handler = Callable[[web.Request], Awaitable[web.Response]]
Query = Mapping[str, str]
SignedHandler = Callable[[Query], web.Response]


class _AnswerError(Exception):
    """Ends a request with the venue's error object."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.response = web.json_response({"code": code, "msg": message}, status=status)


class BinanceApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue
        self._kline_texts: dict[tuple[str, int], str] = {}
        self._days: dict[str, tuple[int, Candle]] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        public: dict[str, Callable[[Query], web.Response]] = {
            "ping": self.ping,
            "time": self.time,
            "exchangeInfo": self.exchange_info,
            "klines": self.klines,
            "ticker/24hr": self.tickers,
            "ticker/price": self.prices,
            "ticker/bookTicker": self.book_tickers,
            "depth": self.depth,
        }
        signed: dict[str, SignedHandler] = {
            "GET account": self.account,
            "POST order": self.post_order,
            "GET order": self.get_order,
            "DELETE order": self.delete_order,
            "GET openOrders": self.open_orders,
            "GET allOrders": self.all_orders,
            "GET myTrades": self.my_trades,
        }
        for path, handler in public.items():
            yield web.get(f"/api/v3/{path}", _answering(_reading(handler)))
        for route, signed_handler in signed.items():
            method, path = route.split()
            yield web.route(method, f"/api/v3/{path}", _answering(self._signed(signed_handler)))

    # -- market data ---------------------------------------------------------------------------

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
        asset = self._asset(query.get("symbol", ""))
        minutes = messages.INTERVAL_MINUTES.get(query.get("interval", ""))
        if minutes is None:
            raise _AnswerError(-1120, "Invalid interval.")
        limit = min(_integer(query, "limit", _LIMIT_DEFAULT), _LIMIT_MAX)
        market_ns = self._venue.now().market_ns
        last = market_ns // NS_PER_MINUTE
        if "endTime" in query:
            last = min(last, _integer(query, "endTime", 0) // 60_000)
        last -= last % minutes
        first = last - (limit - 1) * minutes
        if "startTime" in query:
            wanted = -(-_integer(query, "startTime", 0) // (60_000 * minutes)) * minutes
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
            bid, ask = self._touch(asset, market_ns)
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
        asset = self._asset(query.get("symbol", ""))
        market_ns = self._venue.now().market_ns
        tick = max(1, round(self._venue.tape.source.tick(asset) * ATOMS))
        return web.json_response(
            messages.depth(
                self._touch(asset, market_ns),
                tick=tick,
                limit=_integer(query, "limit", 100),
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
                raise _AnswerError(-1000, "No candle in the last 24 hours.", status=503)
            known = minute, merge(candles)
            self._days[asset] = known
        running = self._venue.tape.partial(asset, market_ns)
        day = merge([known[1], running]) if running is not None else known[1]
        touch = self._touch(asset, market_ns)
        return messages.ticker(asset, day, touch, market_ms=market_ns // NS_PER_MS)

    def _touch(self, asset: str, market_ns: int) -> tuple[int, int]:
        touch = self._venue.spot.touch(asset, market_ns)
        if touch is None:
            raise _AnswerError(-1000, "The recorded candles are over: no price.", status=503)
        return touch

    def _per_asset(self, query: Query, render: Callable[[str, int], messages.Json]) -> web.Response:
        market_ns = self._venue.now().market_ns
        if "symbol" in query:
            return web.json_response(render(self._asset(query["symbol"]), market_ns))
        assets = list(self._venue.tape.source.assets)
        if "symbols" in query:
            try:
                assets = [self._asset(str(name)) for name in json.loads(query["symbols"])]
            except ValueError as error:
                raise _AnswerError(-1100, "Illegal characters in 'symbols'.") from error
        return web.json_response([render(asset, market_ns) for asset in assets])

    def _asset(self, symbol: str) -> str:
        asset = symbol.removesuffix(messages.QUOTE)
        if asset == symbol or asset not in self._venue.tape.source.assets:
            raise _AnswerError(-1121, "Invalid symbol.")
        return asset

    # -- account -------------------------------------------------------------------------------

    def account(self, query: Query) -> web.Response:
        """Return the balances."""
        del query
        self._venue.advance()
        ledger = self._venue.spot_ledger
        rows = []
        for asset, total in ledger.balances.items():
            locked = ledger.claimed(asset)
            rows.append((asset, total - locked, locked))
        wall_ms = self._venue.now().wall_ns // NS_PER_MS
        return web.json_response(messages.account(rows, wall_ms=wall_ms))

    def post_order(self, query: Query) -> web.Response:
        """Take one order."""
        now = self._venue.now()
        entry = self._venue.spot.submit(self._terms(query), now)
        if entry.verdict == "accepted":
            order = self._venue.spot_ledger.orders[entry.order_id]
            return web.json_response(messages.placed(entry, order))
        code = -1013 if entry.reason.startswith("Filter failure") else -2010
        raise _AnswerError(code, entry.reason)

    def get_order(self, query: Query) -> web.Response:
        """Return one order by its id or client id."""
        self._venue.advance()
        return web.json_response(messages.spot_order(self._order(query, -2013)))

    def delete_order(self, query: Query) -> web.Response:
        """Cancel one order."""
        order = self._order(query, -2011)
        if not self._venue.spot.cancel(order, self._venue.now()):
            raise _AnswerError(-2011, "Unknown order sent.")
        return web.json_response(
            messages.spot_order(order) | {"origClientOrderId": order.terms.client_id}
        )

    def open_orders(self, query: Query) -> web.Response:
        """Return waiting orders."""
        self._venue.advance()
        return self._orders(query, self._venue.spot_ledger.live())

    def all_orders(self, query: Query) -> web.Response:
        """Return every order."""
        self._venue.advance()
        return self._orders(query, list(self._venue.spot_ledger.orders.values()))

    def my_trades(self, query: Query) -> web.Response:
        """Return fills."""
        self._venue.advance()
        asset = self._asset(query.get("symbol", ""))
        orders = self._venue.spot_ledger.orders.values()
        wanted = query.get("orderId")
        return web.json_response(
            messages.my_trades(
                order
                for order in orders
                if order.terms.asset == asset and wanted in {None, str(order.id)}
            )
        )

    def _orders(self, query: Query, orders: list[SpotOrder]) -> web.Response:
        if "symbol" in query:
            asset = self._asset(query["symbol"])
            orders = [order for order in orders if order.terms.asset == asset]
        return web.json_response([messages.spot_order(order) for order in orders])

    def _order(self, query: Query, code: int) -> SpotOrder:
        ledger = self._venue.spot_ledger
        asset = self._asset(query.get("symbol", ""))
        found = (
            ledger.orders.get(_integer(query, "orderId", 0))
            if "orderId" in query
            else ledger.by_client_id.get(query.get("origClientOrderId", ""))
        )
        if found is None or found.terms.asset != asset:
            missing = code == -2013  # noqa: PLR2004 - the venue's code for a question
            raise _AnswerError(code, "Order does not exist." if missing else "Unknown order sent.")
        return found

    def _terms(self, query: Query) -> SpotTerms:
        asset = self._asset(query.get("symbol", ""))
        kind, side = query.get("type", ""), query.get("side", "")
        if kind not in messages.ORDER_TYPES or side not in {"BUY", "SELL"}:
            raise _AnswerError(-1116, "Invalid orderType or side.")
        try:
            price = 0 if kind == "MARKET" else messages.atoms(query["price"])
            if "quoteOrderQty" in query:
                cash = messages.atoms(query["quoteOrderQty"])
                ask = self._touch(asset, self._venue.now().market_ns)[1]
                quantity = cash * ATOMS // ask // 1000 * 1000
            else:
                quantity = messages.atoms(query["quantity"])
        except (KeyError, ValueError) as error:
            raise _AnswerError(-1102, f"Mandatory parameter {error} was bad or missing.") from error
        tif = query.get("timeInForce", "GTC")
        default_id = f"auto-{len(self._venue.spot_ledger.requests) + 1}"
        client_id = query.get("newClientOrderId", default_id)
        return SpotTerms(client_id, asset, side == "BUY", kind, tif, quantity, price)

    def _signed(self, handler: SignedHandler) -> Handler:
        async def checked(request: web.Request) -> web.Response:
            is_in_url = request.method in {"GET", "DELETE"}
            raw = request.rel_url.raw_query_string if is_in_url else await request.text()
            message, found, signature = raw.rpartition("&signature=")
            if request.headers.get("X-MBX-APIKEY") != BINANCE_DEMO_KEY:
                raise _AnswerError(
                    -2015, "Invalid API-key, IP, or permissions for action.", status=401
                )
            if not found or not is_hex_hmac(message, signature, secret=BINANCE_DEMO_SECRET):
                raise _AnswerError(-1022, "Signature for this request is not valid.")
            query: dict[str, Any] = dict(parse_qsl(message))
            stamp_ms = _integer(query, "timestamp", 0)
            window_ms = min(_integer(query, "recvWindow", _WINDOW_MS_DEFAULT), _WINDOW_MS_MAX)
            now_ms = self._venue.now().wall_ns // NS_PER_MS
            if not now_ms - window_ms <= stamp_ms <= now_ms + _AHEAD_MS_MAX:
                raise _AnswerError(
                    -1021, "Timestamp for this request is outside of the recvWindow."
                )
            return handler(query)

        return checked


def _integer(query: Query, name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        raise _AnswerError(-1100, f"Illegal characters found in parameter '{name}'.") from error


def _reading(handler: Callable[[Query], web.Response]) -> Handler:
    async def read(request: web.Request) -> web.Response:
        return handler(request.query)

    return read


def _answering(handler: Handler) -> Handler:
    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except _AnswerError as error:
            return error.response

    return answered
