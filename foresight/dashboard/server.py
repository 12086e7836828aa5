"""The web server of the page: on a socket that it was given, for this machine alone.

Owns what is served besides the page itself (`/api/state`, `/healthz`) and the limits on who may
ask: a loopback socket, loopback host names, no foreign frame, nothing loaded from elsewhere.
"""

import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from foresight.dashboard.page import Reader, Windows, install
from foresight.dashboard.source import Source

NICENESS: Final = 5  # the owner's cycle comes first
HOSTS: Final = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "::1",
]  # a foreign name that leads here is refused
RECONNECT_S: Final = 10.0  # the launcher keeps the socket while this process is replaced
HEADERS: Final = {
    # Vue compiles templates in the browser, hence eval; nothing may come from another origin.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class NotLoopback(Exception):
    """The socket can be reached from other machines."""

    hint = "set [engine] page to 127.0.0.1:PORT; from elsewhere use an SSH tunnel"


def serve(home: Path, listener: socket.socket) -> None:
    """Serve the page until a signal ends the process.

    Args:
        home: The state directory.
        listener: A listening socket of the loopback interface.

    Raises:
        NotLoopback: The socket is open to other machines.
    """
    host = str(listener.getsockname()[0])
    if not ipaddress.ip_address(host).is_loopback:
        message = f"the page would be served on {host}, which other machines reach"
        raise NotLoopback(message)
    os.nice(max(0, NICENESS - os.getpriority(os.PRIO_PROCESS, 0)))
    config = uvicorn.Config(
        application(home),
        log_level="warning",
        access_log=False,
        use_colors=False if os.environ.get("NO_COLOR") else None,
        server_header=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])


def application(home: Path) -> FastAPI:
    """Return the web application of one home directory."""
    reader = Reader(Source(home))
    web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    web.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    web.middleware("http")(_with_headers)

    @web.get("/api/state")
    async def state() -> Response:
        return _json(reader.view())

    @web.get("/healthz")
    async def health() -> Response:
        view = reader.view()
        stops = [trouble.text for trouble in view.troubles if trouble.level == "stop"]
        return _json({"ok": True, "cycle": view.tempo.cycle, "stops": stops})

    install(Windows(reader))
    ui.run_with(
        web,
        title="Foresight",
        favicon=FAVICON,
        dark=True,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
        show_welcome_message=False,
    )
    return web


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, words in HEADERS.items():
        response.headers.setdefault(name, words)
    return response


FAVICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" '
    'rx="8" fill="#121821"/><path d="M5 20h9" stroke="#56b4e9" stroke-width="5" '
    'stroke-linecap="round"/><path d="M18 12h9" stroke="#e69f00" stroke-width="5" '
    'stroke-linecap="round"/></svg>'
)
