"""The spot venue's signed side over HTTP: /api/v3 orders and balances.

Owns the routes, their parameters and error codes. Must never enter: decisions (see `spot_desk`),
shapes of JSON (see `messages`), faults.
"""

from collections.abc import Iterator
from typing import Final

from aiohttp import web

from foresight.exchange.binance import messages
from foresight.exchange.binance.access import (
    BinanceAnswerError,
    Query,
    QueryHandler,
    asset_of,
    integer,
    signed,
    touch_of,
)
from foresight.exchange.ledger.spot import ATOMS, SpotOrder, SpotTerms
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.venue import Venue

_NO_SUCH_ORDER: Final = -2013
_CANCEL_REJECTED: Final = -2011
_STEP_ATOMS: Final = 1000  # the step of quantities, 0.00001


class BinanceAccountApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        handlers: dict[str, QueryHandler] = {
            "GET account": self.account,
            "POST order": self.post_order,
            "GET order": self.get_order,
            "DELETE order": self.delete_order,
            "GET openOrders": self.open_orders,
            "GET allOrders": self.all_orders,
            "GET myTrades": self.my_trades,
        }
        for route, handler in handlers.items():
            method, path = route.split()
            yield web.route(method, f"/api/v3/{path}", signed(self._venue, handler))

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
        raise BinanceAnswerError(code, entry.reason)

    def get_order(self, query: Query) -> web.Response:
        """Return one order by its id or client id."""
        self._venue.advance()
        return web.json_response(messages.spot_order(self._order(query, _NO_SUCH_ORDER)))

    def delete_order(self, query: Query) -> web.Response:
        """Cancel one order."""
        order = self._order(query, _CANCEL_REJECTED)
        if not self._venue.spot.cancel(order, self._venue.now()):
            raise BinanceAnswerError(_CANCEL_REJECTED, "Unknown order sent.")
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
        asset = asset_of(self._venue, query.get("symbol", ""))
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
            asset = asset_of(self._venue, query["symbol"])
            orders = [order for order in orders if order.terms.asset == asset]
        return web.json_response([messages.spot_order(order) for order in orders])

    def _order(self, query: Query, code: int) -> SpotOrder:
        ledger = self._venue.spot_ledger
        asset = asset_of(self._venue, query.get("symbol", ""))
        found = (
            ledger.orders.get(integer(query, "orderId", 0))
            if "orderId" in query
            else ledger.by_client_id.get(query.get("origClientOrderId", ""))
        )
        if found is None or found.terms.asset != asset:
            missing = code == _NO_SUCH_ORDER
            raise BinanceAnswerError(
                code, "Order does not exist." if missing else "Unknown order sent."
            )
        return found

    def _terms(self, query: Query) -> SpotTerms:
        asset = asset_of(self._venue, query.get("symbol", ""))
        kind, side = query.get("type", ""), query.get("side", "")
        if kind not in messages.ORDER_TYPES or side not in {"BUY", "SELL"}:
            raise BinanceAnswerError(-1116, "Invalid orderType or side.")
        try:
            price = 0 if kind == "MARKET" else messages.atoms(query["price"])
            if "quoteOrderQty" in query:
                cash = messages.atoms(query["quoteOrderQty"])
                ask = touch_of(self._venue, asset, self._venue.now().market_ns)[1]
                quantity = cash * ATOMS // ask // _STEP_ATOMS * _STEP_ATOMS
            else:
                quantity = messages.atoms(query["quantity"])
        except (KeyError, ValueError) as error:
            raise BinanceAnswerError(
                -1102, f"Mandatory parameter {error} was bad or missing."
            ) from error
        tif = query.get("timeInForce", "GTC")
        default_id = f"auto-{len(self._venue.spot_ledger.requests) + 1}"
        client_id = query.get("newClientOrderId", default_id)
        return SpotTerms(client_id, asset, side == "BUY", kind, tif, quantity, price)
