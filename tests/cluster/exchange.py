"""A venue of two books outside of all hosts: it counts what arrives and what was carried out.

`guarded` refuses a second order of one id; `plain` carries out whatever arrives, but for what comes
after its last moment. Both can be asked by id. Orders are told from each other by that id alone, so
what the engine sends twice shows here, whatever the engine believes.

It can be told to let the next sender stand still, before or after its order is carried out.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

GUARDED: Final = "guarded"
PLAIN: Final = "plain"
BOOKS: Final = (GUARDED, PLAIN)
_ANSWER_S_MAX: Final = 5.0


class Trap(NamedTuple):
    """Who is to stand still at its next order.

    Attributes:
        after: Whether its order is carried out first.
    """

    after: bool


class Counts(NamedTuple):
    """What came of all orders.

    Attributes:
        done: How often each was carried out, by its id.
        arrived: How often each arrived.
        too_late: Ids of those that came after their last moment.
        known: How many were refused because they were known.
    """

    done: Mapping[str, int]
    arrived: Mapping[str, int]
    too_late: frozenset[str] = frozenset()
    known: int = 0


class Exchange:
    """Listens for as long as it is open."""

    def __init__(self, address: str) -> None:
        """Begin to listen."""
        self._listener = socket.create_server((address, 0), backlog=64)
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._done: Counter[str] = Counter()
        self._arrived: Counter[str] = Counter()
        self._too_late: set[str] = set()
        self._known = 0
        self._trap: Trap | None = None
        self._trapped = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._listener.close()

    def lay(self, trap: Trap) -> None:
        """Let the sender of the next order stand still at it."""
        with self._lock:
            self._trapped.clear()
            self._trap = trap

    def wait_trapped(self, limit_s: float) -> bool:
        """Wait until somebody stands still; tell whether anybody does, and lay no trap any more."""
        found = self._trapped.wait(limit_s)
        with self._lock:
            self._trap = None
        return found

    def counts(self) -> Counts:
        """Return what came of all orders so far."""
        with self._lock:
            too_late = frozenset(self._too_late)
            return Counts(dict(self._done), dict(self._arrived), too_late, self._known)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, near.makefile("rb") as reader:
            near.settimeout(_ANSWER_S_MAX)
            try:
                line = reader.readline()
                if line.endswith(b"\n"):
                    near.sendall(json.dumps(self._answer(json.loads(line))).encode() + b"\n")
            except OSError:
                return  # whoever asked is gone, or cut off

    def _answer(self, asked: dict[str, object]) -> dict[str, object]:
        name, act = str(asked["id"]), asked["act"]
        with self._lock:
            match act:
                case "may":
                    return {"stop": self._sprung(after=False)}
                case "send":
                    return {"said": self._sent(name, asked), "stop": self._sprung(after=True)}
                case _:
                    return {"found": bool(self._done[name]), "over": _is_over(asked)}

    def _sent(self, name: str, asked: dict[str, object]) -> str:
        self._arrived[name] += 1
        if _is_over(asked):
            self._too_late.add(name)
            return "too late"
        if name.startswith(GUARDED) and self._done[name]:
            self._known += 1
            return "known"
        self._done[name] += 1
        return "done"

    def _sprung(self, *, after: bool) -> bool:
        if self._trap is None or self._trap.after is not after:
            return False
        self._trap = None
        self._trapped.set()
        return True


def _is_over(asked: dict[str, object]) -> bool:
    """Tell whether the last moment of an order has passed, by the venue's own clock."""
    until_ns = asked.get("until_ns")
    return isinstance(until_ns, int) and time.time_ns() >= until_ns
