"""Real workers over the real store in a modelled etcd, on virtual time, behind lines that fail.

What `shared_world` plays by itself is here the store's own logic: who owns is bound to a lease by
the store's transactions, a lease is kept by the store's keeper, and what an answer means is settled
by the store's session. The etcd never fails; the lines to it lose, delay and double, leases end
early or are made longer by another leader, clocks differ, and a copy may be put back.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from handoff.limits import NS
from handoff.virtual_time import VirtualClock
from handoff.worker.leased import Leased
from handoff.workload import receipt
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.address import Cluster, Endpoint
from state.etcd.client import NotSent, Rejected, Unclear
from state.etcd.keeper import RENEWALS_IN_TTL
from state.etcd_store import EtcdStore
from state.record import Delivery, Outcome, Progress, Record, decode_record
from tests.engine_world import APP, FIRST, START_NS, TIMELINE, Venue, order
from tests.etcd_model import KeyMissing, LeaseMissing, ModelEtcd
from tests.shared_world import NobodySeen
from tests.worker_world import World

if TYPE_CHECKING:
    from handoff.worker.footing import Footing
    from handoff.worker.ports import Hosts
    from handoff.workload import Absent, Pending, Unknown
    from state.journal_frames import Line
    from state.record import Effect, Receipt, WorkerId
    from state.store import Store
    from tests.worker_world import Process

TTL_S: Final = 5
SKEW_S: Final = 0.5
NOTICED_S_MAX: Final = 0.5  # after its end etcd has dropped a lease at last
CLUSTER: Final = Cluster((Endpoint("127.0.0.1"),), "sim")
KEYS: Final = plans.Keys(CLUSTER.prefix)
FAULTS: Final = ("not sent", "request lost", "answer lost", "late", "doubled", "answer old")
_ARRIVES: Final = 0.3


class Leases:
    """When each lease ends, by etcd's clock."""

    def __init__(self, world: EtcdWorld) -> None:
        self._world = world
        self.ends_ns: dict[int, int] = {}
        self.early: set[int] = set()  # those whose holders cannot know that they ended

    def grant(self) -> int:
        lease = self._world.etcd.grant()
        self.ends_ns[lease] = self._end_ns()
        return lease

    def renew(self, lease: int) -> bool:
        """Renew one; return whether it was there."""
        self.expire()
        if lease not in self.ends_ns:
            return False
        self.ends_ns[lease] = self._end_ns()
        return True

    def lengthen(self) -> None:
        """Let all of them begin anew, as another leader does: nobody knows how old they were."""
        self.ends_ns = dict.fromkeys(self.ends_ns, self._end_ns())

    def expire(self) -> None:
        """Drop those that are over."""
        now_ns = self._world.clock.boot_ns()
        for lease in [each for each, end_ns in self.ends_ns.items() if now_ns >= end_ns]:
            self.drop(lease)

    def drop(self, lease: int) -> None:
        """Let one end."""
        del self.ends_ns[lease]
        if lease in self._world.etcd.leases:
            self._world.etcd.revoke(lease)

    def end_early(self, lease: int) -> None:
        """Let one end of which its holder was told that it lasts."""
        self.early.add(lease)
        self.drop(lease)

    def lasts(self, lease: int) -> bool:
        """Tell whether one is there, or was until it ended early."""
        self.expire()
        return lease in self.ends_ns or lease in self.early

    def _end_ns(self) -> int:
        noticed_s = self._world.random.uniform(0.0, NOTICED_S_MAX)
        return self._world.clock.boot_ns() + round((TTL_S + noticed_s) * NS)


class Way:
    """What one process's requests go through, in place of a client."""

    def __init__(self, world: EtcdWorld, name: str) -> None:
        self._world = world
        self._name = name

    def call(self, path: str, request: Any, **_: float) -> bytes:  # noqa: ANN401 - as a client takes it
        world = self._world
        if world.is_away or self._name in world.cut:
            raise NotSent
        if path == wire.GRANT:
            return wire.encode({"ID": world.leases.grant(), "TTL": TTL_S})
        if path == wire.KEEP_ALIVE:
            if world.strikes() or self._name in world.mute:
                raise Unclear
            ttl = TTL_S if world.leases.renew(request["ID"]) else 0
            return wire.encode({"result": {"TTL": ttl}})
        if path == wire.REVOKE:
            return b"{}"
        return wire.encode(world.deliver(request))

    def interrupt(self) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Nothing is held."""


class Told:
    """A watch: the newest revision that etcd told of; what is cut off hears nothing."""

    def __init__(self, world: EtcdWorld, name: str, key: bytes) -> None:
        self._world, self._name, self._key = world, name, key
        self._revision: int | None = None

    @property
    def revision(self) -> int | None:
        world = self._world
        if not (world.is_away or self._name in world.cut):
            world.leases.expire()
            kept = world.etcd.kept.get(self._key)
            self._revision = kept.mod_revision if kept else -world.etcd.revision
        return self._revision

    def close(self) -> None:
        """Nothing is held."""


class _Thread:
    """The keeper's thread, which a task of the loop plays."""

    def is_alive(self) -> bool:
        return True

    def join(self, _limit_s: float) -> None:
        """It is nobody's."""


