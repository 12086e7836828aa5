"""What clients ask for beside the spot market itself: coins, margin pairs, futures.

Owns the routes that `ccxt` reads by default in `load_markets`: three listings of the wallet and the
margin side, and exchangeInfo of two futures venues that have no market here. Must never enter:
orders, prices, faults.
"""

from collections.abc import Iterator

from aiohttp import web

from foresight.exchange.binance import exchange_info
from foresight.exchange.binance.access import Gate, Route
from foresight.exchange.binance.decimals import amount
from foresight.exchange.binance.messages import QUOTE, Json
from foresight.exchange.binance.parameters import Query
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.venue import Venue


class BinanceListingsApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue, gate: Gate) -> None:
        """Serve `venue` behind `gate`."""
        self._venue = venue
        self._gate = gate

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield from self._gate.routes(
            "signed", (Route("GET /sapi/v1/capital/config/getall", self.coins, 10),)
        )
        yield from self._gate.routes(
            "keyed",
            (
                Route("GET /sapi/v1/margin/allPairs", self.nothing),
                Route("GET /sapi/v1/margin/isolated/allPairs", self.nothing),
            ),
        )
        yield from self._gate.routes(
            "public",
            (
                Route("GET /fapi/v1/exchangeInfo", self.no_markets),
                Route("GET /dapi/v1/exchangeInfo", self.no_markets),
            ),
        )

    def coins(self, query: Query) -> web.Response:
        """Return the assets and what is there of each; nothing can be sent in or out."""
        del query
        self._venue.advance()
        ledger = self._venue.spot_ledger
        rows = []
        for asset in (QUOTE, *self._venue.tape.source.assets):
            locked = ledger.claimed(asset)
            rows.append(_coin(asset, ledger.balances.get(asset, 0) - locked, locked))
        return web.json_response(rows)

    def nothing(self, query: Query) -> web.Response:
        """Return no pair: nothing is lent here."""
        del query
        return web.json_response([])

    def no_markets(self, query: Query) -> web.Response:
        """Return no market."""
        del query
        wall_ms = self._venue.now().wall_ns // NS_PER_MS
        return web.json_response(exchange_info.empty(wall_ms=wall_ms))


def _coin(asset: str, free: int, locked: int) -> Json:
    nothing = amount(0)
    return {
        "coin": asset,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "name": asset,
        "free": amount(free),
        "locked": amount(locked),
        "freeze": nothing,
        "withdrawing": nothing,
        "ipoing": nothing,
        "ipoable": nothing,
        "storage": nothing,
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    }
