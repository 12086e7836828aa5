"""The data API over HTTP: positions and public trades of the prediction venue.

Owns the routes under /data. Must never enter: decisions, shapes of JSON (see `position_messages`).
"""

from collections.abc import Iterator

from aiohttp import web

from foresight.exchange.ledger.positions import Position
from foresight.exchange.market.windows import Result, Side, Window, parse_slug, payout_share
from foresight.exchange.market_clock import NS_PER_SECOND, Now
from foresight.exchange.polymarket import clob_messages
from foresight.exchange.polymarket import position_messages as messages
from foresight.exchange.polymarket.access import PolymarketAccess, routes_of
from foresight.exchange.venue import Venue


class DataApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue) -> None:
        """Serve `venue`."""
        self._venue = venue
        self._access = PolymarketAccess(venue)

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from routes_of(
            {
                "GET /data/positions": self.positions,
                "GET /data/closed-positions": self.closed_positions,
                "GET /data/trades": self.public_trades,
            }
        )

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
        """Return every trade that held on a market by condition id: ours are all there are."""
        self._venue.advance()
        market = request.query.get("market")
        rows = clob_messages.trades(
            self._venue.ledger.orders.values(), self._access.owner, self._venue.course
        )
        return web.json_response(
            [
                row
                | {
                    "asset": row["asset_id"],
                    "conditionId": row["market"],
                    "transactionHash": row["transaction_hash"],
                    "timestamp": int(row["match_time"]),
                }
                for row in rows
                if market in {None, row["market"]} and row["status"] != "FAILED"
            ]
        )

    @staticmethod
    def _belongs(request: web.Request, account: str, wallet: str) -> bool:
        return request.query.get("user", "").lower() in {account, wallet}

    def _position(self, position: Position, now: Now) -> messages.Json:
        window = parse_slug(position.slug)
        assert window is not None
        side = Side(position.outcome)
        result = self._venue.settler.result(window, now.market_ns)
        return messages.position(position, window, self._worth(window, side, result, now))

    def _worth(self, window: Window, side: Side, result: Result | None, now: Now) -> float:
        if result is not None:
            return payout_share(result, side)
        fair = self._venue.market.probability_up(window, now.market_ns)
        return fair if side is Side.UP else 1.0 - fair
