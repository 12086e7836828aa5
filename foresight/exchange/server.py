"""The exchange as an HTTP server on the loopback.

Owns the socket, the routes' assembly, the control page and the background tick. Must never enter:
decisions, wire formats of the venues.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiohttp import web

from foresight.exchange.binance_api import BinanceApi
from foresight.exchange.errors import OptionError
from foresight.exchange.fault_gate import FaultGate, Handler
from foresight.exchange.ledger import Verdict
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.polymarket_api import PolymarketApi
from foresight.exchange.polymarket_messages import cents_text, decimal, summary
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
    polymarket = PolymarketApi(venue)
    gate = FaultGate(venue.faults, clock_ns=clock_ns, stopping=stopping)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate(request, handler)

    app = web.Application(middlewares=[guard], client_max_size=_BODY_BYTES_MAX)
    app.add_routes(BinanceApi(venue).routes())
    app.add_routes(polymarket.routes())
    app.add_routes(_control_routes(venue))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    ticking = asyncio.create_task(_tick(venue, polymarket, stopping), name="exchange tick")
    try:
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        stopping.set()
        await ticking
        await runner.cleanup()


async def _tick(venue: Venue, polymarket: PolymarketApi, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        venue.advance()
        polymarket.watch_heartbeats()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), TICK_SECONDS)


def _control_routes(venue: Venue) -> list[web.RouteDef]:
    async def health(request: web.Request) -> web.Response:
        del request
        return web.json_response(describe(venue))

    async def ledger(request: web.Request) -> web.Response:
        del request
        venue.advance()
        return web.json_response(ledger_summary(venue))

    async def faults(request: web.Request) -> web.Response:
        if request.method == "POST":
            try:
                wanted = json.loads(await request.text())
                venue.faults.set_all(wanted)
            except (OptionError, ValueError, AttributeError) as error:
                return web.json_response({"error": str(error)}, status=400)
        answer = {"on": venue.faults.describe(), "hits": venue.faults.hits}
        return web.json_response(answer)

    return [
        web.get("/_control/health", health),
        web.get("/_control/ledger", ledger),
        web.get("/_control/faults", faults),
        web.post("/_control/faults", faults),
    ]


def describe(venue: Venue) -> dict[str, Any]:
    """Return what the exchange is and what time it is there, as plain values."""
    now = venue.now()
    end = venue.tape.source.end_minute
    return {
        "status": "ended" if venue.tape.has_ended(now.market_ns) else "ok",
        "seed": venue.identity.seed,
        "speed": venue.identity.speed,
        "origin_ms": venue.identity.origin_ns // NS_PER_MS,
        "assets": list(venue.identity.assets),
        "source": venue.identity.source,
        "wall_ms": now.wall_ns // NS_PER_MS,
        "market_ms": now.market_ns // NS_PER_MS,
        "first_candle_ms": venue.tape.source.first_minute * 60_000,
        "end_ms": None if end is None else end * 60_000,
        "faults": venue.faults.describe(),
    }


def ledger_summary(venue: Venue) -> dict[str, Any]:
    """Return the books as plain values: every request and what came of it."""
    ledger = venue.ledger
    counts: dict[Verdict, int] = dict.fromkeys(("accepted", "killed", "duplicate", "refused"), 0)
    for request in ledger.requests:
        counts[request.verdict] += 1
    executed = [order for order in ledger.orders.values() if order.fills]
    spot = venue.spot_ledger
    return {
        "requests_received": len(ledger.requests),
        "requests_distinct": len({request.order_id for request in ledger.requests}),
        "duplicates_refused": counts["duplicate"],
        "executed": len(executed),
        "verdicts": counts,
        "orders": [
            {
                "id": order.id,
                "slug": order.terms.slug,
                "outcome": order.terms.outcome,
                "side": "BUY" if order.terms.is_buy else "SELL",
                "price": cents_text(order.terms.cents),
                "size": decimal(order.terms.size_micro),
                "filled": decimal(order.filled_micro),
                "cash": decimal(order.cash_micro),
                "fee": decimal(order.fee_micro),
                "status": order.status,
                "fills": [fill.id for fill in order.fills],
                "requests": 0,
            }
            | {"requests": sum(one.order_id == order.id for one in ledger.requests)}
            for order in ledger.orders.values()
        ],
        "settlements": {
            one.slug: {"result": one.result, "reference": one.reference, "final": one.final}
            for one in ledger.settlements.values()
        },
        "accounts": {account.id: summary(account) for account in ledger.accounts.values()},
        "spot": {
            "requests_received": len(spot.requests),
            "duplicates_refused": sum(one.verdict == "duplicate" for one in spot.requests),
            "executed": sum(bool(order.fills) for order in spot.orders.values()),
        },
    }
