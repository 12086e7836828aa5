"""Listening sockets of companions: made once, and held as long as the launcher runs.

Owns when a port is taken, tried again, or given up for another. Whoever connects while a
companion is being started again waits in its socket's queue. A companion that this launcher
adopted holds its socket alone until it gives it, as one of this release does; the port of any other
is bound again when it ends. Standard library only.
"""

from __future__ import annotations

import socket
import time

from handoff.light_typing import TYPE_CHECKING, Final
from handoff.log_events import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff.launcher.engine_config import Companion
    from handoff.logs import Log

BACKLOG: Final = 1024  # half-open connections of anybody wait beside those of our own
_ANY_PORT: Final = "0"


def bind(address: str) -> socket.socket:
    """Listen on `host:port`; port 0 takes a free one.

    Raises:
        OSError: The port is taken, or the host is not of this machine.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)


def address_of(listener: socket.socket) -> str:
    """Return where a socket listens, as `host:port`."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_listening(passed: socket.socket) -> bool:
    try:
        is_inet = passed.family in (socket.AF_INET, socket.AF_INET6)
        return is_inet and bool(passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


class Listeners:
    """The sockets, by companion.

    Args:
        log: Where it is said that a port is taken, bound again or given up.
        held: Sockets that were handed over by whoever started this launcher.
    """

    def __init__(self, log: Log, held: Mapping[str, socket.socket]) -> None:
        """Start with what was handed over."""
        self._log = log
        self._taken: dict[str, float] = {}  # since when, monotonic seconds
        self.held = dict(held)

    def take(self, companion: Companion, passed: socket.socket) -> None:
        """Keep a socket that an adopted companion gave, if it is the one that is missing."""
        is_missing = companion.name not in self.held
        if is_missing and _is_listening(passed) and address_of(passed) == companion.listen:
            self.held[companion.name] = passed
            self._taken.pop(companion.name, None)
        else:
            passed.close()

    def hold(self, companion: Companion, workers_live: Callable[[], bool]) -> str:
        """Have a companion's socket, if its port is free; try again at the next call if not.

        Args:
            companion: One that listens.
            workers_live: Tells whether somebody relies on its address; asked where it is taken.

        Returns:
            Where it listens if that is not where it is configured to, or an empty string.
        """
        name, wanted = companion.name, companion.listen
        if name in self.held:
            return ""
        try:
            self.held[name] = bind(wanted)
        except (OSError, OverflowError, ValueError) as error:
            reason = str(error)
            if companion.told and not workers_live():
                return self._moved(companion, reason)
            if name not in self._taken:  # said once; the end of it is said as well
                self._taken[name] = time.monotonic()
                self._log.write(LogEvent.PORT_TAKEN, child=name, address=wanted, reason=reason)
            return ""
        now_s = time.monotonic()
        gap_ms = round((now_s - self._taken.pop(name, now_s)) * 1000)
        self._log.write(LogEvent.PORT_BOUND, child=name, address=wanted, taken_ms=gap_ms)
        return ""

    def _moved(self, companion: Companion, reason: str) -> str:
        name, host = companion.name, companion.listen.rpartition(":")[0]
        try:
            self.held[name] = bind(f"{host}:{_ANY_PORT}")
        except OSError:
            return ""  # no port at all is free: the next call tries again
        self._taken.pop(name, None)
        moved = address_of(self.held[name])
        self._log.write(LogEvent.PORT_MOVED, child=name, address=moved, reason=reason)
        return moved
