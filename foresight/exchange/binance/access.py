"""Who may ask the spot venue, and how it says no.

Owns the check of signed requests, the reading of parameters and the error object. Must never
enter: what the requests do.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from foresight.exchange.binance.messages import QUOTE
from foresight.exchange.credentials import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.signing.signatures import is_hex_hmac
from foresight.exchange.venue import Venue

_WINDOW_MS_DEFAULT: Final = 5000
_WINDOW_MS_MAX: Final = 60_000
_AHEAD_MS_MAX: Final = 1000  # a timestamp may lie this far in the server's future

Handler = Callable[[web.Request], Awaitable[web.Response]]
Query = Mapping[str, str]
QueryHandler = Callable[[Query], web.Response]


class BinanceAnswerError(Exception):
    """Ends a request with the venue's error object."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        """Prepare the answer ``{"code": code, "msg": message}``."""
        super().__init__(message)
        self.response = web.json_response({"code": code, "msg": message}, status=status)


def public(handler: QueryHandler) -> Handler:
    """Return a request handler that anyone may use."""

    async def read(request: web.Request) -> web.Response:
        try:
            return handler(request.query)
        except BinanceAnswerError as error:
            return error.response

    return read


def signed(venue: Venue, handler: QueryHandler) -> Handler:
    """Return a request handler that runs only for a genuine request of the demo key."""

    async def checked(request: web.Request) -> web.Response:
        is_in_url = request.method in {"GET", "DELETE"}
        raw = request.rel_url.raw_query_string if is_in_url else await request.text()
        try:
            now_ms = venue.now().wall_ns // NS_PER_MS
            return handler(_verified(raw, request.headers.get("X-MBX-APIKEY"), now_ms=now_ms))
        except BinanceAnswerError as error:
            return error.response

    return checked


def integer(query: Query, name: str, default: int) -> int:
    """Return a whole-number parameter, or answer -1100."""
    try:
        return int(query.get(name, default))
    except ValueError as error:
        message = f"Illegal characters found in parameter '{name}'."
        raise BinanceAnswerError(-1100, message) from error


def asset_of(venue: Venue, symbol: str) -> str:
    """Return the asset of a market's name, or answer -1121."""
    asset = symbol.removesuffix(QUOTE)
    if asset == symbol or asset not in venue.tape.source.assets:
        raise BinanceAnswerError(-1121, "Invalid symbol.")
    return asset


def touch_of(venue: Venue, asset: str, market_ns: int) -> tuple[int, int]:
    """Return best bid and ask in atoms, or answer that there is no price."""
    touch = venue.spot.touch(asset, market_ns)
    if touch is None:
        message = "The recorded candles are over: no price."
        raise BinanceAnswerError(-1000, message, status=503)
    return touch


def _verified(raw: str, key: str | None, *, now_ms: int) -> Query:
    message, found, signature = raw.rpartition("&signature=")
    if key != BINANCE_DEMO_KEY:
        refusal = "Invalid API-key, IP, or permissions for action."
        raise BinanceAnswerError(-2015, refusal, status=401)
    if not found or not is_hex_hmac(message, signature, secret=BINANCE_DEMO_SECRET):
        raise BinanceAnswerError(-1022, "Signature for this request is not valid.")
    query = dict(parse_qsl(message))
    stamp_ms = integer(query, "timestamp", 0)
    window_ms = min(integer(query, "recvWindow", _WINDOW_MS_DEFAULT), _WINDOW_MS_MAX)
    if not now_ms - window_ms <= stamp_ms <= now_ms + _AHEAD_MS_MAX:
        refusal = "Timestamp for this request is outside of the recvWindow."
        raise BinanceAnswerError(-1021, refusal)
    return query
