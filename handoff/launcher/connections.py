"""The launcher's control socket: who is connected, what they said, what they are told.

Owns bytes in and out of the connections, non-blocking and bounded. What a message leads to
is the launcher's matter. Standard library only.
"""

from __future__ import annotations

import os
import selectors
import socket
import time

from handoff import wire
from handoff.light_typing import TYPE_CHECKING, Final
from handoff.limits import (
    CONNECTIONS_FOR_WORKERS,
    CONNECTIONS_MAX,
    IDLE_S_MAX,
    WIRE_LINE_BYTES_MAX,
)
from handoff.sockets import listen_unix, peer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handoff.wire import Kind, Message

_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # macOS has none


class Connection:
    """One peer of the control socket."""

    def __init__(self, sock: socket.socket, pid: int | None) -> None:
        """Start without a name.

        Args:
            sock: The connection.
            pid: The process at the other end, as the kernel says; None where it does not say.
        """
        self.sock = sock
        self.pid = pid
        self.heard_s = time.monotonic()  # when it connected, or said something last
        self.child = ""  # name of the child at the other end, once it said hello
        self.subscribed = False
        self.drives = ""  # the deploy whose candidate it asked for
        self._passed: int | None = None  # a descriptor that it sent along with its words
        self._buffer = wire.LineBuffer()
        self._out = b""

    def is_idle(self, now_s: float) -> bool:
        """Tell whether it neither greeted, subscribed nor asked anything for too long."""
        has_part = self.child or self.subscribed or self.drives
        return not has_part and now_s > self.heard_s + IDLE_S_MAX

    def tell(self, kind: Kind, **members: object) -> None:
        """Queue a message; `flush` sends it."""
        self._out += wire.encode(kind, **members)

    def flush(self) -> bool:
        """Send what the peer takes now; return False if it is gone or never reads."""
        try:
            while self._out:
                self._out = self._out[self.sock.send(self._out) :]
        except BlockingIOError:
            return len(self._out) < WIRE_LINE_BYTES_MAX
        except OSError:
            return False
        return True

    def pending(self) -> bool:
        """Tell whether something waits to be sent."""
        return bool(self._out)

    def receive(self) -> list[Message] | None:
        """Return what came, or None if the peer is gone.

        Raises:
            WireBroken: It speaks nonsense.
        """
        try:
            data = self._take_in()
        except BlockingIOError:
            return []
        except OSError:
            return None
        messages = self._buffer.feed(data) if data else None
        if messages:
            self.heard_s = time.monotonic()
        return messages

    def _take_in(self) -> bytes:
        data, passed, _, _ = socket.recv_fds(self.sock, 65536, 1, _CLOSE_ON_EXEC)
        for number in passed:
            if self._passed is not None:
                os.close(self._passed)
            self._passed = number
        return data

    def take_passed(self) -> socket.socket | None:
        """Return the socket that was sent along, if one was, for the caller to keep or to close."""
        number, self._passed = self._passed, None
        if number is None:
            return None
        try:
            return socket.socket(fileno=number)
        except OSError:
            os.close(number)  # it is none
            return None

    def close(self) -> None:
        """Hang up."""
        self.sock.close()
        passed = self.take_passed()
        if passed is not None:
            passed.close()


class Connections:
    """All peers, registered with the launcher's selector."""

    def __init__(self, path: Path, selector: selectors.BaseSelector) -> None:
        """Listen."""
        self._selector = selector
        self._listener = listen_unix(path)
        self._path = path
        self._open: list[Connection] = []
        selector.register(self._listener, selectors.EVENT_READ, self)

    def accept(self, is_child: Callable[[int], bool]) -> bool:
        """Accept one peer; return False where it was refused.

        Args:
            is_child: Tells whether a pid is one of the launcher's children.
        """
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return False
        peer = peer_of(sock)
        is_stranger = peer is not None and peer.uid not in (os.geteuid(), 0)
        pid = peer.pid if peer is not None else None
        if is_stranger or not self._has_place(is_worker=pid is not None and is_child(pid)):
            sock.close()
            return False
        sock.setblocking(False)  # noqa: FBT003 - the method takes it by position only
        connection = Connection(sock, pid)
        self._open.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return True

    def _has_place(self, *, is_worker: bool) -> bool:
        """Tell whether there is room for one more; who is idle makes room."""
        others = [each for each in self._open if not each.child]
        limit = CONNECTIONS_MAX if is_worker else CONNECTIONS_MAX - CONNECTIONS_FOR_WORKERS
        taken = len(self._open) if is_worker else len(others)
        if taken < limit:
            return True
        now_s = time.monotonic()
        idle = [each for each in others if each.is_idle(now_s)]
        for connection in idle:
            self.drop(connection)
        return bool(idle)

    def drop(self, connection: Connection) -> None:
        """Forget a peer."""
        if connection in self._open:
            self._open.remove(connection)
            self._selector.unregister(connection.sock)
            connection.close()

    def flush(self) -> None:
        """Send what is queued; wait for room only by way of the selector."""
        for connection in list(self._open):
            if not connection.flush():
                self.drop(connection)
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.pending() else 0)
            self._selector.modify(connection.sock, wanted, connection)

    def of_child(self, name: str) -> Connection | None:
        """Return the line to a child, if it is up."""
        return next((each for each in self._open if each.child == name), None)

    def rename(self, former: str, name: str) -> None:
        """Let the line to a child be found by its new name."""
        line = self.of_child(former)
        if line is not None:
            line.child = name

    def is_driven(self, deploy_id: str) -> bool:
        """Tell whether somebody who asked for this deploy's candidate is still there."""
        return any(each.drives == deploy_id for each in self._open)

    def broadcast(self, kind: Kind, **members: object) -> None:
        """Tell every subscriber."""
        for connection in self._open:
            if connection.subscribed:
                connection.tell(kind, **members)

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over the peers."""
        return iter(list(self._open))

    def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        for connection in list(self._open):
            self.drop(connection)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
