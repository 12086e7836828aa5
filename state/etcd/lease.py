"""What a lease allows whom, judged by a clock that goes on while the host sleeps.

Owns the rules alone: no clock is read and nothing is sent here. A lease is counted from when its
last renewal was sent, so that etcd, which counts from when it arrived, never ends it earlier than
is believed here. That a lease is gone proves nothing about who held it.
"""

from __future__ import annotations

from typing import NamedTuple

PARTS: int = 3  # a cycle is begun within the last third that began with a renewal


class Standing(NamedTuple):
    """A worker's lease, as its worker knows it.

    Attributes:
        lease: Its number in etcd; 0 where there is none.
        ttl_ns: How long it lasts from a renewal on, nanoseconds.
        renewed_ns: When the newest renewal that was answered was sent, nanoseconds since boot.
        is_gone: Etcd said that there is no such lease.
    """

    lease: int = 0
    ttl_ns: int = 0
    renewed_ns: int = 0
    is_gone: bool = False

    @property
    def is_held(self) -> bool:
        """Whether there is one, as far as etcd has said."""
        return bool(self.lease) and not self.is_gone


def left_ns(standing: Standing, *, now_ns: int) -> int:
    """Return how long the lease surely lasts yet, nanoseconds; 0 where it may be gone."""
    if not standing.is_held:
        return 0
    return max(0, standing.renewed_ns + standing.ttl_ns - now_ns)


def time_to_send_ns(standing: Standing, *, now_ns: int, wanted_ns: int) -> int:
    """Return how long a request may take that is sent now; 0 where it must not be sent.

    Args:
        standing: The lease.
        now_ns: Nanoseconds since boot.
        wanted_ns: The request's own time-out, nanoseconds, above 0: at least that much of the
            lease has to be left, and the request gets no more.
    """
    assert wanted_ns > 0, "a request without a time-out may arrive at any time"
    return wanted_ns if left_ns(standing, now_ns=now_ns) >= wanted_ns else 0


def may_begin(standing: Standing, *, now_ns: int) -> bool:
    """Tell whether a cycle may be begun: a renewal was answered within a third of the lease."""
    return standing.is_held and 0 <= now_ns - standing.renewed_ns <= standing.ttl_ns // PARTS


def renewed(standing: Standing, *, lease: int, ttl_s: int, sent_ns: int) -> Standing:
    """Return what an answered renewal makes of a lease.

    Args:
        standing: As it was.
        lease: Whose renewal it was.
        ttl_s: What etcd answered, seconds; 0 says that there is no such lease, whatever the
            answer's status.
        sent_ns: When the renewal was sent, nanoseconds since boot.
    """
    if lease != standing.lease:
        return standing  # of one that was given up meanwhile
    if ttl_s <= 0:
        return standing._replace(is_gone=True)
    if standing.is_gone:
        return standing  # it does not come back
    return standing._replace(renewed_ns=max(standing.renewed_ns, sent_ns))
