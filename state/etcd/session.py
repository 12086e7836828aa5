"""Transactions until they are answered: sent again, to the next member, within a time.

Owns what follows from each kind of answer, and the refusal of an etcd that was put back. Whoever
sends a transaction that writes has made sure that it happens once however often it is delivered:
see `keys`.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Final

from state.errors import (
    DiskFull,
    EtcdOlder,
    EtcdRefuses,
    EtcdShut,
    LeaseGone,
    OutcomeUnknown,
    OutOfReach,
    WriteFailed,
)
from state.etcd import wire
from state.etcd.client import Client, EtcdError, NotLetIn, NotSent, Rejected, Unclear
from state.etcd.keys import Keys, repairs_in
from state.sighting import Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.etcd.address import Cluster

TAKE_S_MAX: Final = 0.8  # a change of leader may cost a take, never a cycle
SETTLE_S_MAX: Final = 3.0  # a killed leader was replaced after 0.98 s at most
TRIES_MAX: Final = 200  # of one transaction, within its time
CHUNK_LEASE_S: Final = 600  # what nothing points to goes after so long
_PAUSE_S: Final = 0.02  # between two tries where nothing answers at once


class Session:
    """One store's conversation with its etcd.

    Args:
        cluster: Where it is.
        patience_s: How long an ordinary transaction is tried, seconds; None for as long as a
            change of leader takes at most.
        seen: How far this host has seen it before.
    """

    def __init__(
        self, cluster: Cluster, *, patience_s: float | None = None, seen: Sighting | None = None
    ) -> None:
        """Keep the parts; nothing is connected yet."""
        self._patience_s = patience_s
        self.where = f"etcd at {cluster.words()}"
        self._client = Client(cluster)
        self._keys = Keys(cluster.prefix)
        self._highest = seen or Sighting()  # of any answer
        self._cluster_id = 0  # of the first answer
        self._is_placed = seen is None  # known whether a repair came since it was seen

    @property
    def patience_s(self) -> float:
        """How long an ordinary transaction is tried, seconds."""
        return SETTLE_S_MAX if self._patience_s is None else self._patience_s

    def once(self, transaction: wire.Transaction) -> bool:
        """Send a transaction that does no harm twice; tell whether it was answered in time.

        Raises:
            EtcdOlder: It was put back.
        """
        try:
            return self._answer(transaction).succeeded
        except EtcdError:
            return False

    def settle(
        self, transaction: wire.Transaction, limit_s: float, *, attempt: str | None = None
    ) -> wire.TransactionAnswer:
        """Send a transaction until it is answered.

        Args:
            transaction: What is sent, perhaps twice.
            limit_s: How long it is tried, seconds.
            attempt: Id of the write; None where an outcome that nobody knows does no harm.

        Raises:
            OutcomeUnknown: It was sent, and no answer came.
            OutOfReach: It was not sent.
            EtcdShut: Likewise: etcd let nobody in.
            DiskFull: Etcd has no room.
            WriteFailed: Etcd refused it.
            LeaseGone: A lease that it speaks of is gone.
            EtcdRefuses: Etcd lets nobody do that with these credentials.
            EtcdOlder: It was put back.
        """
        deadline = time.monotonic() + limit_s
        is_unclear, is_shut, last = False, False, ""
        for _ in range(TRIES_MAX):
            try:
                return self._answer(transaction)
            except Unclear as error:
                is_unclear, last = True, str(error)
            except NotLetIn as error:
                is_shut, last = True, str(error)
                break  # the same words would be refused again
            except NotSent as error:
                last = str(error)
            except Rejected as refusal:
                unknown = attempt if is_unclear else None
                last = self._after(refusal, unknown=unknown)
            if time.monotonic() + _PAUSE_S > deadline:
                break
            time.sleep(_PAUSE_S)  # noqa: TID251 - a store blocks; no loop waits here
        if is_unclear and attempt is not None:
            raise OutcomeUnknown(attempt)
        raise self._shut(last) if is_shut else self.failed(errno.ETIMEDOUT, last)

    def read(self, *steps: wire.Operation) -> Mapping[bytes, wire.KeyValue]:
        """Return what some reads find together, as of now: no member answers from the past.

        Raises:
            OutOfReach: No majority answered.
        """
        return self.settle(wire.Transaction(success=steps), self.patience_s).found()

    def send_ahead(self, chunks: Mapping[bytes, bytes]) -> None:
        """Write chunks, with a lease that they go with until a commit takes them.

        Raises:
            OutOfReach: Nobody knows whether all are there.
        """
        lease = self.grant(CHUNK_LEASE_S) if chunks else 0
        for key, part in chunks.items():
            step = wire.put(key, part, lease=lease)
            self.settle(wire.Transaction(success=(step,)), self.patience_s)

    def chunk(self, key: bytes) -> bytes | None:
        """Return a chunk, or None where it is gone.

        Raises:
            OutOfReach: No majority answered.
        """
        found = self.read(wire.get(key)).get(key)
        return None if found is None else found.value

    def grant(self, ttl_s: int) -> int:
        """Return a new lease of so many seconds, which nobody renews.

        Raises:
            OutOfReach: None was given.
        """
        try:
            data = self._client.call(wire.GRANT, {"TTL": ttl_s})
        except EtcdError as error:
            raise self.failed(errno.ETIMEDOUT, str(error)) from error
        return wire.decode(data, wire.LeaseAnswer).ID

    def failed(self, number: int, reason: str) -> WriteFailed:
        """Return the error of a write that did not happen, with the system's number for it."""
        kind = OutOfReach if number == errno.ETIMEDOUT else WriteFailed
        return kind(self.where, OSError(number, reason))

    def _shut(self, reason: str) -> EtcdShut:
        return EtcdShut(self.where, OSError(errno.ETIMEDOUT, reason))

    def older(self, fact: str) -> EtcdOlder:
        """Return the error of an etcd that was put back, with what gives it away."""
        return EtcdOlder(self.where, fact)

    def sighting(self) -> Sighting:
        """Return how far etcd has gone, by its newest answer."""
        return self._highest

    def note_repairs(self, repairs: int) -> None:
        """Note how often its history was begun anew, as it says now.

        Raises:
            EtcdOlder: It knows of fewer than were seen.
        """
        if repairs < self._highest.repairs:
            fact = f"it knows of {repairs} repairs, and {self._highest.repairs} were seen"
            raise self.older(fact)
        self._highest = max(self._highest, Sighting(repairs))
        self._is_placed = True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _answer(self, transaction: wire.Transaction) -> wire.TransactionAnswer:
        if not self._is_placed:
            self._place()
        data = self._client.call(wire.TXN, transaction)
        answer = wire.decode(data, wire.TransactionAnswer)
        self._cluster_id = self._cluster_id or answer.header.cluster_id
        if self._cluster_id != answer.header.cluster_id:
            fact = f"cluster {answer.header.cluster_id} answers, it was {self._cluster_id}"
            raise self.older(fact)
        found = self._highest._replace(revision=answer.header.revision)
        if found < self._highest:
            fact = f"it is at revision {found.revision}, and {self._highest.words()} was seen"
            raise self.older(fact)
        self._highest = found
        return answer

    def _place(self) -> None:
        """See whether a repair came since this host saw etcd last: then revisions begin anew."""
        request = wire.Transaction(success=(wire.get(self._keys.repairs),))
        try:
            data = self._client.call(wire.TXN, request)
        except Unclear as error:
            raise NotSent(str(error)) from error  # of what is to be sent
        found = wire.decode(data, wire.TransactionAnswer).found()
        self.note_repairs(repairs_in(found, self._keys))

    def _after(self, refusal: Rejected, *, unknown: str | None) -> str:
        """Return why it is tried again; raise what trying again cannot change.

        Args:
            refusal: What etcd said.
            unknown: Id of a write of which an earlier try may yet happen.
        """
        reason = refusal.reason
        if refusal.code == wire.NOT_FOUND:
            message = f"{self.where}: {reason}"
            raise LeaseGone(message) from refusal
        if "key not found" in reason:
            raise self.failed(errno.ESTALE, "chunks of it are gone") from refusal
        if refusal.code == wire.EXHAUSTED and "space" not in reason:
            return reason  # too many requests at a time
        if unknown is not None:
            raise OutcomeUnknown(unknown) from refusal
        if refusal.code == wire.EXHAUSTED:
            raise DiskFull(self.where, OSError(errno.ENOSPC, reason)) from refusal
        message = f"{self.where}: {reason}"
        raise EtcdRefuses(message) from refusal
