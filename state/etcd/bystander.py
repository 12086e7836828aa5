"""All hosts of a record as somebody hears them who says nothing: for an operator, for a moment.

Owns how often and how long is asked. Two words of a host, and when they came, tell how its clock
differs from the one here; asked in quick turn, they tell it closely.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from state.etcd import wire
from state.etcd.client import Client
from state.etcd.herald import system_moment
from state.etcd.keys import Keys
from state.etcd.roll import Roll
from state.hosts_seen import Role

if TYPE_CHECKING:
    from state.etcd.address import Cluster
    from state.hosts_seen import HostSeen, HostsSeen

LISTEN_S_MAX: Final = 4.0  # everybody says something about once a second
_PAUSE_S: Final = 0.04


def overheard(cluster: Cluster, *, limit_s: float = LISTEN_S_MAX) -> HostsSeen:
    """Return all hosts, with their clocks as far as they could be compared.

    Args:
        cluster: Where they say what they are.
        limit_s: How long is listened at most, seconds; less where all clocks are known before.

    Raises:
        EtcdError: Etcd does not answer.
    """
    client, keys, roll = Client(cluster), Keys(cluster.prefix), Roll()
    read = wire.Transaction(success=(wire.get(*keys.hosts),))
    deadline = time.monotonic() + limit_s
    try:
        while True:
            asked = system_moment()
            found = wire.decode(client.call(wire.TXN, read), wire.TransactionAnswer).found()
            answered = system_moment()
            roll.hear(found.values(), asked=asked, answered=answered)
            seen = roll.seen(written_ms=answered.wall_ms)
            if all(map(_is_known, seen.hosts)) or time.monotonic() > deadline:
                return seen
            time.sleep(_PAUSE_S)  # noqa: TID251 - a command waits; no loop does
    finally:
        client.close()


def _is_known(host: HostSeen) -> bool:
    return host.clock is not None or host.is_silent or host.role is Role.LEFT
