"""The launcher's control socket: who is connected, what they said, what they are told.

Owns bytes in and out of the connections, non-blocking and bounded. What a message leads to
is the launcher's matter. Standard library only.
"""

from __future__ import annotations

import os
import selectors

from handoff import wire
from handoff.errors import WireBroken
from handoff.light_typing import TYPE_CHECKING
from handoff.limits import CONNECTIONS_MAX, WIRE_LINE_BYTES_MAX
from handoff.sockets import listen_unix, peer_uid

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from handoff.wire import Kind, Message


class Connection:
    """One peer of the control socket."""

    def __init__(self, sock: socket.socket) -> None:
        """Start without a name."""
        self.sock = sock
        self.child = ""  # name of the child at the other end, once it said hello
        self.subscribed = False
        self.drives = ""  # the deploy whose candidate it asked for
        self._buffer = wire.LineBuffer()
        self._out = b""

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
        """Return what came, or None if the peer is gone or speaks nonsense."""
        try:
            data = self.sock.recv(65536)
            return self._buffer.feed(data) if data else None
        except BlockingIOError:
            return []
        except (OSError, WireBroken):
            return None


class Connections:
    """All peers, registered with the launcher's selector."""

    def __init__(self, path: Path, selector: selectors.BaseSelector) -> None:
        """Listen."""
        self._selector = selector
        self._listener = listen_unix(path)
        self._path = path
        self._open: list[Connection] = []
        selector.register(self._listener, selectors.EVENT_READ, self)

    def accept(self) -> bool:
        """Accept one peer; return False where it was refused."""
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return False
        uid = peer_uid(sock)
        if uid not in (None, os.geteuid(), 0) or len(self._open) >= CONNECTIONS_MAX:
            sock.close()
            return False
        sock.setblocking(False)  # noqa: FBT003 - the method takes it by position only
        connection = Connection(sock)
        self._open.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return True

    def drop(self, connection: Connection) -> None:
        """Forget a peer."""
        if connection in self._open:
            self._open.remove(connection)
            self._selector.unregister(connection.sock)
            connection.sock.close()

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
