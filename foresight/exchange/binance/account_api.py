"""The spot venue's signed side over HTTP: /api/v3 orders and balances.

Owns the routes, their parameters, weights and error codes. Must never enter: decisions (see
`spot_desk`), terms and filters of orders, shapes of JSON (see `order_messages`), faults.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from aiohttp import web

from foresight.exchange.binance import filters, order_terms
from foresight.exchange.binance import order_messages as messages
from foresight.exchange.binance.access import Gate, Route, asset_of, touch_of
from foresight.exchange.binance.average_price import average_price
from foresight.exchange.binance.order_ranges import Range, orders_in, read_range, trades_in
from foresight.exchange.binance.parameters import Query, integer, required
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.ledger.spot import SpotOrder, SpotTerms
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.venue import Venue

_REJECTED: Final = -2010
_CANCEL_REJECTED: Final = -2011
_NO_SUCH_ORDER: Final = -2013


class BinanceAccountApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue, gate: Gate) -> None:
        """Serve `venue` behind `gate`."""
        self._venue = venue
        self._gate = gate

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from self._gate.routes(
            "signed",
            (
                Route("GET /api/v3/account", self.account, 20),
                Route("GET /api/v3/account/commission", self.commission, 20),
                Route("POST /api/v3/order", self.post_order, is_order=True),
                Route("POST /api/v3/order/test", self.test_order),
                Route("GET /api/v3/order", self.get_order, 4),
                Route("DELETE /api/v3/order", self.delete_order),
                Route("GET /api/v3/openOrders", self.open_orders, _listing_weight),
                Route("DELETE /api/v3/openOrders", self.delete_open_orders),
                Route("GET /api/v3/allOrders", self.all_orders, 20),
                Route("GET /api/v3/myTrades", self.my_trades, 20),
            ),
        )

    def account(self, query: Query) -> web.Response:
        """Return the balances."""
        self._venue.advance()
        ledger = self._venue.spot_ledger
        rows = []
        for asset, total in ledger.balances.items():
            locked = ledger.claimed(asset)
            if total or query.get("omitZeroBalances") != "true":
                rows.append((asset, total - locked, locked))
        wall_ms = self._venue.now().wall_ns // NS_PER_MS
        return web.json_response(messages.account(rows, wall_ms=wall_ms))

    def commission(self, query: Query) -> web.Response:
        """Return what fills cost."""
        asset = asset_of(self._venue, required(query, "symbol"))
        return web.json_response(messages.commission(asset))

    def post_order(self, query: Query) -> web.Response:
        """Take one order."""
        now = self._venue.now()
        answer = order_terms.answer_kind(query)
        entry = self._venue.spot.submit(self._filtered(query), now)
        if entry.verdict != "accepted":
            raise Refusal(_REJECTED, entry.reason)
        order = self._venue.spot_ledger.orders[entry.order_id]
        return web.json_response(messages.placed(entry, order, answer))

    def test_order(self, query: Query) -> web.Response:
        """Check one order as far as its own words go, and take it not."""
        order_terms.answer_kind(query)
        terms = self._filtered(query)
        if query.get("computeCommissionRates") == "true":
            return web.json_response(messages.commission_of_order(terms.asset))
        return web.json_response({})

    def get_order(self, query: Query) -> web.Response:
        """Return one order by its id or client id."""
        self._venue.advance()
        refusal = Refusal(_NO_SUCH_ORDER, "Order does not exist.")
        return web.json_response(messages.spot_order(self._order(query, refusal)))

    def delete_order(self, query: Query) -> web.Response:
        """Cancel one order."""
        refusal = Refusal(_CANCEL_REJECTED, "Unknown order sent.")
        order = self._order(query, refusal)
        name = order_terms.client_id(query, "newClientOrderId")
        now = self._venue.now()
        if not self._venue.spot.cancel(order, now):
            raise refusal
        return web.json_response(messages.canceled(order, name, wall_ns=now.wall_ns))

    def delete_open_orders(self, query: Query) -> web.Response:
        """Cancel every order of one market that waits."""
        self._venue.advance()
        asset = asset_of(self._venue, required(query, "symbol"))
        now = self._venue.now()
        waiting = self._waiting(asset)
        if not waiting:
            raise Refusal(_CANCEL_REJECTED, "Unknown order sent.")
        for order in waiting:
            self._venue.spot.cancel(order, now)
        return web.json_response(
            [messages.canceled(order, "", wall_ns=now.wall_ns) for order in waiting]
        )

    def open_orders(self, query: Query) -> web.Response:
        """Return waiting orders, of one market or of all."""
        self._venue.advance()
        if "symbol" in query:
            orders: Sequence[SpotOrder] = self._waiting(asset_of(self._venue, query["symbol"]))
        else:
            orders = self._venue.spot_ledger.live()
        return web.json_response([messages.spot_order(order) for order in orders])

    def all_orders(self, query: Query) -> web.Response:
        """Return orders of one market, whatever became of them."""
        orders, wanted = self._of_market(query)
        found = orders_in(orders, wanted, first_id=integer(query, "orderId"))
        return web.json_response([messages.spot_order(order) for order in found])

    def my_trades(self, query: Query) -> web.Response:
        """Return fills of one market."""
        orders, wanted = self._of_market(query)
        order_id = integer(query, "orderId")
        if order_id is not None:
            orders = [order for order in orders if order.id == order_id]
        found = trades_in(orders, wanted, first_id=integer(query, "fromId"))
        return web.json_response([messages.my_trade(order, fill) for order, fill in found])

    def _of_market(self, query: Query) -> tuple[list[SpotOrder], Range]:
        self._venue.advance()
        asset = asset_of(self._venue, required(query, "symbol"))
        orders = self._venue.spot_ledger.orders.values()
        return [order for order in orders if order.terms.asset == asset], read_range(query)

    def _waiting(self, asset: str) -> list[SpotOrder]:
        live = self._venue.spot_ledger.live()
        return [order for order in live if order.terms.asset == asset]

    def _order(self, query: Query, refusal: Refusal) -> SpotOrder:
        ledger = self._venue.spot_ledger
        asset = asset_of(self._venue, required(query, "symbol"))
        order_id, client_id = integer(query, "orderId"), query.get("origClientOrderId")
        if order_id is None and client_id is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Refusal(-1102, text)
        found = (
            ledger.orders.get(order_id)
            if order_id is not None
            else ledger.by_client_id.get(client_id or "")
        )
        is_same = client_id is None or found is None or found.terms.client_id == client_id
        if found is None or found.terms.asset != asset or not is_same:
            raise refusal
        return found

    def _filtered(self, query: Query) -> SpotTerms:
        """Return the terms of an order that keeps the filters of its market."""
        asset = asset_of(self._venue, required(query, "symbol"))
        market_ns = self._venue.now().market_ns
        touch = touch_of(self._venue, asset, market_ns)
        number = len(self._venue.spot_ledger.requests) + 1
        terms = order_terms.read(query, asset, touch=touch, default_id=f"auto-{number}")
        average = average_price(self._venue.tape, asset, market_ns) or touch.ask
        tick = self._venue.spot.tick(asset)
        situation = filters.Situation(tick, average, len(self._waiting(asset)))
        filters.check(terms, situation)
        return terms


def _listing_weight(query: Query) -> int:
    return 6 if "symbol" in query else 80
