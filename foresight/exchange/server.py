"""The exchange as an HTTP server on the loopback.

Owns the socket, the routes' assembly, the control page and the background tick. Who gets in is
`door`'s matter. Must never enter: decisions, wire formats of the venues.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from foresight.door import limits as door_limits
from foresight.door.admission import Admission
from foresight.door.limits import Limits
from foresight.exchange.binance.access import IS_OTHERS, Gate
from foresight.exchange.binance.account_api import BinanceAccountApi
from foresight.exchange.binance.listings_api import BinanceListingsApi
from foresight.exchange.binance.market_api import BinanceMarketApi
from foresight.exchange.binance.stream_events import StreamEvents
from foresight.exchange.binance.streams_api import BinanceStreamsApi
from foresight.exchange.control_api import control_routes
from foresight.exchange.error_answers import answered, in_words
from foresight.exchange.fault_gate import FaultGate, Handler
from foresight.exchange.guard import refusal_of
from foresight.exchange.polymarket.access import PolymarketAccess
from foresight.exchange.polymarket.clob_books_api import ClobBooksApi
from foresight.exchange.polymarket.clob_markets_api import ClobMarketsApi
from foresight.exchange.polymarket.clob_orders_api import ClobOrdersApi
from foresight.exchange.polymarket.data_api import DataApi
from foresight.exchange.polymarket.gamma_api import GammaApi
from foresight.exchange.venue import Venue

TICK_SECONDS: Final = 0.25
"""Wall time between two looks at resting orders and settlements."""

_LOOPBACK: Final = "127.0.0.1"


def loopback_socket(port: int) -> socket.socket:
    """Return a socket listening on the loopback; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(door_limits.BACKLOG)
    return listener


@asynccontextmanager
async def serving(
    venue: Venue,
    listener: socket.socket,
    *,
    clock_ns: Callable[[], int],
    token: str,
    hosts: Collection[str] = (),
    limits: Limits = door_limits.DEFAULT,
) -> AsyncIterator[str]:
    """Serve a venue while the block runs.

    Args:
        venue: What to serve; closed by the caller.
        listener: A bound, listening socket; closed here.
        clock_ns: Wall clock.
        token: What opens the control page.
        hosts: Host names that it answers to beside those of the loopback.
        limits: On connections and on how long they may take.

    Yields:
        The base URL, such as ``http://127.0.0.1:8080``.
    """
    stopping = asyncio.Event()
    orders = ClobOrdersApi(venue)
    gate = FaultGate(venue.faults, clock_ns=clock_ns, stopping=stopping)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        admission.heard(request.protocol)
        refusal = refusal_of(request, hosts=hosts, token=token)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(limits.body_s):
                await request.read()  # kept for whoever asks for it again
        except TimeoutError:
            return web.json_response({"error": "the body did not come"}, status=408)
        except web.HTTPException as error:
            return in_words(request, error)
        request[IS_OTHERS] = not admission.is_own(request.protocol)
        with admission.answering(request.protocol):
            return await answered(request, lambda asked: gate(asked, handler))

    runner = _runner(venue, orders, limits, guard, stopping)
    await runner.setup()
    assert runner.server is not None, "it was set up"
    admission = Admission(runner.server, listener, limits)
    tasks = (
        asyncio.create_task(admission.run(), name="exchange door"),
        asyncio.create_task(_tick(venue, orders, stopping), name="exchange tick"),
    )
    for task in tasks:
        task.add_done_callback(_ending(asyncio.current_task()))
    try:
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        stopping.set()
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()
        await runner.cleanup()
        admission.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _runner(
    venue: Venue,
    orders: ClobOrdersApi,
    limits: Limits,
    guard: Middleware,
    stopping: asyncio.Event,
) -> web.AppRunner:
    app = web.Application(middlewares=[guard], client_max_size=door_limits.BODY_BYTES_MAX)
    spot_gate = Gate(venue)
    prices = BinanceMarketApi(venue, spot_gate)
    app.add_routes(prices.routes())
    for spot_api in (BinanceAccountApi, BinanceListingsApi):
        app.add_routes(spot_api(venue, spot_gate).routes())
    events = StreamEvents(venue.tape, touch=venue.spot.touch, ticker=prices.ticker)
    app.add_routes(BinanceStreamsApi(venue, events, stopping=stopping).routes())
    books = ClobBooksApi(venue)
    app.add_routes(books.routes())
    app.add_routes(ClobMarketsApi(venue, books.levels).routes())
    for api in (GammaApi, DataApi):
        app.add_routes(api(venue).routes())
    app.add_routes(PolymarketAccess(venue).routes())
    app.add_routes(orders.routes())
    app.add_routes(control_routes(venue))
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=1.0,
        keepalive_timeout=limits.idle_s,
        read_bufsize=door_limits.READ_BYTES_MAX,
        max_headers=door_limits.HEADERS_MAX,
        max_field_size=door_limits.HEADER_BYTES_MAX,
    )


def _ending(served: asyncio.Task[Any] | None) -> Callable[[asyncio.Task[None]], None]:
    """Return what ends the server with a task of it: one that is deaf must not look alive."""

    def ended(task: asyncio.Task[None]) -> None:
        if served is not None and not task.cancelled() and task.exception() is not None:
            served.cancel()

    return ended


async def _tick(venue: Venue, orders: ClobOrdersApi, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        venue.advance()
        orders.watch_heartbeats()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), TICK_SECONDS)
