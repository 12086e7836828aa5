"""Workers of several hosts over one record in a modelled etcd, on virtual time.

Each process is a host of its own: it sees no other's process and ends none. Its lease is renewed
by what stands for the store's thread, which stops when the process is stopped and hears nothing
while its host is cut off.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from msgspec.structs import replace
from typing_extensions import override

from handoff.limits import NS
from handoff.worker.leased import Leased
from state.errors import OutcomeUnknown, OutOfReach, Refusal, Refused
from state.etcd.keeper import RENEWALS_IN_TTL
from state.etcd.lease import Standing, renewed
from tests.worker_world import World

if TYPE_CHECKING:
    from handoff.worker.footing import Footing
    from handoff.worker.ports import Hosts, OtherWorker
    from state.etcd.presence import Present
    from state.record import Record, WorkerId
    from state.store import Change, Note, Store
    from tests.worker_world import Process

TTL_S = 5
REQUEST_S = 0.4


class Host:
    """One host's way to the etcd: a store, a lease and a thread that renews it."""

    def __init__(self, world: SharedWorld, process: Process) -> None:
        self._world = world
        self._process = process
        self.said: list[Present] = []  # to the other hosts
        self._standing = Standing()
        self._seen_lease = 0
        self.is_cut = False
        self.renews_anyway = False  # the thread lives, whatever the rest of the process does
        self.is_mute = False
        self.late: set[str] = set()  # kinds of writes that arrive once nobody waits for them
        self.thread = asyncio.create_task(self._renew(), name=f"lease-{process.me.worker}")

    # --- Store ---------------------------------------------------------------------

    def read(self) -> Record:
        self._require_reach()
        self._seen_lease = self._world.bound_lease()
        return self._world.store.read()

    def create(self, record: Record) -> Record:
        self._require_reach()
        return self._world.store.create(record)

    def transact(self, change: Change, note: Note) -> Record:
        if note.kind in self.late:
            self.late.discard(note.kind)
            attempt = change(self._world.store.read()).attempt
            asyncio.get_running_loop().call_soon(self._arrive, change, note)
            raise OutcomeUnknown(attempt)
        self._require_reach()
        return self._arrive(change, note)

    def _arrive(self, change: Change, note: Note) -> Record:
        before = self._world.store.read().ownership
        was_bound, is_bound = bool(self._seen_lease), self._world.is_bound()
        if note.kind == "seize" and not was_bound and is_bound:
            raise Refused(Refusal.EVIDENCE_STALE, "the owner holds a lease again")
        record = self._world.store.transact(change, note)
        after = record.ownership
        if (after.epoch, after.owner) != (before.epoch, before.owner):
            self._world.bound = self.hold_lease().lease if after.owner is not None else 0
        self._seen_lease = self._world.bound_lease()
        return record

    def token(self) -> object:
        return None if self.is_cut else (self._world.store.token(), self._world.is_bound())

    def close(self) -> None:
        self.thread.cancel()

    # --- lease ---------------------------------------------------------------------

    def hold_lease(self) -> Standing:
        self._require_reach()
        if not self._standing.is_held or not self._world.lives(self._standing.lease):
            lease = self._world.grant()
            self._standing = Standing(lease, TTL_S * NS, self._world.clock.boot_ns())
        return self._standing

    def standing(self) -> Standing:
        return self._standing

    def bind_anew(self, *, epoch: int) -> bool:
        record = self.read()
        if record.ownership.epoch != epoch or self._world.is_bound():
            return False
        self._world.bound = self.hold_lease().lease
        self._seen_lease = self._world.bound
        return True

    def keep_up(self) -> None:
        self._require_reach()

    def bound_lease(self) -> int:
        return self._seen_lease

    def say_present(self, present: Present) -> bool:
        assert present.worker == self._process.me.worker
        if self.can_reach:
            self.hold_lease()  # what it says goes with one
        return self.can_reach

    def introduce(self, present: Present) -> None:
        self.said.append(present)

    def age(self) -> None:
        """Let the lease be as old as if nothing had renewed it until now, nor does for a while."""
        over_ns = self._world.clock.boot_ns() - TTL_S * NS
        self._standing = self._standing._replace(renewed_ns=over_ns)
        self.is_mute = True
        asyncio.get_running_loop().call_later(2 * TTL_S, self._speak)

    def lose(self) -> None:
        """Let etcd have forgotten the lease, and the thread that renews have heard so."""
        self._world.end_lease(self._process)
        self._standing = self._standing._replace(is_gone=True)

    def _speak(self) -> None:
        self.is_mute = False

    @property
    def can_reach(self) -> bool:
        return not (self.is_cut or self._world.is_away)

    def _require_reach(self) -> None:
        if not self.can_reach:
            where = "etcd"
            raise OutOfReach(where, OSError(errno.ETIMEDOUT, "no answer"))

    async def _renew(self) -> None:
        while True:
            await self._world.clock.pause(TTL_S / RENEWALS_IN_TTL)
            held, process = self._standing, self._process
            asleep = process.stopped() and not self.renews_anyway
            if self.is_mute or process.gone or asleep or not self.can_reach or not held.is_held:
                continue
            sent_ns = self._world.clock.boot_ns()
            ttl_s = TTL_S if self._world.renew(held.lease) else 0
            self._standing = renewed(held, lease=held.lease, ttl_s=ttl_s, sent_ns=sent_ns)


