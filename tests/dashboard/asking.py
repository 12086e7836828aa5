"""Somebody who asks a page again and again, each time by a connection of its own, and counts.

Owns the pace and what a failure is: no connection, an answer that is cut short or says no, or
none in time. It asks in a thread; what the answers mean is the caller's matter.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from asyncio import StreamReader

A_SECOND: Final = 50
LIMIT_S: Final = 5.0
PATHS: Final = ("/", "/healthz", "/session", "/api/state", "/assets/dashboard.css")
WELL: Final = frozenset({200, 204})
SHOWN_MAX: Final = 5
ANSWER_BYTES_MAX: Final = 4 << 20


class Asked(NamedTuple):
    """What came of it.

    Attributes:
        sent: Requests.
        failed: Those that failed: when, seconds since the first, for what, and how.
        late: Those that had no answer in time.
        median_ms: Of the answers that came, from before the connection.
        worst_ms: Likewise.
        by: How many answers had which value of the header that tells pages apart.
    """

    sent: int
    failed: tuple[str, ...]
    late: int
    median_ms: float
    worst_ms: float
    by: dict[str, int]

    @property
    def examples(self) -> str:
        """A few of the failures in brackets; nothing of none."""
        return f" ({'; '.join(self.failed[:SHOWN_MAX])})" if self.failed else ""


class Asking:
    """Asks while the block runs; `asked` is there after it.

    Args:
        address: Of the page, as `http://127.0.0.1:port`.
        token: Of the page.
        told_apart_by: A header whose values are counted, lower case.
    """

    asked: Asked

    def __init__(self, address: str, token: str, *, told_apart_by: str) -> None:
        place = urlsplit(address)
        assert place.hostname is not None
        assert place.port is not None
        self._place = place.hostname, place.port
        self._header = told_apart_by.encode() + b":"
        self._said = f"Host: {place.netloc}\r\nAuthorization: Bearer {token}\r\nConnection: close"
        self._took_ms: list[float] = []
        self._failed: list[str] = []
        self._by: Counter[str] = Counter()
        self._late = 0
        self._count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(4 * LIMIT_S)
        self.asked = Asked(
            sent=self._count,
            failed=tuple(self._failed),
            late=self._late,
            median_ms=statistics.median(self._took_ms or [0.0]),
            worst_ms=max(self._took_ms, default=0.0),
            by=dict(self._by),
        )

    async def _run(self) -> None:
        begun_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self._stop.is_set():
                group.create_task(self._ask(PATHS[self._count % len(PATHS)], begun_s))
                self._count += 1
                due_s = begun_s + self._count / A_SECOND
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def _ask(self, path: str, begun_s: float) -> None:
        at_s = time.monotonic()
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._answer(path)
        except TimeoutError:
            self._late += 1
        except (OSError, ValueError, EOFError) as error:
            self._failed.append(f"{at_s - begun_s:.2f} s: {path}: {error!r}")
        else:
            self._took_ms.append((time.monotonic() - at_s) * 1e3)

    async def _answer(self, path: str) -> None:
        reader, writer = await asyncio.open_connection(*self._place, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\n{self._said}\r\n\r\n".encode())
            await self._read(reader)
        finally:
            writer.close()

    async def _read(self, reader: StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        status = int(head[0].split()[1])
        if status not in WELL:
            message = f"it said {status}"
            raise ValueError(message)
        found = dict(line.split(b": ", 1) for line in head[1:] if b": " in line)
        await reader.readexactly(int(found.get(b"content-length", b"0")))
        self._by[found.get(self._header[:-1], b"").decode()] += 1