class Node:
    """One process's store, and what renews its lease."""

    def __init__(self, world: EtcdWorld, process: Process) -> None:
        self._world, self._process = world, process
        clock, name = world.clock_of(process), process.me.worker
        self.store = EtcdStore(
            CLUSTER,
            app=APP,
            timeline=TIMELINE,
            now_ns=clock.now_ns,
            boot_ns=clock.boot_ns,
            lease_s=TTL_S,
        )
        line: Any = Way(world, name)
        self.store._session._client = line  # noqa: SLF001 - what it speaks to is played
        keeper: Any = self.store._keeper  # noqa: SLF001 - as above
        keeper._client = keeper._asking = line  # noqa: SLF001 - as above
        keeper._thread = _Thread()  # noqa: SLF001 - as above
        watches: Any = tuple(Told(world, name, key) for key in (KEYS.head, KEYS.owner))
        self.store._watches = watches  # noqa: SLF001 - as above
        self._keeper = keeper
        self.thread = asyncio.create_task(self._renew(), name=f"lease-{name}")

    async def _renew(self) -> None:
        while True:
            await self._world.clock.pause(TTL_S / RENEWALS_IN_TTL)
            held, process = self.store.standing(), self._process
            if process.gone or process.stopped() or not held.is_held:
                continue
            try:
                self._keeper._renew(held.lease)  # noqa: SLF001 - the thread's own step
            except (NotSent, Unclear):
                continue


class Ledger:
    """The record and the journal as they lie in the etcd; for judges, who see past every line."""

    def __init__(self, world: EtcdWorld) -> None:
        self._world = world

    def read(self) -> Record:
        record, _ = decode_record(self._world.etcd.kept[KEYS.record].value, where="model")
        return record

    def journal(self) -> list[Line]:
        return [plans.line_of(data) for data in self.lines]

    @property
    def lines(self) -> list[bytes]:
        kept = self._world.etcd.kept
        found = (kept.get(KEYS.line(number)) for number in range(1, self._newest() + 1))
        return [each.value for each in found if each is not None]

    def _newest(self) -> int:
        counter = self._world.etcd.kept.get(KEYS.counter)
        return int(counter.value) if counter else 0


class LateVenue(Venue):
    """Carries out each request some time after it came, whatever became of who sent it."""

    def __init__(self, draw: random.Random, *, refuses_repeats: bool) -> None:
        super().__init__(refuses_repeats=refuses_repeats)
        self._draw = draw
        self.longest_s = 0.2

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        name, delay_s = effect.effect_id, self._draw.uniform(0.0, self.longest_s)
        self.sent.append(name)
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, self._execute, name)
        await asyncio.sleep(2 * delay_s)  # noqa: TID251 - virtual
        return receipt(effect, Outcome.CONFIRMED)


class Seat:
    """One process's way to the venue: whoever sends has a lease, by etcd's word and not its own."""

    def __init__(self, world: EtcdWorld, process: Process) -> None:
        self._world, self._process = world, process

    async def perform(self, effect: Effect) -> Receipt | Pending:
        lease = self._world.node(self._process).store.standing().lease
        if not self._world.leases.lasts(lease) or self._is_unbound(lease):
            self._world.without_lease.append(effect.effect_id)
        return await self._world.venue.perform(effect)

    def _is_unbound(self, lease: int) -> bool:
        """Tell whether it owns, and has a lease that the owner's key does not go with."""
        etcd, owner = self._world.etcd, self._world.store.read().ownership.owner
        key = etcd.kept.get(KEYS.owner)
        is_another = key is None or key.lease != lease
        return owner == self._process.me and lease in etcd.leases and is_another

    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        return await self._world.venue.resolve(effect)


class Plans(dict[int, "list[Effect]"]):
    """An order in each cycle; every second one is sent once at most, and cannot be asked about."""

    @override
    def get(self, cycle: int, _default: object = None) -> list[Effect]:
        delivery = Delivery.AT_MOST_ONCE if cycle % 2 else Delivery.BY_ID
        return [order(f"order-{cycle}", delivery=delivery)]


