"""The spot venue's streams over WebSocket: /ws, /ws/{streams} and /stream?streams=.

Owns connections: who reads and who writes, how often, for how long. Must never enter: what streams
say (see `stream_events`), what clients may ask (see `stream_requests`).
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from foresight.exchange.binance.access import IS_OTHERS, refused
from foresight.exchange.binance.market_trades import STEP_NS
from foresight.exchange.binance.messages import Json
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.binance.stream_events import StreamEvents
from foresight.exchange.binance.stream_requests import Subscriptions
from foresight.exchange.faults import Fault
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.venue import Venue

STEP_S: Final = 0.25
"""Wall time between two looks at what is new."""

REQUESTS_MAX: Final = 5
"""Messages of a client in one second; who sends more is cut off."""

OPEN_MAX: Final = 64
"""Streams' connections of our own user at the same time; they never make room at the door."""

OTHERS_OPEN_MAX: Final = 16
"""Those of everybody else."""

_PING_S: Final = 20.0
_LIFE_NS: Final = 24 * 3600 * NS_PER_SECOND
_MESSAGE_BYTES_MAX: Final = 64 * 1024
_SEND_S: Final = 10.0  # for a client to take what was sent; one that never reads is cut off


class BinanceStreamsApi:
    """Routes over one venue."""

    def __init__(self, venue: Venue, events: StreamEvents, *, stopping: asyncio.Event) -> None:
        """Serve `venue`.

        Args:
            venue: Whose prices.
            events: What they say.
            stopping: Set when the server ends.
        """
        self._venue = venue
        self._events = events
        self._stopping = stopping
        self._open = {False: 0, True: 0}  # by whether they are others'

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield every route."""
        yield web.get("/ws", self.plain)
        yield web.get("/ws/{streams:.*}", self.plain)
        yield web.get("/stream", self.combined)

    async def plain(self, request: web.Request) -> web.StreamResponse:
        """Serve events as they are."""
        # Some clients number their connections where a stream's name could stand.
        names = [
            name
            for name in request.match_info.get("streams", "").split("/")
            if name and not name.isdigit()
        ]
        return await self._serve(request, names, is_combined=False)

    async def combined(self, request: web.Request) -> web.StreamResponse:
        """Serve events each with the name of its stream."""
        names = [name for name in request.query.get("streams", "").split("/") if name]
        return await self._serve(request, names, is_combined=True)

    async def _serve(
        self, request: web.Request, names: Sequence[str], *, is_combined: bool
    ) -> web.StreamResponse:
        assets = self._venue.tape.source.assets
        subscriptions = Subscriptions(assets, is_combined=is_combined)
        wrong = subscriptions.add_all(names)
        if wrong:
            return refused(Refusal(-1100, f"Invalid request: {wrong}"))
        socket = web.WebSocketResponse(heartbeat=_PING_S, max_msg_size=_MESSAGE_BYTES_MAX)
        if not socket.can_prepare(request).ok:
            return refused(Refusal(-1020, "This path is a WebSocket.", status=426))
        is_others = request.get(IS_OTHERS, False)
        if self._open[is_others] >= (OTHERS_OPEN_MAX if is_others else OPEN_MAX):
            return refused(Refusal(-1003, "Too many streams.", status=429, retry_after_s=1))
        self._open[is_others] += 1
        try:
            await socket.prepare(request)
            await self._converse(socket, subscriptions)
        finally:
            self._open[is_others] -= 1
        return socket

    async def _converse(self, socket: web.WebSocketResponse, subscriptions: Subscriptions) -> None:
        connection = _Connection(self._venue, self._events, socket, subscriptions)
        writing = asyncio.create_task(connection.write(self._stopping), name="exchange stream")
        try:
            await connection.read()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


class _Connection:
    """One open WebSocket."""

    def __init__(
        self,
        venue: Venue,
        events: StreamEvents,
        socket: web.WebSocketResponse,
        subscriptions: Subscriptions,
    ) -> None:
        self._venue = venue
        self._events = events
        self._socket = socket
        self._subscriptions = subscriptions
        self._begun_ns = venue.now().wall_ns
        self._heard: deque[float] = deque(maxlen=REQUESTS_MAX)
        self._since: dict[str, int] = {}
        self._last: dict[str, Json] = {}

    async def read(self) -> None:
        """Answer what the client says until it ends."""
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            now_s = loop.time()
            if len(self._heard) == REQUESTS_MAX and now_s - self._heard[0] < 1:
                await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too fast")
                return
            self._heard.append(now_s)
            if message.type is WSMsgType.TEXT:
                await self._send(self._subscriptions.answer(message.data))

    async def write(self, stopping: asyncio.Event) -> None:
        """Send what is new until the client ends, or its time, or the server."""
        with suppress(ConnectionError, TimeoutError):
            while not stopping.is_set() and not self._socket.closed:
                now = self._venue.now()
                if (
                    self._venue.faults.is_on(Fault.OUTAGE)
                    or now.wall_ns > self._begun_ns + _LIFE_NS
                ):
                    break
                await self._step(now.market_ns)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), STEP_S)
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _step(self, market_ns: int) -> None:
        for name, stream in list(self._subscriptions.streams.items()):
            since_ns = self._since.get(name, market_ns)
            if name in self._since and since_ns // STEP_NS == market_ns // STEP_NS:
                continue  # no price can have changed: what is asked for costs nothing
            for event in self._events.between(stream, since_ns, market_ns):
                if self._is_news(name, event):
                    is_combined = self._subscriptions.is_combined
                    await self._send({"stream": name, "data": event} if is_combined else event)
            self._since[name] = market_ns
        for name in self._since.keys() - self._subscriptions.streams.keys():
            del self._since[name]
            self._last.pop(name, None)

    def _is_news(self, name: str, event: Json) -> bool:
        said = {field: value for field, value in event.items() if field not in {"E", "C", "O"}}
        if self._last.get(name) == said:
            return False
        self._last[name] = said
        return True

    async def _send(self, value: Json) -> None:
        async with asyncio.timeout(_SEND_S):
            await self._socket.send_str(json.dumps(value))
