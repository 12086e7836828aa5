"""The web server of the page: on a socket that it was given, for this machine alone.

Owns its life: the socket, and how it ends: it accepts nobody else and finishes with whom it
accepted, while the page of the next release answers on the same socket. What is answered is
`page`'s matter, who gets in the door's.
"""

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from foresight.dashboard.page import Page
from foresight.door import limits as door_limits
from foresight.door.admission import Admission
from foresight.door.sparse_log import sparse_handler

ANSWERED_S: Final = 2.0  # for those who were let in to ask; what they asked is answered within
SHUTDOWN_S: Final = 1.0

Told = Callable[[], Coroutine[object, object, None]]


class NotLoopback(Exception):
    """The socket can be reached from other machines."""

    hint = "set [engine] page to 127.0.0.1:PORT; from elsewhere use an SSH tunnel"


def serve(page: Page, listener: socket.socket, told: Told | None = None) -> None:
    """Serve a page until a signal ends the process.

    Args:
        page: What is served.
        listener: A listening socket of the loopback interface.
        told: Tells others that it is served, for as long as it is; None where nobody asked.

    Raises:
        NotLoopback: The socket is open to other machines.
    """
    host = str(listener.getsockname()[0])
    if not ipaddress.ip_address(host).is_loopback:
        message = f"the page would be served on {host}, which other machines reach"
        raise NotLoopback(message)
    logging.basicConfig(level=logging.WARNING, handlers=[sparse_handler()])
    asyncio.run(_serve(page, listener, told))


async def _serve(page: Page, listener: socket.socket, told: Told | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    page.look()  # once before anybody asks, and before others rely on this process
    async with serving(page, listener) as tasks:
        stopping = asyncio.create_task(stop.wait(), name="page stop")
        telling = asyncio.create_task(told(), name="page line") if told is not None else None
        # A page whose loop ended would look alive and be deaf: it ends, and is started again.
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if telling is not None:
            telling.cancel()


@asynccontextmanager
async def serving(page: Page, listener: socket.socket) -> AsyncIterator[set[asyncio.Task[None]]]:
    """Serve a page while the block runs.

    Args:
        page: What is served.
        listener: Bound and listening; closed by the caller.

    Yields:
        The tasks that do it; one that ends before the block does has failed.
    """
    runner = web.AppRunner(
        page.application(),
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=door_limits.DEFAULT.idle_s,
        read_bufsize=door_limits.READ_BYTES_MAX,
        max_headers=door_limits.HEADERS_MAX,
        max_field_size=door_limits.HEADER_BYTES_MAX,
    )
    await runner.setup()
    assert runner.server is not None, "it was set up"
    page.admission = Admission(runner.server, listener, door_limits.DEFAULT)
    door = asyncio.create_task(page.admission.run(), name="page door")
    feed = asyncio.create_task(page.feed.run(), name="page feed")
    try:
        yield {door, feed}
    finally:
        page.admission.shut()
        page.feed.end()
        feed.cancel()
        results = await asyncio.gather(door, feed, return_exceptions=True)
        await page.admission.wait_answered(ANSWERED_S)
        await runner.cleanup()
        page.admission.close()
    for result in results:
        if isinstance(result, Exception):
            raise result
