"""What an etcd says of itself, and what it lets a stranger do: for an operator, never for a store.

Owns the questions. None of them changes anything: the renewal is of a lease that nobody has, the
compaction is of nothing. What follows from an answer is for who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.errors import EtcdMixed
from state.etcd import wire
from state.etcd.address import Cluster, Credentials
from state.etcd.client import Client, NotSent, Rejected, Unclear

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.etcd.address import Endpoint

REVISIONS_KEPT_MAX: Final = 50_000  # what is older should be compacted; a worker writes 1 a second
_ANSWER_S_MAX: Final = 2.0
_NO_LEASE: Final = 1  # etcd makes its own numbers, and they are large


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What one member says of itself.

    Attributes:
        header: Says which cluster it is of.
        version: Of the server.
        dbSize: Bytes of its database on disk.
        leader: The member that leads; 0 where none does.
    """

    header: wire.Header = wire.Header()
    version: str = ""
    dbSize: int = 0  # noqa: N815 - as the gateway writes it
    leader: int = 0


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is in trouble about."""

    alarm: str = ""


class Alarms(msgspec.Struct, frozen=True, kw_only=True):
    """All of a cluster's."""

    alarms: tuple[Alarm, ...] = ()


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, as far as it answered.

    Attributes:
        endpoint: The endpoint, as people write it.
        status: What it says of itself; None where it did not answer.
        why: Why there is no status, or an empty string.
        open_for: What it lets a stranger do.
    """

    endpoint: str
    status: Status | None = None
    why: str = ""
    open_for: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster.

    Attributes:
        members: Each endpoint.
        alarms: Of any member.
        revision: The newest one.
        is_compacted: Whether what is older than `REVISIONS_KEPT_MAX` is gone, or the first
            revision where there is nothing older; None where nobody could say.
    """

    members: tuple[Member, ...]
    alarms: tuple[str, ...] = ()
    revision: int = 0
    is_compacted: bool | None = None

    @property
    def has_majority(self) -> bool:
        """Whether more than half of the endpoints answered and know a leader."""
        led = [each for each in self.members if each.status is not None and each.status.leader]
        return 2 * len(led) > len(self.members)

    @property
    def is_mixed(self) -> bool:
        """Whether members that answered are of different clusters, each with its own history."""
        return len({each.status.header.cluster_id for each in self.members if each.status}) > 1


def require_one(cluster: Cluster) -> None:
    """Refuse endpoints of different clusters, as far as they answer: two records would be made.

    Raises:
        EtcdMixed: They are.
    """
    if len(cluster.endpoints) == 1:
        return
    members = (_asked(cluster._replace(endpoints=(each,)), each) for each in cluster.endpoints)
    if Survey(members=tuple(members)).is_mixed:
        where = f"etcd at {cluster.words()}"
        raise EtcdMixed(where)


def survey(cluster: Cluster) -> Survey:
    """Ask every endpoint; what does not answer is said, never raised."""
    members = tuple(_member(cluster, endpoint) for endpoint in cluster.endpoints)
    found = Survey(members=members)
    if not found.has_majority:
        return found
    client = Client(cluster)
    try:
        return _of_all(client, found)
    except (NotSent, Unclear, Rejected):
        return found
    finally:
        client.close()


def _of_all(client: Client, found: Survey) -> Survey:
    data = client.call(wire.ALARM, {}, timeout_s=_ANSWER_S_MAX)
    alarms = tuple(each.alarm for each in wire.decode(data, Alarms).alarms)
    read = wire.Transaction(success=(wire.get(b"\0"),))
    data = client.call(wire.TXN, read, timeout_s=_ANSWER_S_MAX)
    revision = wire.decode(data, wire.TransactionAnswer).header.revision
    found = msgspec.structs.replace(found, alarms=alarms, revision=revision)
    old = {"key": b"\0", "revision": max(1, revision - REVISIONS_KEPT_MAX)}
    try:
        client.call(wire.RANGE, old, timeout_s=_ANSWER_S_MAX)
    except Rejected as refusal:
        is_compacted = True if "compacted" in refusal.reason else None
        return msgspec.structs.replace(found, is_compacted=is_compacted)
    return msgspec.structs.replace(found, is_compacted=False)


def _member(cluster: Cluster, endpoint: Endpoint) -> Member:
    alone = cluster._replace(endpoints=(endpoint,))
    return msgspec.structs.replace(_asked(alone, endpoint), open_for=_open_for(alone))


def _asked(alone: Cluster, endpoint: Endpoint) -> Member:
    client = Client(alone)
    try:
        status = wire.decode(client.call(wire.STATUS, {}, timeout_s=_ANSWER_S_MAX), Status)
    except (NotSent, Unclear, Rejected) as error:
        return Member(endpoint=endpoint.words(), why=str(error))
    else:
        return Member(endpoint=endpoint.words(), status=status)
    finally:
        client.close()


def _open_for(cluster: Cluster) -> tuple[str, ...]:
    """Return what a stranger may do who shows nothing: in plain text, and by TLS."""
    asked: dict[str, Callable[[Client], bytes]] = {
        "renew leases": lambda client: client.call(wire.KEEP_ALIVE, {"ID": _NO_LEASE}),
        "compact": lambda client: client.call(wire.COMPACT, {"revision": 0}),
    }
    strangers = [Credentials(), Credentials(ca=cluster.credentials.ca)]
    allowed = {
        what
        for stranger in dict.fromkeys(strangers)
        for what, ask in asked.items()
        if _is_allowed(cluster._replace(credentials=stranger, source=None), ask)
    }
    return tuple(sorted(allowed))


def _is_allowed(cluster: Cluster, ask: Callable[[Client], bytes]) -> bool:
    client = Client(cluster)
    try:
        ask(client)
    except Rejected as refusal:
        return "compacted" in refusal.reason  # it would have been done, were there anything to do
    except (NotSent, Unclear):
        return False
    else:
        return True
    finally:
        client.close()
