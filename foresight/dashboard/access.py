"""Who sees figures: a browser that was given the token once, a program or a scraper that sends it.

Owns the cookie, the tokens as this process last read them, and where a request may come from. A
token's file is looked at again whenever it has changed, so that a new one counts at once. Must
never enter: figures, what the door decides of connections.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from foresight.dashboard.source import Token, token_of
from foresight.door.host_names import host_named
from foresight.door.token_file import bears
from foresight.page_link import METRICS_FILE, TOKEN_FILE, metrics_token, page_token

COOKIE_S: Final = 365 * 86_400  # a browser forgets it then; a new token ends it at once
DIGEST_CHARS: Final = 12
_PURPOSE: Final = b"cookie of the page"


class Access:
    """The tokens of one installation's page.

    Args:
        home: The state directory.
        app: Name of the application.
        hosts: Host names that the page answers to beside those of the loopback.

    Raises:
        OSError: There is a token missing, and none can be made.
    """

    def __init__(self, home: Path, app: str, hosts: Collection[str]) -> None:
        """Read the tokens, or make them."""
        # Cookies ignore ports: two installations of one host would log each other out.
        digest = hashlib.sha256(str(home).encode(errors="surrogateescape")).hexdigest()
        self.cookie = f"foresight-{app}-{digest[:DIGEST_CHARS]}"
        self._hosts = {host_named(each) for each in hosts} - {""}
        self._page = _Kept(home, TOKEN_FILE, page_token)
        self._metrics = _Kept(home, METRICS_FILE, metrics_token)

    def allows(self, request: web.Request) -> bool:
        """Tell whether a request brings the token, or the cookie that it was changed into."""
        token = self._page.token()
        said = request.cookies.get(self.cookie, "")
        is_known = hmac.compare_digest(said.encode(errors="replace"), _cookie_of(token).encode())
        return is_known or bears(request.headers.get("Authorization", ""), token)

    def allows_scrape(self, request: web.Request) -> bool:
        """Tell whether a request brings the token of scrapers, which opens nothing else."""
        return bears(request.headers.get("Authorization", ""), self._metrics.token())

    def let_in(self, request: web.Request, response: web.StreamResponse) -> bool:
        """Give a browser the cookie if it brings the token as a header; tell whether it did."""
        token = self._page.token()
        if not bears(request.headers.get("Authorization", ""), token):
            return False
        response.set_cookie(
            self.cookie,
            _cookie_of(token),
            max_age=COOKIE_S,
            path="/",
            httponly=True,
            samesite="Strict",
        )
        return True

    def is_from_here(self, request: web.Request) -> bool:
        """Tell whether a request comes from this page, as far as its browser says where from."""
        said = request.headers.getall("Origin", [])
        host = request.headers.get("Host", "").lower()
        return all(_place(each) == host or host_named(_place(each)) in self._hosts for each in said)

    def says_where(self, request: web.Request) -> bool:
        """Tell whether a request that acts says where from, or brings the token itself.

        A browser names an origin with whatever it posts; a program has none, and no cookie either.
        """
        return bool(request.headers.getall("Origin", [])) or bears(
            request.headers.get("Authorization", ""), self._page.token()
        )


def _place(origin: str) -> str:
    """Return host and port of an origin; a word that is nobody's host where it says none."""
    try:
        return urlsplit(origin).netloc.lower() or "none:none"
    except ValueError:
        return "none:none"


def _cookie_of(token: str) -> str:
    return hmac.new(token.encode(), _PURPOSE, hashlib.sha256).hexdigest()


class _Kept:
    """A token and its file."""

    def __init__(self, home: Path, name: str, made: Callable[[Path], str]) -> None:
        self._home = home
        self._name = name
        self._made = made
        self._seen: Token = None
        self._token = made(home)

    def token(self) -> str:
        seen = token_of(self._home / self._name)
        if seen != self._seen or seen is None:
            # Seen before it is read: one that comes between is read at the next request.
            self._token, self._seen = self._made(self._home), seen
        return self._token
