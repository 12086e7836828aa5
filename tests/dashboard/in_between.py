"""Who stands between a browser and the page: a proxy with a path of its own, and a tunnel.

Both are what people have, as small as they can be: the proxy takes a path's beginning away and
passes on what comes as it comes; the tunnel knows nothing of HTTP. They run in a thread.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

STARTS_S: Final = 20.0
PIECE: Final = 16 * 1024
# Of one connection only (RFC 9110, 7.6.1), and what the web server writes itself.
OF_ONE_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@contextmanager
def proxy(address: str, path: str, *, keeps_host: bool) -> Iterator[str]:
    """Serve a page below a path; yield where.

    Args:
        address: Of the page.
        path: With a slash at its end.
        keeps_host: Whether the page is told what the browser typed; otherwise its own address,
            which is what nginx does where nobody says otherwise.
    """

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        async with aiohttp.ClientSession(auto_decompress=False) as session:

            async def answer(request: web.Request) -> web.StreamResponse:
                return await _passed_on(session, request, address, path, keeps_host=keeps_host)

            application = web.Application()
            application.router.add_route("*", path + "{rest:.*}", answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield int(runner.addresses[0][1])
            await runner.cleanup()

    with _in_a_thread(serving) as port:
        yield f"http://127.0.0.1:{port}{path}"


@contextmanager
def tunnel(address: str) -> Iterator[str]:
    """Lead to a page from another port; yield where."""
    place = urlsplit(address)

    async def lead(reader: StreamReader, writer: StreamWriter) -> None:
        theirs, to = await asyncio.open_connection(place.hostname, place.port)
        async with asyncio.TaskGroup() as both:
            both.create_task(_poured(reader, to))
            both.create_task(_poured(theirs, writer))

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        server = await asyncio.start_server(lead, "127.0.0.1", 0)
        yield int(server.sockets[0].getsockname()[1])
        server.close()

    with _in_a_thread(serving) as port:
        yield f"http://127.0.0.1:{port}/"


async def _passed_on(
    session: aiohttp.ClientSession,
    request: web.Request,
    address: str,
    path: str,
    *,
    keeps_host: bool,
) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    if keeps_host:
        headers["Host"] = request.headers["Host"]
    url = address.rstrip("/") + "/" + request.raw_path.removeprefix(path)
    body = await request.read()
    async with session.request(request.method, url, headers=headers, data=body) as found:
        kept = [(k, v) for k, v in found.headers.items() if k.lower() not in OF_ONE_HOP]
        response = web.StreamResponse(status=found.status)
        response.headers.extend(kept)
        with suppress(ConnectionError, aiohttp.ClientError):  # who looked has gone, or the page
            await response.prepare(request)
            async for piece in found.content.iter_any():
                await response.write(piece)
        return response


async def _poured(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


@contextmanager
def _in_a_thread(serving: Callable[[], AbstractAsyncContextManager[int]]) -> Iterator[int]:
    """Serve in a thread while the block runs; yield the port."""
    ready = threading.Event()
    found: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        async with serving() as port:
            found.append((port, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(STARTS_S), "it does not serve"
    port, loop, stop = found[0]
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(STARTS_S)
