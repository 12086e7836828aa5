"""The footing of a record in an etcd: a worker's own lease, and the key that an owner has with it.

Owns what of both a worker goes by. Its own lease tells it what it may do, by a clock that goes on
while the host sleeps, without a question. Against others it goes by writes: that one succeeded
says that etcd writes; and a key that is gone counts only once this worker's own lease was renewed
without a gap for as long as a lease lasts, or an outage would cost every owner its ownership.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from handoff.limits import CONFIRM_AGAIN_NS, CONFIRMED_NS, MS, NS
from state.etcd.lease import PARTS, left_ns, may_begin, time_to_send_ns
from state.etcd.presence import Present

if TYPE_CHECKING:
    from handoff.worker.ports import Clock
    from state.etcd.lease import Standing
    from state.hosts_seen import Role
    from state.record import WorkerId


class LeasedStore(Protocol):
    """What of a store in an etcd is asked here."""

    def hold_lease(self) -> Standing:
        """Get a lease where none is held; return it."""
        ...

    def standing(self) -> Standing:
        """Return the lease as it is known now."""
        ...

    def bind_anew(self, *, epoch: int) -> bool:
        """Bind the owner's key to a new lease."""
        ...

    def keep_up(self) -> None:
        """Let the home follow up to the newest record."""
        ...

    def bound_lease(self) -> int:
        """Return which lease the owner's key went with when the store last looked; 0 for none."""
        ...

    def say_present(self, present: Present) -> bool:
        """Write that a worker is there; tell whether etcd took it in time."""
        ...

    def introduce(self, present: Present) -> None:
        """Say to all hosts what a worker is, from now on."""
        ...


class Leased:
    """Stands on a lease.

    Args:
        store: Where record and lease are.
        clock: Time; its boot side.
        me: This worker.
    """

    is_shared = True

    def __init__(self, store: LeasedStore, clock: Clock, me: WorkerId) -> None:
        """Hold nothing yet."""
        self._store = store
        self._clock = clock
        self._me = me
        self._confirmed_ns: int | None = None  # when the newest write was sent that succeeded
        self._steady = (0, 0)  # a lease, and since when it was renewed without a gap

    def get_ready(self) -> None:
        """See `Footing.get_ready`."""
        self._store.hold_lease()
        self._store.keep_up()

    def may_begin(self) -> bool:
        """See `Footing.may_begin`."""
        return may_begin(self._standing(), now_ns=self._clock.boot_ns())

    def seconds_to_send(self, wanted_s: float) -> float:
        """See `Footing.seconds_to_send`."""
        standing = self._standing()
        if not self._is_bound(standing):
            return 0.0  # others may take this owner for gone
        # A lease that was renewed in time has two thirds left; a request gets no more of it.
        most_ns = standing.ttl_ns - standing.ttl_ns // PARTS
        wanted_ns = max(1, min(round(wanted_s * NS), most_ns))
        return time_to_send_ns(standing, now_ns=self._clock.boot_ns(), wanted_ns=wanted_ns) / NS

    def is_lost(self) -> bool:
        """See `Footing.is_lost`."""
        standing = self._standing()
        lasts = left_ns(standing, now_ns=self._clock.boot_ns()) > 0
        return not (lasts and self._is_bound(standing))

    def regain(self, epoch: int) -> bool:
        """See `Footing.regain`."""
        if self._store.bind_anew(epoch=epoch):
            return True
        # It may be bound still: a lease that nobody could renew outlives an outage.
        return not self.is_lost()

    def time_counts(self) -> bool:
        """See `Footing.time_counts`."""
        self._standing()  # nobody else may look at it for as long as the record is out of reach
        now_ns = self._clock.boot_ns()
        if self._confirmed_ns is None or now_ns - self._confirmed_ns > CONFIRM_AGAIN_NS:
            present = Present(worker=self._me.worker, at_ms=self._clock.now_ns() / MS)
            if self._store.say_present(present):
                self._confirmed_ns = now_ns
        now_ns = self._clock.boot_ns()
        return self._confirmed_ns is not None and now_ns - self._confirmed_ns <= CONFIRMED_NS

    def stand(self, role: Role, why: str = "") -> None:
        """See `Footing.stand`."""
        me = self._me
        word = Present(worker=me.worker, host=me.host, release=me.release, role=role.value, why=why)
        self._store.introduce(word)

    def has_lapsed(self) -> bool:
        """See `Footing.has_lapsed`."""
        standing, now_ns = self._standing(), self._clock.boot_ns()
        lease, since_ns = self._steady
        is_steady = lease == standing.lease and now_ns - since_ns > standing.ttl_ns
        return is_steady and not self._store.bound_lease()

    def _is_bound(self, standing: Standing) -> bool:
        """Tell whether the owner's key goes with the lease that this worker holds now.

        A new one is got for other reasons too, and of itself it binds nothing.
        """
        return self._store.bound_lease() == standing.lease

    def _standing(self) -> Standing:
        """Return the lease as it is known, and note since when nothing came between renewals."""
        standing, now_ns = self._store.standing(), self._clock.boot_ns()
        if standing.lease != self._steady[0] or not may_begin(standing, now_ns=now_ns):
            self._steady = (standing.lease, now_ns)
        return standing
