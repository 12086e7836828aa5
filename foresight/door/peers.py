"""Whose connection it is, as the kernel's own table of sockets says.

Owns the reading of `net/tcp` and `net/tcp6`. Must never enter: what follows from it, anything that
a peer says of itself.
"""

import re
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_TABLES: Final = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
_ESTABLISHED: Final = "01"  # of linux/tcp_states.h; in others an orphan is shown as root's
_MAPPED: Final = "0000000000000000FFFF0000"  # before an IPv4 address in the table of IPv6
_USER: Final = re.compile(r"(?: +\S+){3} +(\d+)")  # after the state, as in proc_pid_net(5)


def users_of(connections: Sequence[socket.socket]) -> list[int | None]:
    """Return the user of each connection's other end; None for one that this host does not know.

    Args:
        connections: Accepted sockets. All are looked up in one reading of the table.
    """
    found: list[int | None] = [None] * len(connections)
    for table in _TABLES:
        missing = [number for number, user in enumerate(found) if user is None]
        if not missing:
            break
        try:
            text = Path(table).read_text(encoding="ascii", errors="replace")
        except OSError:
            continue  # hidden, or no Linux: nobody is known
        for number in missing:
            found[number] = _user(text, connections[number])
    return found


def _user(table: str, connection: socket.socket) -> int | None:
    for ends in _ends(connection):
        # Searched as text: somebody may have filled the table with thousands of rows.
        row = f": {ends} {_ESTABLISHED} "
        start = table.find(row)
        user = _USER.match(table, start + len(row) - 1) if start >= 0 else None
        if user is not None:
            return int(user[1])
    return None


def _ends(connection: socket.socket) -> list[str]:
    """Return how the other end's row may begin: its address, then ours."""
    try:
        theirs, ours = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:
        return []  # it has gone already
    kinds = ("", _MAPPED) if connection.family == socket.AF_INET else ("",)
    return [f"{prefix}{_column(*theirs)} {prefix}{_column(*ours)}" for prefix in kinds]


def _column(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host.partition("%")[0])
    numbers = struct.unpack(f"={len(packed) // 4}I", packed)  # the table shows host-order words
    return "".join(f"{number:08X}" for number in numbers) + f":{port:04X}"
