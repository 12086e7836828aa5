"""The data API over HTTP: positions and public trades of the prediction venue.

Owns the routes under /data. Must never enter: decisions, shapes of JSON (see `position_messages`).
"""

from collections.abc import Iterator
from math import isfinite, nan

from aiohttp import web

from foresight.exchange.ledger.positions import Position
from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.windows import Result, Side, Window, parse_slug, payout_share
from foresight.exchange.market_clock import NS_PER_SECOND, Now
from foresight.exchange.polymarket import clob_messages, pages
from foresight.exchange.polymarket import position_messages as messages
from foresight.exchange.polymarket.access import (
    PolymarketAccess,
    PolymarketAnswerError,
    routes_of,
)
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
        """Return a page of the open positions of a wallet, as a bare list like the real venue."""
        self._venue.advance()
        now = self._venue.now()
        least = _shares(request.query.get("sizeThreshold", "1"))
        rows = [
            self._position(position, now)
            for account in self._venue.ledger.accounts.values()
            for position in account.positions.values()
            if self._belongs(request, account.id, position.wallet)
            and position.size_micro >= least * MICRO
        ]
        return web.json_response(pages.by_offset(rows, request.query, pages.POSITIONS))

    async def closed_positions(self, request: web.Request) -> web.Response:
        """Return a page of the settled or sold positions of a wallet, newest first."""
        self._venue.advance()
        now = self._venue.now()
        rows = [
            self._position(position, now) | {"timestamp": position.closed_ns // NS_PER_SECOND}
            for account in self._venue.ledger.accounts.values()
            for position in account.closed
            if self._belongs(request, account.id, position.wallet)
        ]
        rows.sort(key=lambda row: -row["timestamp"])
        return web.json_response(pages.by_offset(rows, request.query, pages.CLOSED))

    async def public_trades(self, request: web.Request) -> web.Response:
        """Return every trade that held on a market by condition id: ours are all there are."""
        self._venue.advance()
        market = request.query.get("market")
        everything = clob_messages.trades(
            self._venue.ledger.orders.values(), self._access.owner, self._venue.course
        )
        rows = [
            row
            | {
                "asset": row["asset_id"],
                "conditionId": row["market"],
                "transactionHash": row["transaction_hash"],
                "timestamp": int(row["match_time"]),
            }
            for row in everything
            if market in {None, row["market"]} and row["status"] != "FAILED"
        ]
        return web.json_response(pages.by_offset(rows, request.query, pages.TRADES))

    @staticmethod
    def _belongs(request: web.Request, account: str, wallet: str) -> bool:
        return request.query.get("user", "").lower() in {account, wallet}

    def _position(self, position: Position, now: Now) -> messages.Json:
        window = parse_slug(position.slug)
        assert window is not None
        side = Side(position.outcome)
        result = self._venue.settler.result(window, now.market_ns)
        return messages.position(
            position,
            window,
            self._worth(window, side, result, now),
            is_redeemable=result is not None and position.size_micro > 0,
        )

    def _worth(self, window: Window, side: Side, result: Result | None, now: Now) -> float:
        if result is not None:
            return payout_share(result, side)
        fair = self._venue.market.probability_up(window, now.market_ns)
        return fair if side is Side.UP else 1.0 - fair


def _shares(text: str) -> float:
    try:
        shares = float(text)
    except ValueError:
        shares = nan
    if not isfinite(shares):
        raise PolymarketAnswerError(400, "invalid sizeThreshold")
    return shares