class EtcdWorld(World):
    """Hosts over one modelled etcd.

    Attributes:
        etcd: What lies in it.
        is_away: Nobody reaches it.
        cut: Who does not reach it.
        mute: Whose renewals alone are lost.
        fault_rate: How often a request or its answer goes wrong.
        without_lease: Orders that were sent by somebody who had no lease any more, or whose lease
            its own key does not go with.
    """

    is_shared = True

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(f"etcd {seed}")  # noqa: S311 - a seed that can be run again
        self.etcd = ModelEtcd()
        self.leases = Leases(self)
        refuses = self.random.random() < 0.5
        self.venue = self.late_venue = LateVenue(self.random, refuses_repeats=refuses)
        self.is_away = False
        self.cut: set[str] = set()
        self.mute: set[str] = set()
        self.fault_rate = 0.0
        self.count = 0  # of faults
        self.without_lease: list[str] = []
        self._late: list[wire.Transaction] = []
        self._nodes: dict[str, Node] = {}
        self._clocks: dict[str, VirtualClock] = {}
        self.store: Any = Ledger(self)

    @override
    def store_of(self, process: Process) -> Store:
        return self.node(process).store

    @override
    def clock_of(self, process: Process) -> VirtualClock:
        name = process.me.worker
        if name not in self._clocks:
            skew_ns = round(self.random.uniform(-SKEW_S, SKEW_S) / 2 * NS)
            self._clocks[name] = VirtualClock(START_NS + skew_ns)
        return self._clocks[name]

    @override
    def footing_of(self, process: Process) -> Footing:
        return Leased(self.node(process).store, self.clock_of(process), process.me)

    @override
    def hosts_of(self, me: WorkerId) -> Hosts:
        return NobodySeen()

    def node(self, process: Process) -> Node:
        name = process.me.worker
        if name not in self._nodes:
            self._nodes[name] = Node(self, process)
        return self._nodes[name]

    def begin(self) -> None:
        """Write the record that nobody owns yet."""
        line: Any = Way(self, "")
        store = EtcdStore(CLUSTER, app=APP, timeline=TIMELINE, now_ns=self.clock.now_ns)
        store._session._client = line  # noqa: SLF001 - what it speaks to is played
        store.create(Record(app=APP, timeline=TIMELINE, progress=Progress(cycle=FIRST)))

    # --- the lines -----------------------------------------------------------------

    def strikes(self) -> bool:
        """Tell whether something goes wrong now."""
        found = self.random.random() < self.fault_rate
        self.count += found
        return found

    def deliver(self, request: wire.Transaction) -> wire.TransactionAnswer:
        """Bring a transaction to the etcd, and its answer back, or not."""
        self._let_arrive()
        fault = self.random.choice(FAULTS) if self.strikes() else "none"
        if fault == "not sent":
            raise NotSent
        if fault == "late":
            self._late.append(request)
        if fault in {"late", "request lost"}:
            raise Unclear
        answer = self._apply(request)
        if fault == "doubled":
            answer = self._apply(request)
        if fault == "answer old":
            self._let_arrive(all_of_them=True)
        if fault == "answer lost":
            raise Unclear
        return answer

    def _apply(self, request: wire.Transaction) -> wire.TransactionAnswer:
        self.leases.expire()
        try:
            return self.etcd.apply(request)
        except LeaseMissing:
            raise Rejected(wire.NOT_FOUND, "requested lease not found") from None
        except KeyMissing:
            raise Rejected(0, "key not found") from None

    def _let_arrive(self, *, all_of_them: bool = False) -> None:
        while self._late and (all_of_them or self.random.random() < _ARRIVES):
            late = self._late.pop(self.random.randrange(len(self._late)))
            try:
                self._apply(late)
            except Rejected:
                continue

    # --- what befalls the etcd ----------------------------------------------------

    def put_back(self, copy: ModelEtcd) -> None:
        """Put a copy in the place of what there is: its leases begin anew."""
        self.etcd = copy.snapshot()
        self.leases.early.clear()
        self.leases.ends_ns = {
            lease: self.clock.boot_ns() + TTL_S * NS for lease in self.etcd.leases if lease
        }
        self._late.clear()

    @override
    async def end(self) -> None:
        threads = [each.thread for each in self._nodes.values()]
        for thread in threads:
            thread.cancel()
        await asyncio.gather(*threads, return_exceptions=True)
        await super().end()
