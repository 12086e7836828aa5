"""The control page: what the exchange is, what its books say, which faults are on.

Owns /_control/health, /_control/ledger, /_control/faults, /_control/tick and /_control/redemption,
which no fault ever touches. Must never enter: anything a venue's client would ask for.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from foresight.exchange.errors import OptionError
from foresight.exchange.market.amounts import TICKS_MICRO
from foresight.exchange.market.windows import Window, parse_slug
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.polymarket.position_messages import summary
from foresight.exchange.polymarket.wire_numbers import decimal
from foresight.exchange.venue import Venue

Json = dict[str, Any]
Switch = Callable[[Any], Json]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def control_routes(venue: Venue) -> list[web.RouteDef]:
    """Return the routes of one venue's control page."""

    async def health(request: web.Request) -> web.Response:
        del request
        return web.json_response(describe(venue))

    async def ledger(request: web.Request) -> web.Response:
        del request
        venue.advance()
        return web.json_response(ledger_summary(venue))

    return [
        web.get("/_control/health", health),
        web.get("/_control/ledger", ledger),
        *_switches(venue),
    ]


def _switches(venue: Venue) -> Iterator[web.RouteDef]:
    def faults(wanted: Any) -> Json:  # noqa: ANN401 - refused if it is no object
        if wanted is not None:
            venue.faults.set_all(wanted)
        return {"on": venue.faults.describe(), "hits": venue.faults.hits}

    def redemption(wanted: object) -> Json:
        if wanted is not None:
            venue.redeem(is_automatic=read_redemption(wanted))
        return {"automatic": venue.ledger.redeems}

    def tick(wanted: object) -> Json:
        window, tick_micro = read_tick(wanted)
        venue.change_tick(window, tick_micro)
        return {"slug": window.slug, "tick": decimal(tick_micro)}

    for name, switch in (("faults", faults), ("redemption", redemption)):
        yield web.get(f"/_control/{name}", _reading(switch))
        yield web.post(f"/_control/{name}", _setting(switch))
    yield web.post("/_control/tick", _setting(tick))


def _reading(switch: Switch) -> Handler:
    async def read(request: web.Request) -> web.Response:
        del request
        return web.json_response(switch(None))

    return read


def _setting(switch: Switch) -> Handler:
    async def set_to(request: web.Request) -> web.Response:
        try:
            wanted = json.loads(await request.text())
            return web.json_response(switch([] if wanted is None else wanted))
        except (OptionError, ValueError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return set_to


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
        "fitted_on": venue.table.fitted_on,
        "replays_fitted": venue.replays_fitted,
        "rule": venue.identity.rule,
        "tick": decimal(venue.identity.tick_micro),
        "hold_ms": venue.identity.hold_ms,
        "redeem_s": venue.identity.redeem_s,
        "wall_ms": now.wall_ns // NS_PER_MS,
        "market_ms": now.market_ns // NS_PER_MS,
        "first_candle_ms": venue.tape.source.first_minute * 60_000,
        "end_ms": None if end is None else end * 60_000,
        "faults": venue.faults.describe(),
    }


def read_tick(wanted: object) -> tuple[Window, int]:
    """Return the window and the tick, micro-USDC, that a request names.

    Args:
        wanted: ``{"slug": ..., "tick": "0.001"}``, parsed.

    Raises:
        OptionError: It is no window of the board, or no tick that is served.
    """
    known = wanted if isinstance(wanted, dict) else {}
    window = parse_slug(str(known.get("slug", "")))
    ticks = {decimal(tick_micro): tick_micro for tick_micro in TICKS_MICRO}
    tick_micro = ticks.get(str(known.get("tick", "")))
    if window is None or tick_micro is None:
        message = f'say {{"slug": a window, "tick": one of {", ".join(ticks)}}}'
        raise OptionError(message)
    return window, tick_micro


def read_redemption(wanted: object) -> bool:
    """Return whether ended shares are to be redeemed without being asked.

    Args:
        wanted: ``{"automatic": true}`` or ``false``, parsed.

    Raises:
        OptionError: It says something else.
    """
    automatic = wanted.get("automatic") if isinstance(wanted, dict) else None
    if not isinstance(automatic, bool):
        message = 'say {"automatic": true} or {"automatic": false}'
        raise OptionError(message)
    return automatic


def ledger_summary(venue: Venue) -> dict[str, Any]:
    """Return the books as plain values: every request and what came of it."""
    ledger = venue.ledger
    counts = Counter(request.verdict for request in ledger.requests)
    asked = Counter(request.order_id for request in ledger.requests)
    executed = [order for order in ledger.orders.values() if order.fills]
    spot = venue.spot_ledger
    return {
        "requests_received": len(ledger.requests),
        "requests_distinct": len(asked),
        "duplicates_refused": counts["duplicate"],
        "executed": len(executed),
        "verdicts": dict(counts),
        "orders": [
            {
                "id": order.id,
                "slug": order.terms.slug,
                "outcome": order.terms.outcome,
                "side": "BUY" if order.terms.is_buy else "SELL",
                "price": decimal(order.terms.price_micro),
                "size": decimal(order.terms.size_micro),
                "filled": decimal(order.filled_micro - order.returned_micro),
                "cash": decimal(order.cash_micro),
                "fee": decimal(order.fee_micro),
                "status": order.status,
                "fills": [fill.id for fill in order.fills],
                "failed": list(order.failed),
                "requests": asked[order.id],
            }
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
