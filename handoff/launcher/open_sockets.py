"""Which process has a socket open, as the kernel's tables tell.

Owns the reading of `/proc/net` and of descriptors. What cannot be seen is not claimed: a
process of another user shows nothing. Standard library only.
"""

from __future__ import annotations

import os

from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff.light_typing import Final

_LISTENING: Final = "0A"  # TCP_LISTEN of linux/tcp_states.h
_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_LOCAL, _STATE, _INODE = 1, 3, 9  # columns of proc_pid_net(5)


def listeners_of(address: str) -> frozenset[str] | None:
    """Return the inodes of the sockets that listen on a port; None where it cannot be seen.

    Args:
        address: `host:port`; of whatever host, because one for all hosts takes the port too.
    """
    port, found, seen = f":{int(address.rpartition(':')[2]):04X}", set[str](), False
    for table in _TABLES:
        try:
            rows = LightPath(table).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        seen = True
        words = [row.split() for row in rows[1:] if port in row]
        found |= {
            each[_INODE] for each in words if each[_STATE] == _LISTENING and port in each[_LOCAL]
        }
    return frozenset(found) if seen else None


def has_open(pid: int | str, inodes: frozenset[str]) -> bool:
    """Tell whether one of our own processes has one of these sockets open."""
    directory, links = f"/proc/{pid}/fd", {f"socket:[{each}]" for each in inodes}
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():  # noqa: PTH116 - no pathlib here
            return False
        descriptors = os.listdir(directory)  # noqa: PTH208 - as above
        return any(_link(f"{directory}/{each}") in links for each in descriptors)
    except OSError:
        return False  # it is somebody else's, or gone


def _link(descriptor: str) -> str:
    try:
        return os.readlink(descriptor)  # noqa: PTH115 - as above
    except OSError:
        return ""
