"""The clob's public side over HTTP: books and market rules.

Owns the routes, their parameters and status codes. Must never enter: decisions, shapes of JSON
(see `clob_messages`), faults other than asking for them.
"""

from collections.abc import Iterator

from aiohttp import web

from foresight.exchange.faults import Fault
from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.fees import RATE_PERCENT
from foresight.exchange.market.pricing import Book
from foresight.exchange.market.windows import Side, Window
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket import clob_messages as messages
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.access import PolymarketAnswerError, json_body, routes_of
from foresight.exchange.venue import Venue


class ClobBooksApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from routes_of(
            {
                "GET /clob/ok": self.status,
                "GET /clob/time": self.time,
                "GET /clob/book": self.book,
                "POST /clob/books": self.books,
                "GET /clob/midpoint": self.midpoint,
                "POST /clob/midpoints": self.midpoints,
                "GET /clob/last-trade-price": self.last_trade_price,
                "POST /clob/last-trades-prices": self.last_trade_prices,
                "GET /clob/tick-size": self.tick_size,
                "GET /clob/neg-risk": self.neg_risk,
                "GET /clob/fee-rate": self.fee_rate,
            }
        )

    async def status(self, request: web.Request) -> web.Response:
        """Say that the venue is up."""
        del request
        return web.Response(text="OK")

    async def time(self, request: web.Request) -> web.Response:
        """Return wall time in unix seconds."""
        del request
        return web.json_response(self._venue.now().wall_ns // NS_PER_SECOND)

    async def book(self, request: web.Request) -> web.Response:
        """Return one order book."""
        return web.json_response(self._book(request.query.get("token_id", "")))

    async def books(self, request: web.Request) -> web.Response:
        """Return several order books; unknown tokens are left out."""
        return web.json_response([self._book(token) for token in await self._tokens(request)])

    async def midpoint(self, request: web.Request) -> web.Response:
        """Return the middle of one book."""
        return web.json_response({"mid": self._middle(request.query.get("token_id", ""))})

    async def midpoints(self, request: web.Request) -> web.Response:
        """Return the middles of several books by token."""
        wanted = await self._tokens(request)
        return web.json_response({token: self._middle(token) for token in wanted})

    async def last_trade_price(self, request: web.Request) -> web.Response:
        """Return a stand-in for the last trade: the middle."""
        price = self._middle(request.query.get("token_id", ""))
        return web.json_response({"price": price, "side": "BUY"})

    async def last_trade_prices(self, request: web.Request) -> web.Response:
        """Return stand-ins for the last trades of several tokens."""
        wanted = await self._tokens(request)
        return web.json_response(
            [{"token_id": one, "price": self._middle(one), "side": "BUY"} for one in wanted]
        )

    async def tick_size(self, request: web.Request) -> web.Response:
        """Return the smallest price step."""
        window, _ = self._outcome(request.query.get("token_id", ""))
        tick_micro = self._venue.tick_of(window)
        return web.json_response({"minimum_tick_size": tick_micro / MICRO})

    async def neg_risk(self, request: web.Request) -> web.Response:
        """Return whether the market is a negative-risk one: never."""
        self._outcome(request.query.get("token_id", ""))
        return web.json_response({"neg_risk": False})

    async def fee_rate(self, request: web.Request) -> web.Response:
        """Return the fee rate in basis points of p x (1 - p)."""
        self._outcome(request.query.get("token_id", ""))
        return web.json_response({"base_fee": 100 * RATE_PERCENT})

    def levels(self, token: str) -> Book:
        """Return the book of a token, or refuse."""
        return self._levels(token)[2]

    async def _tokens(self, request: web.Request) -> list[str]:
        body = await json_body(request)
        if not isinstance(body, list):
            raise PolymarketAnswerError(400, "Invalid payload")
        wanted = [str(row.get("token_id", "")) for row in body if isinstance(row, dict)]
        now = self._venue.now()
        market = self._venue.market
        found = ((token, tokens.outcome_of_token(token)) for token in wanted)
        return [token for token, one in found if one and market.is_tradable(one[0], now.market_ns)]

    def _outcome(self, token: str) -> tuple[Window, Side]:
        outcome = tokens.outcome_of_token(token)
        if outcome is None:
            raise PolymarketAnswerError(400, "Invalid token id")
        return outcome

    def _levels(self, token: str) -> tuple[Window, Side, Book, int]:
        window, side = self._outcome(token)
        now = self._venue.now()
        market_ns = now.market_ns
        if not self._venue.market.is_tradable(window, market_ns):
            raise PolymarketAnswerError(404, "No orderbook exists for the requested token id")
        stale = self._venue.faults.draw(Fault.STALE_BOOK, ("clob",))
        if stale is not None:
            market_ns -= round((stale.seconds or 0.0) * NS_PER_SECOND)
            return window, side, self._venue.desk.untouched(window, side, market_ns), market_ns
        return window, side, self._venue.desk.book(window, side, now), market_ns

    def _book(self, token: str) -> messages.Json:
        window, side, levels, market_ns = self._levels(token)
        return messages.book(
            window,
            side,
            levels,
            tick_micro=self._venue.tick_of(window),
            market_ns=market_ns,
        )

    def _middle(self, token: str) -> str:
        return messages.middle(self.levels(token))
