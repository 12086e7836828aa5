"""The prediction venue over HTTP: gamma, clob and data.

Owns the routes, their parameters and status codes. Must never enter: decisions (see `desk`),
shapes of JSON (see `polymarket_messages`), faults.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from foresight.exchange import polymarket_messages as messages
from foresight.exchange import tokens
from foresight.exchange.desk import Now
from foresight.exchange.faults import Fault
from foresight.exchange.fees import RATE_PERCENT
from foresight.exchange.ledger import Order, OrderReceived, Position
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.order_hash import EXCHANGE_ADDRESS, auth_digest, signed_digest
from foresight.exchange.pricing import Book
from foresight.exchange.signatures import credentials_of, is_base64_hmac, signer_of
from foresight.exchange.venue import Venue
from foresight.exchange.windows import Result, Side, Window, parse_slug, payout_share

_AUTH_WINDOW_S: Final = 300  # how far a signed timestamp may lie from now, wall seconds
_HEARTBEAT_LIMIT_NS: Final = 15 * NS_PER_SECOND  # then every open order is canceled
_BATCH_MAX: Final = 15  # orders in one submission, as on the real venue

Handler = Callable[[web.Request], Awaitable[web.Response]]


class _AnswerError(Exception):
    """Ends a request with the venue's error object."""

    def __init__(self, status: int, message: str, **extra: object) -> None:
        super().__init__(message)
        self.response = web.json_response({"error": message, **extra}, status=status)


class PolymarketApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue
        self._heartbeats: dict[str, int] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route, under /gamma, /clob and /data."""
        public: dict[str, Handler] = {
            "GET /gamma/status": self.status,
            "GET /gamma/events": self.events,
            "GET /gamma/events/slug/{slug}": self.event_by_slug,
            "GET /gamma/events/{id}": self.event_by_id,
            "GET /gamma/markets": self.markets,
            "GET /gamma/markets/slug/{slug}": self.market_by_slug,
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
            "GET /clob/auth/derive-api-key": self.credentials,
            "POST /clob/auth/api-key": self.credentials,
            "GET /data/positions": self.positions,
            "GET /data/closed-positions": self.closed_positions,
            "GET /data/trades": self.public_trades,
        }
        private: dict[str, Handler] = {
            "POST /clob/order": self.post_order,
            "POST /clob/orders": self.post_orders,
            "DELETE /clob/order": self.cancel_order,
            "DELETE /clob/orders": self.cancel_orders,
            "DELETE /clob/cancel-all": self.cancel_all,
            "DELETE /clob/cancel-market-orders": self.cancel_market_orders,
            "GET /clob/data/order/{id}": self.order_by_id,
            "GET /clob/data/orders": self.open_orders,
            "GET /clob/data/trades": self.my_trades,
            "GET /clob/balance-allowance": self.balance_allowance,
            "POST /clob/heartbeats": self.heartbeat,
            "POST /clob/v1/heartbeats": self.heartbeat,
        }
        for route, handler in public.items():
            method, path = route.split()
            yield web.route(method, path, _answering(handler))
        for route, handler in private.items():
            method, path = route.split()
            yield web.route(method, path, _answering(self._signed(handler)))

    def watch_heartbeats(self) -> None:
        """Cancel the open orders of every account whose heartbeats stopped."""
        now = self._venue.now()
        for account, last_ns in list(self._heartbeats.items()):
            if now.wall_ns - last_ns > _HEARTBEAT_LIMIT_NS:
                del self._heartbeats[account]
                self._venue.desk.cancel(account, self._live_ids(account), now)

    # -- gamma ---------------------------------------------------------------------------------

    async def status(self, request: web.Request) -> web.Response:
        """Say that the venue is up."""
        del request
        return web.Response(text="OK")

    async def event_by_slug(self, request: web.Request) -> web.Response:
        """Return one event."""
        return web.json_response(self._event(parse_slug(request.match_info["slug"])))

    async def event_by_id(self, request: web.Request) -> web.Response:
        """Return one event."""
        return web.json_response(self._event(tokens.window_of_event(request.match_info["id"])))

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

    async def market_by_slug(self, request: web.Request) -> web.Response:
        """Return the market of one event."""
        found = self._event(parse_slug(request.match_info["slug"]))
        return web.json_response(found["markets"][0])

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

    def _exists(self, window: Window) -> bool:
        return self._venue.market.exists(window)

    def _event(self, window: Window | None) -> messages.Json:
        market, now = self._venue.market, self._venue.now()
        listed_ns = now.market_ns + 24 * 3600 * NS_PER_SECOND
        if window is None or not market.exists(window) or window.start_ns > listed_ns:
            raise _AnswerError(404, "event not found", type="not found error")
        hidden = self._venue.faults.draw(Fault.HIDDEN_REFERENCE, ("gamma",)) is not None
        result = self._venue.desk.result(window, now.market_ns)
        reference = None if hidden else market.reference(window, now.market_ns)
        final = market.final(window, now.market_ns) if result is not None else None
        return messages.event(
            window,
            probability=market.probability_up(window, now.market_ns),
            result=result,
            is_tradable=market.is_tradable(window, now.market_ns),
            prices=(reference, final),
        )

    # -- clob, public --------------------------------------------------------------------------

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
        self._outcome(request.query.get("token_id", ""))
        return web.json_response({"minimum_tick_size": float(messages.TICK)})

    async def neg_risk(self, request: web.Request) -> web.Response:
        """Return whether the market is a negative-risk one: never."""
        self._outcome(request.query.get("token_id", ""))
        return web.json_response({"neg_risk": False})

    async def fee_rate(self, request: web.Request) -> web.Response:
        """Return the fee rate in basis points of p x (1 - p)."""
        self._outcome(request.query.get("token_id", ""))
        return web.json_response({"base_fee": 100 * RATE_PERCENT})

    async def _tokens(self, request: web.Request) -> list[str]:
        body = await _json_body(request)
        if not isinstance(body, list):
            raise _AnswerError(400, "Invalid payload")
        wanted = [str(row.get("token_id", "")) for row in body if isinstance(row, dict)]
        now = self._venue.now()
        market = self._venue.market
        found = ((token, tokens.outcome_of_token(token)) for token in wanted)
        return [token for token, one in found if one and market.is_tradable(one[0], now.market_ns)]

    def _outcome(self, token: str) -> tuple[Window, Side]:
        outcome = tokens.outcome_of_token(token)
        if outcome is None:
            raise _AnswerError(400, "Invalid token id")
        return outcome

    def _levels(self, token: str) -> tuple[Window, Side, Book, int]:
        window, side = self._outcome(token)
        market_ns = self._venue.now().market_ns
        if not self._venue.market.is_tradable(window, market_ns):
            raise _AnswerError(404, "No orderbook exists for the requested token id")
        stale = self._venue.faults.draw(Fault.STALE_BOOK, ("clob",))
        if stale is not None:
            market_ns -= round((stale.seconds or 0.0) * NS_PER_SECOND)
            return window, side, self._venue.market.book(window, side, market_ns), market_ns
        return window, side, self._venue.desk.book(window, side, market_ns), market_ns

    def _book(self, token: str) -> messages.Json:
        window, side, levels, market_ns = self._levels(token)
        return messages.book(window, side, levels, market_ns=market_ns)

    def _middle(self, token: str) -> str:
        return messages.middle(self._levels(token)[2])

    # -- clob, signed --------------------------------------------------------------------------

    async def credentials(self, request: web.Request) -> web.Response:
        """Give the address that signed the request its API credentials."""
        headers = request.headers
        address = headers.get("POLY_ADDRESS", "")
        try:
            digest = auth_digest(
                address=address,
                timestamp=headers["POLY_TIMESTAMP"],
                nonce=int(headers["POLY_NONCE"]),
            )
        except (KeyError, ValueError, OverflowError) as error:
            raise _AnswerError(401, "Invalid L1 Request headers") from error
        if signer_of(digest, headers.get("POLY_SIGNATURE", "")) != address.lower():
            raise _AnswerError(401, "Invalid L1 Request headers")
        self._venue.desk.open_account(address.lower(), self._venue.now())
        given = credentials_of(address, seed=self._venue.seed)
        return web.json_response(
            {"apiKey": given.key, "secret": given.secret, "passphrase": given.passphrase}
        )

    async def post_order(self, request: web.Request) -> web.Response:
        """Take one order; the answer is sent after the ledger is on disk."""
        body = await _json_body(request)
        if not isinstance(body, dict):
            raise _AnswerError(400, "Invalid order payload")
        entry = self._submit(body, request["account"])
        if entry.verdict != "accepted":
            raise _AnswerError(400, entry.reason, orderID=entry.order_id)
        return web.json_response(self._accepted(entry))

    async def post_orders(self, request: web.Request) -> web.Response:
        """Take several orders; each has its own outcome in the answer."""
        bodies = await _json_body(request)
        if not isinstance(bodies, list) or len(bodies) > _BATCH_MAX:
            raise _AnswerError(400, f"Too many orders in payload, max allowed: {_BATCH_MAX}")
        answers = []
        for body in bodies:
            entry = self._submit(body, request["account"])
            answers.append(
                self._accepted(entry)
                if entry.verdict == "accepted"
                else {"success": False, "errorMsg": entry.reason, "orderID": entry.order_id}
            )
        return web.json_response(answers)

    def _submit(self, body: Mapping[str, Any], account: str) -> OrderReceived:
        try:
            order = messages.read_order(body, account)
        except messages.BadOrderError as error:
            raise _AnswerError(400, str(error)) from error
        if body.get("owner") != credentials_of(account, seed=self._venue.seed).key:
            raise _AnswerError(400, "the order owner has to be the owner of the API KEY")
        signature = str(body["order"].get("signature", ""))
        if signer_of(signed_digest(body["order"]), signature) != account:
            raise _AnswerError(400, "invalid signature")
        return self._venue.desk.submit(order, self._venue.now())

    def _accepted(self, entry: OrderReceived) -> messages.Json:
        return messages.submission(entry, self._venue.ledger.orders[entry.order_id].status)

    async def cancel_order(self, request: web.Request) -> web.Response:
        """Cancel one order."""
        body = await _json_body(request)
        if not isinstance(body, dict) or "orderID" not in body:
            raise _AnswerError(400, "Invalid order payload")
        return self._cancel(request, [str(body["orderID"])])

    async def cancel_orders(self, request: web.Request) -> web.Response:
        """Cancel several orders."""
        body = await _json_body(request)
        if not isinstance(body, list):
            raise _AnswerError(400, "Invalid order payload")
        return self._cancel(request, [str(order_id) for order_id in body])

    async def cancel_all(self, request: web.Request) -> web.Response:
        """Cancel every open order of the account."""
        return self._cancel(request, self._live_ids(request["account"]))

    async def cancel_market_orders(self, request: web.Request) -> web.Response:
        """Cancel the open orders on one token or market."""
        body = await _json_body(request)
        if not isinstance(body, dict):
            raise _AnswerError(400, "Invalid order payload")
        token = body.get("asset_id")
        wanted = [
            order_id
            for order_id in self._live_ids(request["account"])
            if token in {None, self._venue.ledger.live[order_id].terms.token}
        ]
        return self._cancel(request, wanted)

    def _cancel(self, request: web.Request, order_ids: Iterable[str]) -> web.Response:
        wanted = list(order_ids)
        refused = self._venue.desk.cancel(request["account"], wanted, self._venue.now())
        canceled = [order_id for order_id in wanted if order_id not in refused]
        return web.json_response({"canceled": canceled, "not_canceled": refused})

    def _live_ids(self, account: str) -> list[str]:
        live = self._venue.ledger.live.values()
        return [order.id for order in live if order.account == account]

    async def order_by_id(self, request: web.Request) -> web.Response:
        """Return one order, or null if this account never placed it."""
        self._venue.advance()
        order = self._venue.ledger.orders.get(request.match_info["id"].lower())
        if order is None or order.account != request["account"]:
            return web.json_response(None)
        is_final = order.status != "LIVE"
        if is_final and self._venue.faults.draw(Fault.BLANK_LOOKUP, ("clob", "lookups")):
            return web.json_response(None)
        return web.json_response(self._order(order))

    async def open_orders(self, request: web.Request) -> web.Response:
        """Return the account's resting orders."""
        self._venue.advance()
        wanted = request.query.get("asset_id")
        return web.json_response(
            messages.page(
                self._order(order)
                for order in self._venue.ledger.live.values()
                if order.account == request["account"] and wanted in {None, order.terms.token}
            )
        )

    async def my_trades(self, request: web.Request) -> web.Response:
        """Return the account's fills, newest first."""
        self._venue.advance()
        account, query = request["account"], request.query
        after_ns = int(query.get("after", "0")) * NS_PER_SECOND
        rows = self._trades(
            order
            for order in self._venue.ledger.orders.values()
            if order.account == account and query.get("asset_id") in {None, order.terms.token}
        )
        found = [row for fill_ns, row in rows if fill_ns >= after_ns]
        market, trade = query.get("market"), query.get("id")
        found = [
            row for row in found if market in {None, row["market"]} and trade in {None, row["id"]}
        ]
        return web.json_response(messages.page(found))

    async def balance_allowance(self, request: web.Request) -> web.Response:
        """Return the account's USDC, or its shares of one token, in millionths."""
        self._venue.advance()
        account = self._venue.ledger.accounts[request["account"]]
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
        self._heartbeats[request["account"]] = now.wall_ns
        return web.json_response({"heartbeat_id": str(now.wall_ns), "status": "ok"})

    def _order(self, order: Order) -> messages.Json:
        window = parse_slug(order.terms.slug)
        assert window is not None
        return messages.order(order, window, self._owner(order.account))

    def _owner(self, account: str) -> str:
        return credentials_of(account, seed=self._venue.seed).key

    def _trades(self, orders: Iterable[Order]) -> list[tuple[int, messages.Json]]:
        rows = []
        for order in orders:
            window = parse_slug(order.terms.slug)
            assert window is not None
            owner = self._owner(order.account)
            for fill in order.fills:
                rows.append((fill.wall_ns, messages.trade(order, fill, window, owner)))
        rows.sort(key=lambda row: row[0], reverse=True)
        return rows

    def _signed(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.Response:
            account = request.headers.get("POLY_ADDRESS", "").lower()
            given = credentials_of(account, seed=self._venue.seed)
            stamp = request.headers.get("POLY_TIMESTAMP", "")
            now = self._venue.now()
            body = await request.text()
            path = request.path.removeprefix("/clob")
            genuine = (
                request.headers.get("POLY_API_KEY") == given.key
                and request.headers.get("POLY_PASSPHRASE") == given.passphrase
                and is_base64_hmac(
                    stamp + request.method + path + body,
                    request.headers.get("POLY_SIGNATURE", ""),
                    secret=given.secret,
                )
                and abs(int(stamp) - now.wall_ns // NS_PER_SECOND) <= _AUTH_WINDOW_S
            )
            if not genuine:
                raise _AnswerError(401, "Unauthorized/Invalid api key")
            self._venue.desk.open_account(account, now)
            request["account"] = account
            return await handler(request)

        return checked

    # -- data ----------------------------------------------------------------------------------

    async def positions(self, request: web.Request) -> web.Response:
        """Return the open positions of a wallet, as a bare list like the real venue."""
        self._venue.advance()
        now = self._venue.now()
        return web.json_response(
            [
                self._position(position, now)
                for account in self._venue.ledger.accounts.values()
                for position in account.positions.values()
                if self._belongs(request, account.id, position.wallet)
            ]
        )

    async def closed_positions(self, request: web.Request) -> web.Response:
        """Return the settled or sold positions of a wallet, newest first."""
        self._venue.advance()
        now = self._venue.now()
        rows = [
            self._position(position, now) | {"timestamp": position.closed_ns // NS_PER_SECOND}
            for account in self._venue.ledger.accounts.values()
            for position in account.closed
            if self._belongs(request, account.id, position.wallet)
        ]
        return web.json_response(sorted(rows, key=lambda row: -row["timestamp"]))

    async def public_trades(self, request: web.Request) -> web.Response:
        """Return every fill on a market by condition id: ours are all there are."""
        market = request.query.get("market")
        rows = self._trades(self._venue.ledger.orders.values())
        return web.json_response(
            [
                row
                | {
                    "asset": row["asset_id"],
                    "conditionId": row["market"],
                    "transactionHash": row["transaction_hash"],
                    "timestamp": int(row["match_time"]),
                }
                for _, row in rows
                if market in {None, row["market"]}
            ]
        )

    @staticmethod
    def _belongs(request: web.Request, account: str, wallet: str) -> bool:
        return request.query.get("user", "").lower() in {account, wallet}

    def _position(self, position: Position, now: Now) -> messages.Json:
        window = parse_slug(position.slug)
        assert window is not None
        side = Side(position.outcome)
        result = self._venue.desk.result(window, now.market_ns)
        return messages.position(position, window, self._worth(window, side, result, now))

    def _worth(self, window: Window, side: Side, result: Result | None, now: Now) -> float:
        if result is not None:
            return payout_share(result, side)
        fair = self._venue.market.probability_up(window, now.market_ns)
        return fair if side is Side.UP else 1.0 - fair


async def _json_body(request: web.Request) -> object:
    try:
        return json.loads(await request.text())
    except ValueError as error:
        raise _AnswerError(400, "Invalid payload") from error


def _answering(handler: Handler) -> Handler:
    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except _AnswerError as error:
            return error.response

    return answered
