"""A companion's line to the launcher: it says that it serves, and gives the socket it serves on.

Owns that one word and its repetition. The launcher may die, be replaced or be of an older release,
which knows no such word of a companion: whoever answers next is told again. Nothing that the
companion does depends on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from handoff import wire
from handoff.limits import COMPANION_DIAL_S
from handoff.sockets import connect_unix
from handoff.wire import Kind

if TYPE_CHECKING:
    from pathlib import Path


async def keep_telling(path: Path, listener: socket.socket) -> None:
    """Say *ready* to whichever launcher answers, until cancelled.

    Args:
        path: The launcher's control socket.
        listener: What this companion listens on; the launcher gets it too, so that the port stays
            when this process ends, also where the launcher that bound it is gone.
    """
    while True:
        with contextlib.suppress(OSError):
            await _tell(path, listener)
        await asyncio.sleep(COMPANION_DIAL_S)  # noqa: TID251 - nothing tells when a launcher is back


async def _tell(path: Path, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with connect_unix(path, 0.0) as line:  # of a launcher that accepts nothing it is refused
        socket.send_fds(line, [wire.encode(Kind.READY)], [listener.fileno()])
        while await loop.sock_recv(line, 4096):
            pass  # whatever it answers: it hangs up where it ends or becomes another
