"""What the page answers: itself, its files, the stream of events, JSON, metrics, its health.

Owns the routes and what every answer says of itself: nothing is loaded from elsewhere, no script
stands in the page, no foreign frame shows it. Figures are for whoever brings the token; the page
around them, its files and whether it is well are for everybody whom the door lets in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from foresight.dashboard.access import Access
from foresight.dashboard.acting import ACT, Acting, Controls
from foresight.dashboard.feed import Feed
from foresight.dashboard.frames import RETRY
from foresight.dashboard.neighbours import Neighbours
from foresight.dashboard.opened.views import Views, is_opened
from foresight.dashboard.reader import Reader
from foresight.dashboard.scrape import CONTENT_TYPE, Scrape
from foresight.dashboard.shell import shell
from foresight.dashboard.source import Source
from foresight.door import limits as door_limits
from foresight.door.host_names import is_known
from foresight.page_link import COMMAND, METRICS_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.door.admission import Admission

BODY_BYTES_MAX: Final = 4096  # nothing that is asked here has more
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "foresight",  # and nothing of versions
}
CLOSED: Final = frozenset({"/events", "/api/state", "/session", ACT})  # to whoever has no token
METRICS: Final = "/metrics"  # closed to whoever has no token of scrapers
METHOD_NOT_ALLOWED: Final = 405
KEPT: Final = "public, max-age=31536000, immutable"  # what is asked for by this page's digest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """The page of one home directory.

    Args:
        home: The state directory, which exists.
        app: Name of the application.
        hosts: Host names that it answers to beside those of the loopback.
        release: The release that this page is of; empty for the installation's own.
        controls: By what it acts; None for a page that only reads.

    Attributes:
        feed: What followers are told; its loop is run by whoever serves.
        admission: Who is connected, once somebody serves.

    Raises:
        OSError: There is no token, and none can be made.
    """

    def __init__(
        self,
        home: Path,
        app: str,
        hosts: Collection[str] = (),
        release: str = "",
        controls: Controls | None = None,
    ) -> None:
        """Read the page's own files and its token; nothing else of the home is read yet."""
        self._hosts = hosts
        self._access = Access(home, app, hosts)
        self._shell = shell()
        self._acting = Acting(controls)
        self._neighbours = Neighbours(home)
        self._reader = Reader(Source(home, release), self._neighbours, may_act=self._acting.is_on)
        self._views = Views(home, self._reader, self._neighbours, self._shell.digest)
        self._scrape = Scrape(self._reader)
        self.feed = Feed(self._reader, self._shell.digest)
        self.admission: Admission | None = None

    def look(self) -> None:
        """Read the home: the first look takes longest."""
        self._reader.view()

    def application(self) -> web.Application:
        """Return the routes."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(middlewares=[guard], client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/", self._page)
        app.router.add_get("/assets/{name}", self._asset)
        app.router.add_get("/events", self._events)
        app.router.add_get("/api/state", self._state)
        app.router.add_get(METRICS, self._metrics)
        app.router.add_get("/healthz", self._health)
        app.router.add_post("/login", self._login)
        app.router.add_post(ACT, self._acting.answer)
        app.router.add_get("/session", self._session)
        self._views.add_to(app.router)
        return app

    # --- before anything is done -----------------------------------------------------

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self.admission is not None, "whoever serves set it"
        self.admission.heard(request.protocol)
        response = self._refusal(request)
        if response is None:
            with self.admission.answering(request.protocol):
                response = await self._answer(request, handler)
        if self.admission.is_shut and not response.prepared:
            response.force_close()
        if not response.prepared:
            response.headers.update({**HEADERS, **response.headers})
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if not is_known(request.headers.getall("Host", []), self._hosts):
            return said(421, "this host name is not of this page: [engine] page_hosts adds it")
        if not self._access.is_from_here(request):
            return said(403, "this origin is not of this page: [engine] page_hosts adds it")
        if request.path == ACT and not self._access.says_where(request):
            return said(403, "an act says where it comes from: a browser by its origin")
        is_closed = request.path in CLOSED or is_opened(request.path)
        if is_closed and not self._access.allows(request):
            return self._shut(request)
        if request.path == METRICS and not self._access.allows_scrape(request):
            text = f"metrics need the token of scrapers: what {METRICS_FILE} in the home holds"
            return said(401, text, headers={"WWW-Authenticate": "Bearer"})
        return None

    def _shut(self, request: web.Request) -> web.Response:
        text = f"figures need the token: open the link that `{COMMAND}` prints"
        if is_opened(request.path):
            return self._views.problem(request, 401, f"{text[:1].upper()}{text[1:]}.")
        return said(401, text, headers={"WWW-Authenticate": "Bearer"})

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(door_limits.DEFAULT.body_s):
                await request.read()
            return await handler(request)
        except TimeoutError:
            return said(408, "the body did not come")
        except web.HTTPException as error:
            if is_opened(request.path) and error.status != METHOD_NOT_ALLOWED:
                return self._views.problem(request, error.status, error.text or error.reason)
            return said(error.status, error.reason)

    # --- routes ----------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._shell.html, content_type="text/html", charset="utf-8")

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._shell.assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        # Two processes may answer here: a file is not kept under the digest of another version.
        is_of_it = request.query.get("v") == self._shell.digest
        headers = {"Content-Type": asset.kind, "Cache-Control": KEPT if is_of_it else "no-store"}
        return web.Response(body=asset.content, headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.feed.is_over:  # the next process on this socket goes on
            return web.Response(body=RETRY, content_type="text/event-stream")
        is_compressed = "gzip" in request.headers.get("Accept-Encoding", "")
        follower = self.feed.join(is_compressed=is_compressed)
        if follower is None:
            return said(503, "so many look already")
        headers = {**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        if is_compressed:
            headers["Content-Encoding"] = "gzip"
        response = web.StreamResponse(headers=headers)
        try:
            await response.prepare(request)
            # With a new token, whoever came in with the one before sees no more.
            while (data := await follower.wait_next()) and self._access.allows(request):
                await response.write(data)
        except ConnectionError:
            pass  # whoever looked has gone
        finally:
            self.feed.leave(follower)
        return response

    async def _state(self, _request: web.Request) -> web.Response:
        data = msgspec.json.encode(self._reader.view())
        return web.Response(body=data, content_type="application/json")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._scrape.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _login(self, request: web.Request) -> web.Response:
        response = web.Response(status=204)
        if self._access.let_in(request, response):
            return response
        return said(401, "this is not the token of this page")

    async def _session(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _health(self, _request: web.Request) -> web.Response:
        troubles = self._reader.view().troubles
        return web.json_response({"ok": all(trouble.level != "stop" for trouble in troubles)})


def said(status: int, text: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer that says why there is no other."""
    return web.json_response({"error": text}, status=status, headers=headers)
