"""Plain clients of the page's events, all in one process that yields to everybody.

    python -m bench.followers ADDRESS TOKEN_FILE CLIENTS SECONDS

Each takes the stream as a browser asks for it, compressed, and draws nothing. Prints one JSON
object when the time is over: bytes on the wire, how often a stream ended, seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

NICENESS: Final = 19
PIECE: Final = 16 * 1024
AGAIN_S: Final = 0.5  # as the page tells browsers
FIRST_S: Final = 30.0


class Count:
    """What came, of all of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.bytes = 0
        self.ended = 0


async def follow_all(address: str, token: str, *, clients: int, seconds: float) -> Count:
    """Follow with so many for so long; return what came."""
    count = Count()
    tasks = [asyncio.create_task(_follow(address, token, count)) for _ in range(clients)]
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return count


async def _follow(address: str, token: str, count: Count) -> None:
    while True:
        with suppress(OSError):  # the page is away for a moment
            await _one_stream(address, token, count)
        count.ended += 1
        await asyncio.sleep(AGAIN_S)


async def _one_stream(address: str, token: str, count: Count) -> None:
    place = urlsplit(address)
    said = f"GET /events HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n"
    async with asyncio.timeout(FIRST_S):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(f"{said}Accept-Encoding: gzip\r\n\r\n".encode())
        while piece := await reader.read(PIECE):
            count.bytes += len(piece)
    finally:
        writer.close()


def main(address: str, token_file: str, clients: str, seconds: str) -> None:
    """Follow, and print what came."""
    os.nice(NICENESS)
    token = Path(token_file).read_text(encoding="ascii").strip()
    begun_s = time.monotonic()
    following = follow_all(address, token, clients=int(clients), seconds=float(seconds))
    count = asyncio.run(following)
    took_s = time.monotonic() - begun_s
    print(json.dumps({"bytes": count.bytes, "ended": count.ended, "seconds": took_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
