"""Where a request meets the faults: before and after it is executed.

Owns the middleware and the HTTP answers of each fault. Must never enter: when a fault happens
(see `faults`), what a request does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web

from foresight.exchange.error_bodies import error_body, is_spot
from foresight.exchange.faults import Fault, FaultPlan, Switch
from foresight.exchange.market_clock import NS_PER_SECOND

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REFUSALS: Final[Mapping[Fault, tuple[int, str]]] = MappingProxyType(
    {
        Fault.RATE_LIMIT: (429, "Too Many Requests"),
        Fault.BAN: (418, "Way too many requests; IP banned."),
        Fault.TOO_EARLY: (425, "The matching engine is restarting."),
        Fault.SERVER_ERROR: (503, "Service Unavailable"),
    }
)
_SUBMISSIONS: Final = frozenset({"/clob/order", "/clob/orders", "/api/v3/order"})


class FaultGate:
    """The middleware in front of every venue route."""

    def __init__(
        self, plan: FaultPlan, *, clock_ns: Callable[[], int], stopping: asyncio.Event
    ) -> None:
        """Guard routes.

        Args:
            plan: The switches.
            clock_ns: Wall clock, for the length of an outage.
            stopping: Set when the server ends: silent connections stop waiting.
        """
        self._plan = plan
        self._clock_ns = clock_ns
        self._stopping = stopping
        self._outage_start_ns = 0

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or do to it what the switches say."""
        if request.path.startswith("/_control/"):
            return await handler(request)
        tags = _tags(request)
        if self._is_outage():
            return self._cut(request)
        for fault, (status, text) in _REFUSALS.items():
            switch = self._plan.draw(fault, tags)
            if switch is not None:
                return _refusal(request, status, text, switch)
        if self._plan.draw(Fault.LOST_REQUEST, tags):
            return self._cut(request)
        silent = self._plan.draw(Fault.TIMEOUT, tags)
        if silent is not None:
            await self._wait(silent)
            return self._cut(request)
        response = await handler(request)
        return await self._spoil(request, response, tags)

    async def _spoil(
        self, request: web.Request, response: web.StreamResponse, tags: tuple[str, ...]
    ) -> web.StreamResponse:
        if response.prepared:
            return response  # a stream that has ended: nothing of it is left to spoil
        late = self._plan.draw(Fault.LATE_ANSWER, tags)
        if late is not None:
            await self._wait(late)
        if self._plan.draw(Fault.LOST_ANSWER, tags):
            return self._cut(request)
        if self._plan.draw(Fault.EXECUTION_UNKNOWN, tags):
            return _unknown(request)
        if self._plan.draw(Fault.MALFORMED, tags):
            whole = response.text if isinstance(response, web.Response) else None
            half = (whole or "{}")[: max(1, len(whole or "{}") // 2)]
            return web.Response(text=half, content_type="application/json")
        return response

    def _is_outage(self) -> bool:
        switch = self._plan.is_on(Fault.OUTAGE)
        if switch is None:
            self._outage_start_ns = 0
            return False
        now_ns = self._clock_ns()
        if not self._outage_start_ns:
            self._outage_start_ns = now_ns
            self._plan.count(Fault.OUTAGE)
        if now_ns - self._outage_start_ns < (switch.seconds or 0.0) * NS_PER_SECOND:
            return True
        self._plan.set(Fault.OUTAGE, None)
        self._outage_start_ns = 0
        return False

    async def _wait(self, switch: Switch) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), switch.seconds)
        except TimeoutError:
            return

    @staticmethod
    def _cut(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)  # nobody will read it: the connection is gone


def _tags(request: web.Request) -> tuple[str, ...]:
    venue = "binance" if is_spot(request.path) else request.path.split("/", 2)[1]
    is_submission = request.method == "POST" and request.path in _SUBMISSIONS
    return venue, "orders" if is_submission else "lookups"


def _refusal(request: web.Request, status: int, text: str, switch: Switch) -> web.Response:
    headers = {}
    if status in {418, 429}:
        headers["Retry-After"] = str(max(1, round(switch.seconds or 0.0)))
    body = error_body(request.path, -1003 if headers else -1001, text)
    return web.json_response(body, status=status, headers=headers)


def _unknown(request: web.Request) -> web.Response:
    text = (
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown."
    )
    return web.json_response(error_body(request.path, -1007, text), status=504)
