"""How much is let in, and how long it may take.

Owns the numbers of the door, and how they shrink where descriptors are few. Must never enter:
connections, requests.
"""

from typing import Final, NamedTuple

BACKLOG: Final = 1024  # they wait in the kernel; a flood of this queue itself is not kept out
BODY_BYTES_MAX: Final = 256 * 1024  # of one request
READ_BYTES_MAX: Final = 64 * 1024  # of one connection, before its handler asks for more
HEADERS_MAX: Final = 64  # of one request; a client of ccxt sends about 15
HEADER_BYTES_MAX: Final = 4096  # of one header; a signature has 132
_SHARE_OF_OTHERS: Final = 4  # they get one connection of so many


class Limits(NamedTuple):
    """How much is let in.

    With these, 256 connections that all send as much as they may hold 128 MiB at most.

    Attributes:
        own_max: Connections of this process's user.
        others_max: Connections of everybody else.
        batch_max: Accepted at one look into the kernel's table.
        headers_s: For a new connection to send its first request's headers.
        body_s: For a request's body.
        idle_s: Between two requests; a worker's client gives its own up after 15.
    """

    own_max: int = 192
    others_max: int = 64
    batch_max: int = 64
    headers_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 30.0


DEFAULT: Final = Limits()


def fitted(limits: Limits, descriptors: int) -> Limits:
    """Return limits that leave nobody without a descriptor; each kind keeps one connection.

    Args:
        limits: As wanted.
        descriptors: How many more this process may open.
    """
    others = max(1, min(limits.others_max, descriptors // _SHARE_OF_OTHERS))
    batch = max(1, min(limits.batch_max, descriptors // _SHARE_OF_OTHERS))
    own = max(1, min(limits.own_max, descriptors - others - batch))
    return limits._replace(own_max=own, others_max=others, batch_max=batch)
