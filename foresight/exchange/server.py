"""The exchange as an HTTP server on the loopback.

Owns the socket, the routes' assembly, the control page and the background tick. Must never enter:
decisions, wire formats of the venues.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web

from foresight.exchange.binance.account_api import BinanceAccountApi
from foresight.exchange.binance.market_api import BinanceMarketApi
from foresight.exchange.control_api import control_routes
from foresight.exchange.fault_gate import FaultGate, Handler
from foresight.exchange.polymarket.access import PolymarketAccess
from foresight.exchange.polymarket.clob_books_api import ClobBooksApi
from foresight.exchange.polymarket.clob_orders_api import ClobOrdersApi
from foresight.exchange.polymarket.data_api import DataApi
from foresight.exchange.polymarket.gamma_api import GammaApi
from foresight.exchange.venue import Venue

TICK_SECONDS: Final = 0.25
"""Wall time between two looks at resting orders and settlements."""

_LOOPBACK: Final = "127.0.0.1"
_BODY_BYTES_MAX: Final = 256 * 1024


def loopback_socket(port: int) -> socket.socket:
    """Return a socket listening on the loopback; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(128)
    return listener


@asynccontextmanager
async def serving(
    venue: Venue, listener: socket.socket, *, clock_ns: Callable[[], int]
) -> AsyncIterator[str]:
    """Serve a venue while the block runs.

    Args:
        venue: What to serve; closed by the caller.
        listener: A bound, listening socket; closed here.
        clock_ns: Wall clock.

    Yields:
        The base URL, such as ``http://127.0.0.1:8080``.
    """
    stopping = asyncio.Event()
    orders = ClobOrdersApi(venue)
    gate = FaultGate(venue.faults, clock_ns=clock_ns, stopping=stopping)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate(request, handler)

    app = web.Application(middlewares=[guard], client_max_size=_BODY_BYTES_MAX)
    for api in (BinanceMarketApi, BinanceAccountApi, GammaApi, ClobBooksApi, DataApi):
        app.add_routes(api(venue).routes())
    app.add_routes(PolymarketAccess(venue).routes())
    app.add_routes(orders.routes())
    app.add_routes(control_routes(venue))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    ticking = asyncio.create_task(_tick(venue, orders, stopping), name="exchange tick")
    try:
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        stopping.set()
        await ticking
        await runner.cleanup()


async def _tick(venue: Venue, orders: ClobOrdersApi, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        venue.advance()
        orders.watch_heartbeats()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), TICK_SECONDS)