class _Unseen:
    """A worker of another host."""

    def gone(self) -> bool:
        return False

    def kill(self) -> bool:
        return False

    def doubt(self) -> str:
        return ""

    def evidence(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        return


class SharedWorld(World):
    """Hosts over one etcd.

    Attributes:
        is_away: Nobody reaches it.
        bound: The lease that the owner's key goes with; 0 for none.
    """

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.bound = 0
        self._renewed_ns: dict[int, int] = {}
        self._hosts: dict[str, Host] = {}

    @override
    def store_of(self, process: Process) -> Store:
        return self.host(process)

    @override
    def footing_of(self, process: Process) -> Footing:
        return Leased(self.host(process), self.clock, process.me)

    @override
    def identity(self, name: str, release: str) -> WorkerId:
        return replace(super().identity(name, release), boot_id=f"boot of {name}")

    @override
    def hosts_of(self, me: WorkerId) -> Hosts:
        return NobodySeen()

    def host(self, process: Process) -> Host:
        """Return the host of a process."""
        name = process.me.worker
        if name not in self._hosts:
            self._hosts[name] = Host(self, process)
        return self._hosts[name]

    def grant(self) -> int:
        lease = len(self._renewed_ns) + 1
        self._renewed_ns[lease] = self.clock.boot_ns()
        return lease

    def renew(self, lease: int) -> bool:
        """Renew a lease; return whether it was still there."""
        if not self.lives(lease):
            return False
        self._renewed_ns[lease] = self.clock.boot_ns()
        return True

    def lives(self, lease: int) -> bool:
        renewed_ns = self._renewed_ns.get(lease)
        return renewed_ns is not None and self.clock.boot_ns() - renewed_ns <= TTL_S * NS

    def is_bound(self) -> bool:
        return self.lives(self.bound)

    def bound_lease(self) -> int:
        return self.bound if self.is_bound() else 0

    def end_lease(self, process: Process) -> None:
        """Let etcd forget a lease although its holder renews it."""
        self._renewed_ns.pop(self.host(process).standing().lease, None)

    @override
    async def end(self) -> None:
        for host in self._hosts.values():
            host.close()
        threads = [each.thread for each in self._hosts.values()]
        await asyncio.gather(*threads, return_exceptions=True)
        await super().end()


class NobodySeen:
    def watch(self, worker: WorkerId) -> OtherWorker:  # noqa: ARG002 - of nobody is anything seen
        return _Unseen()
