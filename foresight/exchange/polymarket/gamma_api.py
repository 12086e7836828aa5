"""Gamma over HTTP: events and markets of the prediction venue.

Owns the routes under /gamma, their parameters and status codes. Must never enter: decisions,
shapes of JSON (see `gamma_messages`), faults other than asking for them.
"""

from collections.abc import Iterator

from aiohttp import web

from foresight.exchange.faults import Fault
from foresight.exchange.market.windows import Window, parse_slug
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket import gamma_messages as messages
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.access import PolymarketAnswerError, routes_of
from foresight.exchange.venue import Venue


class GammaApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from routes_of(
            {
                "GET /gamma/status": self.status,
                "GET /gamma/events": self.events,
                "GET /gamma/events/slug/{slug}": self.event_by_slug,
                "GET /gamma/events/{id}": self.event_by_id,
                "GET /gamma/markets": self.markets,
                "GET /gamma/markets/slug/{slug}": self.market_by_slug,
            }
        )

    async def status(self, request: web.Request) -> web.Response:
        """Say that the venue is up."""
        del request
        return web.Response(text="OK")

    async def events(self, request: web.Request) -> web.Response:
        """Return events by slug or id, or the running board."""
        query = request.query
        if "slug" in query:
            wanted = [parse_slug(slug) for slug in query.getall("slug")]
        elif "id" in query:
            wanted = [tokens.window_of_event(number) for number in query.getall("id")]
        elif query.get("closed", "false").lower() == "true":
            return web.json_response([])  # finished windows are asked for by slug
        else:
            wanted = list(self._venue.market.running(self._venue.now().market_ns))
        offset = int(query.get("offset", "0"))
        limit = int(query.get("limit", "100"))
        found = [window for window in wanted if window is not None and self._exists(window)]
        return web.json_response([self._event(window) for window in found[offset : offset + limit]])

    async def event_by_slug(self, request: web.Request) -> web.Response:
        """Return one event."""
        return web.json_response(self._event(parse_slug(request.match_info["slug"])))

    async def event_by_id(self, request: web.Request) -> web.Response:
        """Return one event."""
        return web.json_response(self._event(tokens.window_of_event(request.match_info["id"])))

    async def markets(self, request: web.Request) -> web.Response:
        """Return markets by token id or slug, or those of the running board."""
        query = request.query
        windows: list[Window | None]
        if "clob_token_ids" in query:
            ids = query.getall("clob_token_ids")
            outcomes = [tokens.outcome_of_token(token) for token in ids]
            windows = [outcome[0] if outcome else None for outcome in outcomes]
        elif "slug" in query:
            windows = [parse_slug(slug) for slug in query.getall("slug")]
        else:
            windows = list(self._venue.market.running(self._venue.now().market_ns))
        found = dict.fromkeys(window for window in windows if window and self._exists(window))
        return web.json_response([self._event(window)["markets"][0] for window in found])

    async def market_by_slug(self, request: web.Request) -> web.Response:
        """Return the market of one event."""
        found = self._event(parse_slug(request.match_info["slug"]))
        return web.json_response(found["markets"][0])

    def _exists(self, window: Window) -> bool:
        return self._venue.market.exists(window)

    def _event(self, window: Window | None) -> messages.Json:
        market, now = self._venue.market, self._venue.now()
        listed_ns = now.market_ns + 24 * 3600 * NS_PER_SECOND
        if window is None or not market.exists(window) or window.start_ns > listed_ns:
            raise PolymarketAnswerError(404, "event not found", type="not found error")
        hidden = self._venue.faults.draw(Fault.HIDDEN_REFERENCE, ("gamma",)) is not None
        result = self._venue.settler.result(window, now.market_ns)
        reference = None if hidden else market.reference(window, now.market_ns)
        final = market.final(window, now.market_ns) if result is not None else None
        return messages.event(
            window,
            tick_micro=self._venue.tick_of(window),
            rule=market.rule,
            probability=market.probability_up(window, now.market_ns),
            result=result,
            is_tradable=market.is_tradable(window, now.market_ns),
            prices=(reference, final),
        )
