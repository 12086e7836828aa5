"""The worker's line to the launcher: a Unix socket that is dialled again when it breaks.

Owns the connection only. The launcher may die, be replaced or be slow: a worker tells what
it can and goes on. Nothing that decides anything depends on a message arriving.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from handoff import wire
from handoff.errors import WireBroken
from handoff.limits import RECONNECT_PAUSE_S, WIRE_LINE_BYTES_MAX, WIRE_QUEUE_MAX
from handoff.sockets import address_of
from handoff.wire import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# What the next launcher, or this one when the line is up again, has to be told once more.
RESAID: Final = (Kind.READY, Kind.TOOK, Kind.SEIZED, Kind.SETTLED, Kind.DUE, Kind.AWAY)
RETRACTS: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    # A later launcher must not take this worker for the owner that it was.
    Kind.LOST: (Kind.TOOK, Kind.SEIZED, Kind.SETTLED, Kind.DUE),
    Kind.BACK: (Kind.AWAY,),
    Kind.TOOK: (Kind.DUE,),
    Kind.SEIZED: (Kind.DUE,),
    Kind.SETTLED: (Kind.DUE,),
}


class LauncherChannel:
    """A line that keeps itself up in the background.

    Args:
        path: The launcher's control socket.
        hello: What is said first on every new connection.
    """

    def __init__(self, path: Path, hello: dict[str, object]) -> None:
        """Keep the address; `keep_up` does the rest."""
        self._path = path
        self._hello = hello
        self._writer: asyncio.StreamWriter | None = None
        self._received: deque[Message] = deque(maxlen=WIRE_QUEUE_MAX)
        self._last: dict[str, bytes] = {}
        self._early: deque[bytes] = deque(maxlen=WIRE_QUEUE_MAX)  # said before there was a line
        self._was_up = asyncio.Event()

    def tell(self, kind: Kind, **members: object) -> None:
        """Send a message if the line is up; before it was first up, keep it until it is."""
        line = wire.encode(kind, **members)
        for old in RETRACTS.get(kind, ()):
            self._last.pop(old.value, None)
        if kind in RESAID:
            self._last[kind.value] = line
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(line)
            # A launcher that was stopped reads nothing; it is told the newest when it is back.
            if self._writer.transport.get_write_buffer_size() > WIRE_LINE_BYTES_MAX:
                self._writer.transport.abort()
        elif not self._was_up.is_set():
            self._early.append(line)

    def received_nowait(self) -> list[Message]:
        """Return what came since the last call."""
        messages = list(self._received)
        self._received.clear()
        return messages

    async def keep_up(self) -> None:
        """Connect, and connect again whenever the line breaks, until cancelled."""
        while True:
            try:
                reader, self._writer = await self._connect()
                was_up = self._was_up.is_set()
                self._writer.write(wire.encode(Kind.HELLO, **self._hello))
                # A new launcher learns what this worker is from what it said last.
                self._writer.writelines(self._last.values() if was_up else self._early)
                self._early.clear()
                self._was_up.set()
                await self._receive(reader)
            except (OSError, WireBroken):
                pass
            finally:
                self._hang_up()
            await asyncio.sleep(RECONNECT_PAUSE_S)  # noqa: TID251 - nothing tells when a launcher is back

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with address_of(self._path) as address:
            return await asyncio.open_unix_connection(address)

    async def flush(self, timeout_s: float) -> None:
        """Wait, within a bound, until what was told is with the operating system."""
        try:
            async with asyncio.timeout(timeout_s):
                # A release that is refused at once would be gone before it could say why.
                await self._was_up.wait()
                if self._writer is not None:
                    await self._writer.drain()
        except (OSError, TimeoutError):
            return

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        buffer = wire.LineBuffer()
        while data := await reader.read(65536):
            self._received.extend(buffer.feed(data))

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
