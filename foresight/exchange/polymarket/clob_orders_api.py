"""The clob's private side over HTTP: orders, trades, balance.

Owns the routes, their parameters and status codes. Must never enter: decisions (see
`prediction_desk`), shapes of JSON (see `clob_messages`), faults other than asking for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from foresight.exchange.faults import Fault
from foresight.exchange.ledger.prediction_entries import Fill, OrderReceived
from foresight.exchange.ledger.predictions import Order
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket import clob_messages as messages
from foresight.exchange.polymarket import pages
from foresight.exchange.polymarket.access import (
    ACCOUNT,
    PolymarketAccess,
    PolymarketAnswerError,
    json_body,
    routes_of,
)
from foresight.exchange.polymarket.order_hash import EXCHANGE_ADDRESS, signed_digest
from foresight.exchange.polymarket.order_reading import BadOrderError, read_order
from foresight.exchange.polymarket.pages import RowT
from foresight.exchange.signing.signatures import signer_of
from foresight.exchange.venue import Venue

_HEARTBEAT_LIMIT_NS: Final = 15 * NS_PER_SECOND  # then every open order is canceled
_TAKEN: Final = frozenset({"accepted", "held"})  # verdicts that are no refusal
_FOR_EVER_S: Final = 1 << 62
_BATCH_MAX: Final = 15  # orders in one submission, as on the real venue


class ClobOrdersApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue
        self._access = PolymarketAccess(venue)
        self._heartbeats: dict[str, int] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from routes_of(
            {
                "POST /clob/order": self._access.signed(self.post_order),
                "POST /clob/orders": self._access.signed(self.post_orders),
                "DELETE /clob/order": self._access.signed(self.cancel_order),
                "DELETE /clob/orders": self._access.signed(self.cancel_orders),
                "DELETE /clob/cancel-all": self._access.signed(self.cancel_all),
                "DELETE /clob/cancel-market-orders": self._access.signed(self.cancel_market_orders),
                "GET /clob/data/order/{id}": self._access.signed(self.order_by_id),
                "GET /clob/data/orders": self._access.signed(self.open_orders),
                "GET /clob/data/trades": self._access.signed(self.my_trades),
                "GET /clob/balance-allowance": self._access.signed(self.balance_allowance),
                "POST /clob/heartbeats": self._access.signed(self.heartbeat),
                "POST /clob/v1/heartbeats": self._access.signed(self.heartbeat),
            }
        )

    def watch_heartbeats(self) -> None:
        """Cancel the open orders of every account whose heartbeats stopped."""
        now = self._venue.now()
        for account, last_ns in list(self._heartbeats.items()):
            if now.wall_ns - last_ns > _HEARTBEAT_LIMIT_NS:
                del self._heartbeats[account]
                self._venue.desk.cancel(account, self._live_ids(account), now)

    async def post_order(self, request: web.Request) -> web.Response:
        """Take one order; the answer is sent after the ledger is on disk."""
        body = await json_body(request)
        if not isinstance(body, dict):
            raise PolymarketAnswerError(400, "Invalid order payload")
        entry = self._submit(body, request[ACCOUNT])
        if entry.verdict not in _TAKEN:
            raise PolymarketAnswerError(400, entry.reason, orderID=entry.order_id)
        return web.json_response(self._accepted(entry))

    async def post_orders(self, request: web.Request) -> web.Response:
        """Take several orders; each has its own outcome in the answer."""
        bodies = await json_body(request)
        if not isinstance(bodies, list) or len(bodies) > _BATCH_MAX:
            raise PolymarketAnswerError(
                400, f"Too many orders in payload, max allowed: {_BATCH_MAX}"
            )
        account = request[ACCOUNT]
        return web.json_response([self._answer_in_batch(body, account) for body in bodies])

    async def cancel_order(self, request: web.Request) -> web.Response:
        """Cancel one order."""
        body = await json_body(request)
        if not isinstance(body, dict) or "orderID" not in body:
            raise PolymarketAnswerError(400, "Invalid order payload")
        return self._cancel(request, [str(body["orderID"])])

    async def cancel_orders(self, request: web.Request) -> web.Response:
        """Cancel several orders."""
        body = await json_body(request)
        if not isinstance(body, list):
            raise PolymarketAnswerError(400, "Invalid order payload")
        return self._cancel(request, [str(order_id) for order_id in body])

    async def cancel_all(self, request: web.Request) -> web.Response:
        """Cancel every open order of the account."""
        return self._cancel(request, self._live_ids(request[ACCOUNT]))

    async def cancel_market_orders(self, request: web.Request) -> web.Response:
        """Cancel the open orders on one market, on one of its outcomes, or on one outcome."""
        body = await json_body(request)
        market, token = _named(body, "market"), _named(body, "asset_id")
        if not market and not token:  # everything is canceled by another call
            raise PolymarketAnswerError(400, "Invalid order payload")
        live = self._venue.ledger.live
        wanted = [
            order_id
            for order_id in self._live_ids(request[ACCOUNT])
            if messages.is_about(live[order_id], market=market, token=token)
        ]
        return self._cancel(request, wanted)

    async def order_by_id(self, request: web.Request) -> web.Response:
        """Return one order, or null if this account never placed it."""
        self._venue.advance()
        order = self._venue.ledger.orders.get(request.match_info["id"].lower())
        if order is None or order.account != request[ACCOUNT]:
            return web.json_response(None)
        is_final = order.status not in {"LIVE", "DELAYED"}
        if is_final and self._venue.faults.draw(Fault.BLANK_LOOKUP, ("clob", "lookups")):
            return web.json_response(None)
        return web.json_response(self._order(order))

    async def open_orders(self, request: web.Request) -> web.Response:
        """Return a page of the account's resting orders."""
        self.watch_heartbeats()
        self._venue.advance()
        wanted = self._wanted(request, self._venue.ledger.live.values())
        only = request.query.get("id")
        return _page(request, (one for one in wanted if only in {None, one.id}), self._order)

    async def my_trades(self, request: web.Request) -> web.Response:
        """Return a page of the account's fills, newest first."""
        self._venue.advance()
        query = request.query
        after_s, before_s = _seconds(query, "after", 0), _seconds(query, "before", _FOR_EVER_S)
        wanted = self._wanted(request, self._venue.ledger.orders.values())
        only = query.get("id")
        rows = (
            (order, fill)
            for order, fill in messages.fills_of(wanted)
            if after_s <= fill.wall_ns // NS_PER_SECOND <= before_s and only in {None, fill.id}
        )
        return _page(request, rows, self._trade)

    async def balance_allowance(self, request: web.Request) -> web.Response:
        """Return the account's USDC, or its shares of one token, in millionths."""
        self._venue.advance()
        account = self._venue.ledger.accounts[request[ACCOUNT]]
        if request.query.get("asset_type") == "CONDITIONAL":
            position = account.positions.get(request.query.get("token_id", ""))
            amount = position.size_micro if position else 0
        else:
            amount = account.balance_micro
        return web.json_response(
            {"balance": str(amount), "allowances": {EXCHANGE_ADDRESS: str((1 << 256) - 1)}}
        )

    async def heartbeat(self, request: web.Request) -> web.Response:
        """Remember that the account lives; from now on its silence cancels its orders."""
        now = self._venue.now()
        self._heartbeats[request[ACCOUNT]] = now.wall_ns
        return web.json_response({"heartbeat_id": str(now.wall_ns), "status": "ok"})

    def _submit(self, body: Mapping[str, Any], account: str) -> OrderReceived:
        try:
            order = read_order(body, account, tick_of=self._venue.tick_of)
        except BadOrderError as error:
            raise PolymarketAnswerError(400, str(error)) from error
        if body.get("owner") != self._access.owner(account):
            raise PolymarketAnswerError(400, "the order owner has to be the owner of the API KEY")
        signature = str(body["order"].get("signature", ""))
        if signer_of(signed_digest(body["order"]), signature) != account:
            raise PolymarketAnswerError(400, "invalid signature")
        return self._venue.desk.submit(order, self._venue.now())

    def _answer_in_batch(self, body: Mapping[str, Any], account: str) -> messages.Json:
        # What is wrong with one order must not hide what became of those before it.
        try:
            entry = self._submit(body, account)
        except PolymarketAnswerError as error:
            return {"success": False, "errorMsg": str(error), "orderID": ""}
        if entry.verdict in _TAKEN:
            return self._accepted(entry)
        return {"success": False, "errorMsg": entry.reason, "orderID": entry.order_id}

    def _accepted(self, entry: OrderReceived) -> messages.Json:
        return messages.submission(entry, self._venue.ledger.orders[entry.order_id].status)

    def _cancel(self, request: web.Request, order_ids: Iterable[str]) -> web.Response:
        wanted = list(order_ids)
        refused = self._venue.desk.cancel(request[ACCOUNT], wanted, self._venue.now())
        canceled = [order_id for order_id in wanted if order_id not in refused]
        return web.json_response({"canceled": canceled, "not_canceled": refused})

    def _live_ids(self, account: str) -> list[str]:
        live = self._venue.ledger.live.values()
        return [order.id for order in live if order.account == account]

    def _wanted(self, request: web.Request, orders: Iterable[Order]) -> Iterator[Order]:
        market = request.query.get("market", "")
        token = request.query.get("asset_id", "")
        for order in orders:
            is_own = order.account == request[ACCOUNT]
            if is_own and messages.is_about(order, market=market, token=token):
                yield order

    def _order(self, order: Order) -> messages.Json:
        owner = self._access.owner(order.account)
        return messages.order(order, messages.window_of(order), owner)

    def _trade(self, row: tuple[Order, Fill]) -> messages.Json:
        order, fill = row
        owner, course = self._access.owner(order.account), self._venue.course(order, fill)
        return messages.trade(order, fill, course, messages.window_of(order), owner)


def _named(body: object, field: str) -> str:
    # The official clients name what they were not told as an empty text.
    return str(body.get(field) or "") if isinstance(body, dict) else ""


def _seconds(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "") or str(otherwise)
    if not text.isascii() or not text.isdigit():
        raise PolymarketAnswerError(400, f"invalid {name}")
    return int(text)


def _page(
    request: web.Request, rows: Iterable[RowT], show: Callable[[RowT], messages.Json]
) -> web.Response:
    return web.json_response(pages.clob_page(rows, request.query.get("next_cursor", ""), show))
