"""The control page: what the exchange is, what its books say, which faults are on.

Owns /_control/health, /_control/ledger and /_control/faults, which no fault ever touches. Must
never enter: anything a venue's client would ask for.
"""

import json
from collections import Counter
from typing import Any

from aiohttp import web

from foresight.exchange.errors import OptionError
from foresight.exchange.market_clock import NS_PER_MS
from foresight.exchange.polymarket.position_messages import summary
from foresight.exchange.polymarket.wire_numbers import cents_text, decimal
from foresight.exchange.venue import Venue


def control_routes(venue: Venue) -> list[web.RouteDef]:
    """Return the routes of one venue's control page."""

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
        "rule": venue.identity.rule,
        "wall_ms": now.wall_ns // NS_PER_MS,
        "market_ms": now.market_ns // NS_PER_MS,
        "first_candle_ms": venue.tape.source.first_minute * 60_000,
        "end_ms": None if end is None else end * 60_000,
        "faults": venue.faults.describe(),
    }


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
                "price": cents_text(order.terms.cents),
                "size": decimal(order.terms.size_micro),
                "filled": decimal(order.filled_micro),
                "cash": decimal(order.cash_micro),
                "fee": decimal(order.fee_micro),
                "status": order.status,
                "fills": [fill.id for fill in order.fills],
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
