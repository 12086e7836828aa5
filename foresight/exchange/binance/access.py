"""How the spot venue's handlers meet HTTP: who may ask, how much, and how it says no.

Owns the three kinds of access (public, with a key, signed), the headers about weights and counts,
and the error object as an answer. Must never enter: what the requests do, the rules (see
`signed_requests` and `weights`).
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from aiohttp import web

from foresight.exchange.binance.messages import QUOTE
from foresight.exchange.binance.order_terms import Touch
from foresight.exchange.binance.parameters import Query, parsed
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.binance.signed_requests import Account, Sent, check_key, verified
from foresight.exchange.binance.weights import Meter
from foresight.exchange.credentials import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from foresight.exchange.venue import Venue

IS_OTHERS: Final = web.RequestKey("is_others", bool)
"""Whether another user of this machine sent a request; their weight is counted apart."""

_ACCOUNT: Final = Account(BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET)
_NS_PER_US: Final = 1000

Handler = Callable[[web.Request], Awaitable[web.Response]]
QueryHandler = Callable[[Query], web.Response]
Access = Literal["public", "keyed", "signed"]


class Route(NamedTuple):
    """One handler and what it takes to reach it.

    Attributes:
        name: Method and path, as in ``GET /api/v3/ping``.
        handler: Of the parameters.
        weight: Of one request, or what tells it from the parameters.
        is_order: Whether it counts as an order.
    """

    name: str
    handler: QueryHandler
    weight: int | Callable[[Query], int] = 1
    is_order: bool = False


class Gate:
    """What stands before every handler of one exchange's spot venue."""

    def __init__(self, venue: Venue) -> None:
        """Begin with nothing used."""
        self._venue = venue
        self._own, self._others = Meter(), Meter()

    def meter(self, request: web.Request) -> Meter:
        """Return what counts the requests of the one who sent this one."""
        return self._others if request.get(IS_OTHERS, False) else self._own

    def routes(self, access: Access, routes: Sequence[Route]) -> Iterator[web.RouteDef]:
        """Yield routes that answer only whom they may."""
        for route in routes:
            method, path = route.name.split()
            yield web.route(method, path, self._answering(route, access))

    def _answering(self, route: Route, access: Access) -> Handler:
        async def answered(request: web.Request) -> web.Response:
            wall_ns = self._venue.now().wall_ns
            meter = self.meter(request)
            try:
                weight = (
                    route.weight if isinstance(route.weight, int) else route.weight(request.query)
                )
                meter.charge(weight, wall_ns)
                query = await self._query(request, access)
                if route.is_order:
                    meter.count_order(wall_ns)
                response = route.handler(query)
            except Refusal as refusal:
                response = refused(refusal)
            response.headers.update(meter.weight_headers(wall_ns))
            if route.is_order:
                response.headers.update(meter.order_headers(wall_ns))
            return response

        return answered

    async def _query(self, request: web.Request, access: Access) -> Query:
        if request.headers.get("X-MBX-TIME-UNIT", "").upper().startswith("MICRO"):
            raise Refusal(-1100, "Answers in microseconds are not served here.")
        key = request.headers.get("X-MBX-APIKEY")
        query = request.rel_url.raw_query_string
        if access != "signed":
            if access == "keyed":
                check_key(key, _ACCOUNT)
            return parsed(query)
        body = "" if request.method == "GET" else await _form(request)
        now_us = self._venue.now().wall_ns // _NS_PER_US
        return verified(Sent(query, body, key), _ACCOUNT, now_us=now_us)


def refused(refusal: Refusal) -> web.Response:
    """Return a refusal as an answer."""
    response = web.json_response(refusal.body(), status=refusal.status)
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    return response


def asset_of(venue: Venue, symbol: str) -> str:
    """Return the asset of a market's name, or refuse."""
    asset = symbol.removesuffix(QUOTE)
    if asset == symbol or asset not in venue.tape.source.assets:
        raise Refusal(-1121, "Invalid symbol.")
    return asset


def touch_of(venue: Venue, asset: str, market_ns: int) -> Touch:
    """Return best bid and ask in atoms, or refuse where there is no price."""
    touch = venue.spot.touch(asset, market_ns)
    if touch is None:
        raise Refusal(-1000, "The recorded candles are over: no price.", status=503)
    return Touch(*touch)


async def _form(request: web.Request) -> str:
    try:
        return await request.text()
    except (LookupError, UnicodeDecodeError) as error:
        raise Refusal(-1100, "The body is no text.") from error
