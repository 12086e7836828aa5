"""Unix sockets by path, whatever the length of the path, and who is at the other end.

Owns addresses and peer credentials. A path over 107 bytes does not fit into an address:
it is reached through a descriptor of its directory.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from handoff.errors import PathTooLong
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, NamedTuple
from handoff.limits import CONNECTIONS_MAX, SOCKET_PATH_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Yield an address for a socket path; it is valid inside the context only.

    Raises:
        PathTooLong: Neither the path nor the way around it fits.
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{descriptor}/{path.name}"
        if not LightPath(f"/proc/self/fd/{descriptor}").exists():
            message = f"{path} has more than {SOCKET_PATH_BYTES_MAX} bytes"
            raise PathTooLong(message)
        yield short
    finally:
        os.close(descriptor)


def listen_unix(path: Path) -> socket.socket:
    """Listen on a socket that only this user can open; a stale one is replaced.

    The caller holds the lock that makes it the only listener of this home.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with address_of(path) as address:
            listener.bind(address)
    finally:
        os.umask(mask)
    listener.listen(2 * CONNECTIONS_MAX)  # a full queue turns a client away at once, unix(7)
    listener.setblocking(False)  # noqa: FBT003 - the method takes it by position only
    return listener


def connect_unix(path: Path, timeout_s: float) -> socket.socket:
    """Connect, with a bound on every later read and write as well.

    Raises:
        OSError: Nobody listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        with address_of(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


class Peer(NamedTuple):
    """The process at the other end of a socket, as the kernel knows it.

    Attributes:
        pid: Its pid in this process's namespace; 0 where it has none there.
        uid: Its user.
    """

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer | None:
    """Return who connected; None where it cannot be told."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None  # macOS: the mode of the socket's directory is the guard
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", data)
    return Peer(pid, uid)
