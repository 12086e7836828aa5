"""A worker's line to a launcher that does not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from handoff.limits import WIRE_LINE_BYTES_MAX
from handoff.sockets import listen_unix
from handoff.wire import Kind, LineBuffer
from handoff.worker.channel import LauncherChannel

if TYPE_CHECKING:
    import socket
    from pathlib import Path

MESSAGES = 20_000  # of 400 bytes: several times what may wait
WAIT_S = 10.0
SAID = {"release": "a", "deploy": "b", "clean_cycles": 1, "of": 3, "words": "x" * 400}


async def accepted(listener: socket.socket) -> socket.socket:
    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    sock.setblocking(False)  # noqa: FBT003 - the method takes it by position only
    return sock


async def heard(listener: socket.socket, last: int) -> list[dict[str, Any]]:
    """Read one line after the other until one says the newest cycle; return what that one said."""
    while True:
        sock = await accepted(listener)
        buffer, found = LineBuffer(), list[dict[str, Any]]()
        while data := await asyncio.get_running_loop().sock_recv(sock, 65536):
            found += buffer.feed(data)
            if found and found[-1].get("cycle") == last:
                break
        sock.close()
        if data:
            return found


@pytest.mark.asyncio
async def test_what_a_stopped_launcher_does_not_read_is_bounded_and_the_newest_comes_in_the_end(
    tmp_path: Path,
) -> None:
    """A launcher stopped for a day must not cost its workers their memory."""
    listener = listen_unix(tmp_path / "control.sock")
    channel = LauncherChannel(tmp_path / "control.sock", {"wire": 1, "pid": 1, "release": "a"})
    line = asyncio.create_task(channel.keep_up())
    try:
        async with asyncio.timeout(WAIT_S):
            first = await accepted(listener)
            waiting = 0
            for cycle in range(MESSAGES):
                channel.tell(Kind.SETTLED, cycle=cycle, **SAID)
                writer = channel._writer  # noqa: SLF001 - nothing else tells what waits
                if writer is not None:
                    waiting = max(waiting, writer.transport.get_write_buffer_size())
                await asyncio.sleep(0)
            assert 0 < waiting < 2 * WIRE_LINE_BYTES_MAX
            found = await heard(listener, MESSAGES - 1)
            first.close()
    finally:
        line.cancel()
        await asyncio.wait({line})
        listener.close()
    kinds = [message["kind"] for message in found]
    # How much is said on the new line depends on when it is there; old news is not.
    assert kinds == ["hello", *["settled"] * (len(kinds) - 1)]
    assert len(kinds) < MESSAGES // 2
    assert found[1]["cycle"] > 0
