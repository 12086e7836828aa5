"""Who may ask the prediction venue, and how it says no.

Owns API credentials, the check of signed requests and the error object. Must never enter: what the
requests do.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from aiohttp import web

from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket.order_hash import auth_digest
from foresight.exchange.polymarket.pages import BadPageError
from foresight.exchange.signing.signatures import credentials_of, is_base64_hmac, signer_of
from foresight.exchange.venue import Venue

_AUTH_WINDOW_S: Final = 300  # how far a signed timestamp may lie from now, wall seconds

ACCOUNT: Final = web.RequestKey("account", str)
"""Where a checked request carries its owner's address, lower case."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


class PolymarketAnswerError(Exception):
    """Ends a request with the venue's error object."""

    def __init__(self, status: int, message: str, **extra: object) -> None:
        """Prepare the answer ``{"error": message, **extra}``."""
        super().__init__(message)
        self.response = web.json_response({"error": message, **extra}, status=status)


def routes_of(handlers: Mapping[str, Handler]) -> Iterator[web.RouteDef]:
    """Yield routes for handlers named ``METHOD /path``."""
    for route, handler in handlers.items():
        method, path = route.split()
        yield web.route(method, path, _answering(handler))


async def json_body(request: web.Request) -> object:
    """Return the parsed body of a request, or answer 400."""
    try:
        return json.loads(await request.text())
    except ValueError as error:
        raise PolymarketAnswerError(400, "Invalid payload") from error


class PolymarketAccess:
    """Credentials and signed requests of one venue."""

    def __init__(self, venue: Venue) -> None:
        """Guard `venue`."""
        self._venue = venue

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield the routes that give credentials."""
        yield from routes_of(
            {
                "GET /clob/auth/derive-api-key": self.credentials,
                "POST /clob/auth/api-key": self.credentials,
            }
        )

    def owner(self, account: str) -> str:
        """Return the API key of an account."""
        return credentials_of(account, seed=self._venue.seed).key

    def signed(self, handler: Handler) -> Handler:
        """Return a handler that runs only for a genuine request; ``request[ACCOUNT]`` is set."""

        async def checked(request: web.Request) -> web.Response:
            account = request.headers.get("POLY_ADDRESS", "").lower()
            now = self._venue.now()
            if not self._is_genuine(request, account, await request.text(), now.wall_ns):
                raise PolymarketAnswerError(401, "Unauthorized/Invalid api key")
            self._venue.desk.open_account(account, now)
            request[ACCOUNT] = account
            return await handler(request)

        return checked

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
            raise PolymarketAnswerError(401, "Invalid L1 Request headers") from error
        if signer_of(digest, headers.get("POLY_SIGNATURE", "")) != address.lower():
            raise PolymarketAnswerError(401, "Invalid L1 Request headers")
        self._venue.desk.open_account(address.lower(), self._venue.now())
        given = credentials_of(address, seed=self._venue.seed)
        return web.json_response(
            {"apiKey": given.key, "secret": given.secret, "passphrase": given.passphrase}
        )

    def _is_genuine(self, request: web.Request, account: str, body: str, wall_ns: int) -> bool:
        given = credentials_of(account, seed=self._venue.seed)
        headers = request.headers
        stamp = headers.get("POLY_TIMESTAMP", "")
        if not stamp.isascii() or not stamp.isdigit():
            return False
        path = request.path.removeprefix("/clob")
        return (
            abs(int(stamp) - wall_ns // NS_PER_SECOND) <= _AUTH_WINDOW_S
            and headers.get("POLY_API_KEY") == given.key
            and headers.get("POLY_PASSPHRASE") == given.passphrase
            and is_base64_hmac(
                stamp + request.method + path + body,
                headers.get("POLY_SIGNATURE", ""),
                secret=given.secret,
            )
        )


def _answering(handler: Handler) -> Handler:
    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except PolymarketAnswerError as error:
            return error.response
        except BadPageError as error:
            return PolymarketAnswerError(400, str(error)).response

    return answered
