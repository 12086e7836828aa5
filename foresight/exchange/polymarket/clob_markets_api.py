"""The clob's public side over HTTP: what clients read before they order, prices, history.

Owns the routes, their parameters and status codes. Must never enter: decisions, shapes of JSON (see
`market_messages`), faults.
"""

from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web

from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.pricing import Book
from foresight.exchange.market.windows import Side, Window
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket import market_messages as messages
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.access import PolymarketAnswerError, json_body, routes_of
from foresight.exchange.polymarket.conditions import Conditions
from foresight.exchange.polymarket.wire_numbers import decimal
from foresight.exchange.venue import Venue

_POINTS_MAX: Final = 10_000  # of one history; a window has at most 75 minutes
_INTERVAL_S: Final = {
    "1m": 30 * 86_400,
    "1w": 7 * 86_400,
    "1d": 86_400,
    "6h": 21_600,
    "1h": 3600,
    "max": 365 * 86_400,
    "all": 365 * 86_400,
}
_LISTED_S: Final = 3600

BookOf = Callable[[str], Book]


class ClobMarketsApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue, book_of: BookOf) -> None:
        """Serve `venue`.

        Args:
            venue: Whose markets.
            book_of: Gives the book of a token, or refuses.
        """
        self._venue = venue
        self._book_of = book_of
        self._conditions = Conditions(venue.tape.source.assets)

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from routes_of(
            {
                "GET /clob/version": self.version,
                "GET /clob/markets-by-token/{token}": self.by_token,
                "GET /clob/clob-markets/{condition}": self.rules,
                "GET /clob/markets/{condition}": self.market,
                "GET /clob/price": self.price,
                "POST /clob/prices": self.prices,
                "GET /clob/spread": self.spread,
                "POST /clob/spreads": self.spreads,
                "GET /clob/prices-history": self.history,
            }
        )

    async def version(self, request: web.Request) -> web.Response:
        """Return which orders are taken."""
        del request
        return web.json_response({"version": messages.ORDER_VERSION})

    async def by_token(self, request: web.Request) -> web.Response:
        """Return the market of a token."""
        window, _ = self._outcome(request.match_info["token"])
        return web.json_response(messages.by_token(window))

    async def rules(self, request: web.Request) -> web.Response:
        """Return what orders of a market must keep to."""
        window = self._window(request)
        return web.json_response(messages.rules(window, tick_micro=self._venue.tick_of(window)))

    async def market(self, request: web.Request) -> web.Response:
        """Return one market."""
        window, market_ns = self._window(request), self._venue.now().market_ns
        return web.json_response(
            messages.market(
                window,
                tick_micro=self._venue.tick_of(window),
                probability=self._venue.market.probability_up(window, market_ns),
                result=self._venue.settler.result(window, market_ns),
                is_tradable=self._venue.market.is_tradable(window, market_ns),
            )
        )

    async def price(self, request: web.Request) -> web.Response:
        """Return the best price of one side of a book."""
        query = request.query
        best = self._price(query.get("token_id", ""), query.get("side", ""))
        return web.json_response({"price": best})

    async def prices(self, request: web.Request) -> web.Response:
        """Return best prices by token and side."""
        found: dict[str, dict[str, str]] = {}
        for token, side in await _rows(request):
            found.setdefault(token, {})[side] = self._price(token, side)
        return web.json_response(found)

    async def spread(self, request: web.Request) -> web.Response:
        """Return the distance between the best prices of one book."""
        return web.json_response({"spread": self._spread(request.query.get("token_id", ""))})

    async def spreads(self, request: web.Request) -> web.Response:
        """Return those of several books by token."""
        rows = await _rows(request)
        return web.json_response({token: self._spread(token) for token, _ in rows})

    async def history(self, request: web.Request) -> web.Response:
        """Return fair prices of one token over time, since it is listed."""
        query = request.query
        window, side = self._outcome(query.get("market", ""))
        now_s = self._venue.now().market_ns // NS_PER_SECOND
        first_s, last_s = window.start_s - _LISTED_S, min(now_s, window.end_s - 1)
        if "interval" in query:
            if query["interval"] not in _INTERVAL_S:
                raise PolymarketAnswerError(400, "Invalid interval")
            first_s = max(first_s, now_s - _INTERVAL_S[query["interval"]])
        first_s = max(first_s, _whole(query.get("startTs", "0")))
        last_s = min(last_s, _whole(query.get("endTs", str(last_s))))
        step_s = 60 * max(1, _whole(query.get("fidelity", "1")))
        first_s = -(-first_s // 60) * 60
        seconds = range(first_s, last_s + 1, step_s)[:_POINTS_MAX]
        points = [(at_s, self._probability(window, side, at_s)) for at_s in seconds]
        return web.json_response(messages.history(points))

    def _probability(self, window: Window, side: Side, at_s: int) -> float:
        up = self._venue.market.probability_up(window, at_s * NS_PER_SECOND)
        return up if side is Side.UP else 1.0 - up

    def _price(self, token: str, side: str) -> str:
        if side.upper() not in {"BUY", "SELL"}:
            raise PolymarketAnswerError(400, "Invalid side")
        book = self._book_of(token)
        levels = book.bids if side.upper() == "BUY" else book.asks
        return decimal(levels[0].price_micro) if levels else "0"

    def _spread(self, token: str) -> str:
        book = self._book_of(token)
        bid = book.bids[0].price_micro if book.bids else 0
        ask = book.asks[0].price_micro if book.asks else MICRO
        return decimal(ask - bid)

    def _outcome(self, token: str) -> tuple[Window, Side]:
        outcome = tokens.outcome_of_token(token)
        if outcome is None or not self._venue.market.exists(outcome[0]):
            raise PolymarketAnswerError(404, "market not found")
        return outcome

    def _window(self, request: web.Request) -> Window:
        text = request.match_info["condition"]
        window = self._conditions.window_of(text, self._venue.now().market_ns)
        if window is None or not self._venue.market.exists(window):
            raise PolymarketAnswerError(404, "market not found")
        return window


async def _rows(request: web.Request) -> list[tuple[str, str]]:
    body = await json_body(request)
    if not isinstance(body, list):
        raise PolymarketAnswerError(400, "Invalid payload")
    rows = [row for row in body if isinstance(row, dict)]
    return [(str(row.get("token_id", "")), str(row.get("side", ""))) for row in rows]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):  # noqa: PLR2004 - seconds
        raise PolymarketAnswerError(400, "Invalid number")
    return int(text)
