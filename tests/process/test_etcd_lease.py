"""A worker's lease in a real etcd: ownership goes with it, and its end proves nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from state.errors import Refusal, Refused
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.keeper import boot_clock_ns
from state.etcd.lease import left_ns, may_begin, time_to_send_ns
from state.record import Fate
from state.transitions import Proof
from tests.process.etcd_proxy import Fault, Proxy
from tests.process.etcd_server import Server, etcd_store, raw, tell
from tests.process.test_etcd_store import wait_until
from tests.records import A, B, deciding, effect, empty, halted, note, release, seize, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.etcd_store import EtcdStore
    from state.record import Record

pytestmark = pytest.mark.usefixtures("patient")
TTL_S = 1


class TwoHosts:
    """An owner whose words go through a proxy, and a standby on another host."""

    def __init__(self, etcd: Server, prefix: str) -> None:
        self.proxy = Proxy(etcd.port)
        self.cluster = etcd.cluster(prefix)
        through = etcd.cluster(prefix, ports=[self.proxy.port])
        self.owner: EtcdStore = etcd_store(through, lease_s=TTL_S)
        self.standby: EtcdStore = etcd_store(self.cluster, lease_s=TTL_S)
        self.owner.create(empty(10))
        self.owner.transact(lambda record: seize(record, A, proof=Proof.NONE), note("seize"))

    def key(self) -> wire.KeyValue | None:
        name = plans.Keys(self.cluster.prefix).owner
        return raw(self.cluster, wire.get(name)).get(name)

    def end_lease(self) -> None:
        """Let etcd forget the owner's lease, as it does some time after the last renewal."""
        tell(self.cluster, wire.REVOKE, {"ID": self.owner.standing().lease})

    def close(self) -> None:
        self.owner.close()
        self.standby.close()
        self.proxy.close()


@pytest.fixture
def hosts(etcd: Server, tmp_path: Path) -> Iterator[TwoHosts]:
    found = TwoHosts(etcd, tmp_path.name)
    yield found
    found.close()


def is_bound(store: EtcdStore) -> bool:
    """Look whether the owner's lease has not ended."""
    store.read()
    return bool(store.bound_lease())


def seized_by_lease(record: Record) -> Record:
    return seize(record, B, proof=Proof.LEASE_ENDED)


def test_who_becomes_owner_is_bound_to_its_lease_in_the_same_write(hosts: TwoHosts) -> None:
    bound = hosts.key()
    assert bound is not None
    assert bound.lease == hosts.owner.standing().lease != 0
    assert b'"worker":"a"' in bound.value
    hosts.owner.transact(deciding(), note("decide"))
    hosts.owner.transact(settle, note("settle"))
    assert hosts.key() == bound
    hosts.owner.transact(release, note("release"))
    assert hosts.key() is None


def test_the_next_owner_takes_the_key_with_it(hosts: TwoHosts) -> None:
    """The lease of the owner before it ends some time; it must not end the new ownership."""
    hosts.standby.transact(lambda record: seize(record, B), note("seize"))
    hosts.end_lease()
    bound = hosts.key()
    assert bound is not None
    assert bound.lease == hosts.standby.standing().lease
    assert b'"epoch":2' in bound.value


def test_a_lease_that_nobody_renews_is_over_for_its_holder_before_it_is_for_others(
    hosts: TwoHosts,
) -> None:
    """The owner must have stopped sending before a standby may seize."""
    granted = hosts.owner.standing()
    wait_until(lambda: hosts.owner.standing().renewed_ns > granted.renewed_ns)
    assert may_begin(hosts.owner.standing(), now_ns=boot_clock_ns())
    hosts.proxy.is_cut = True
    wait_until(lambda: not is_bound(hosts.standby))
    standing, now_ns = hosts.owner.standing(), boot_clock_ns()
    assert left_ns(standing, now_ns=now_ns) == 0
    assert not may_begin(standing, now_ns=now_ns)
    assert time_to_send_ns(standing, now_ns=now_ns, wanted_ns=1) == 0
    hosts.proxy.is_cut = False


def test_a_lease_is_renewed_as_long_as_its_holder_lives(hosts: TwoHosts) -> None:
    first = hosts.owner.standing()
    wait_until(lambda: hosts.owner.standing().renewed_ns > first.renewed_ns + 10**9 * TTL_S)
    assert hosts.key() is not None
    assert hosts.owner.standing().lease == first.lease


def test_a_renewal_that_names_no_time_says_that_the_lease_is_gone(hosts: TwoHosts) -> None:
    """Its status is 200: whoever looks at that alone goes on sending."""
    hosts.end_lease()
    wait_until(lambda: hosts.owner.standing().is_gone)
    assert hosts.key() is None


def test_an_owner_whose_lease_is_gone_binds_the_key_anew_and_keeps_its_epoch(
    hosts: TwoHosts,
) -> None:
    before = hosts.owner.transact(deciding(effect()), note("decide"))
    hosts.end_lease()
    wait_until(lambda: hosts.owner.standing().is_gone)
    assert hosts.owner.bind_anew(epoch=1)
    bound = hosts.key()
    assert bound is not None
    assert bound.lease == hosts.owner.standing().lease == hosts.owner.bound_lease()
    assert hosts.owner.read() == before
    hosts.owner.transact(settle, note("settle"))


def test_nobody_binds_beside_a_key_that_is_bound_or_as_an_owner_of_before(
    hosts: TwoHosts,
) -> None:
    assert not hosts.owner.bind_anew(epoch=1)
    hosts.end_lease()
    hosts.standby.transact(seized_by_lease, note("seize"))
    bound = hosts.key()
    assert not hosts.owner.bind_anew(epoch=1)
    assert hosts.key() == bound


@pytest.mark.parametrize("rival", ["command", "binding"])
def test_a_binding_that_somebody_came_before_is_refused(hosts: TwoHosts, rival: str) -> None:
    """What it was made from is gone: who seized meanwhile must not find another one's lease."""
    hosts.end_lease()
    wait_until(lambda: hosts.owner.standing().is_gone)
    hosts.proxy.faults = [Fault.REQUEST_LOST]
    if rival == "command":
        hosts.proxy.meanwhile = lambda: hosts.standby.transact(halted, note("command"))
    else:
        hosts.proxy.meanwhile = lambda: hosts.standby.bind_anew(epoch=1)
    assert not hosts.owner.bind_anew(epoch=1)
    bound = hosts.key()
    assert bound is None or bound.lease == hosts.standby.standing().lease
    assert hosts.owner.bound_lease() != hosts.owner.standing().lease, "it has one, and not the key"


def test_a_binding_whose_answer_was_lost_is_known_to_be_done(hosts: TwoHosts) -> None:
    hosts.end_lease()
    wait_until(lambda: hosts.owner.standing().is_gone)
    hosts.proxy.faults = [Fault.ANSWER_LOST]
    assert hosts.owner.bind_anew(epoch=1)
    assert hosts.owner.bound_lease() == hosts.owner.standing().lease


def test_a_lease_that_ended_lets_a_standby_seize_and_proves_no_death(hosts: TwoHosts) -> None:
    """The effect may have been sent, and may yet be: whoever comes next cannot write it off."""
    hosts.owner.transact(deciding(effect()), note("decide"))
    hosts.end_lease()
    assert not is_bound(hosts.standby)
    seized = hosts.standby.transact(seized_by_lease, note("seize"))
    (carried,) = seized.outbox
    assert (carried.fate, carried.unproven) == (Fate.DOUBTFUL, True)
    with pytest.raises(Refused, match="not_owner"):
        hosts.owner.transact(lambda record: settle(record, worker=A, epoch=1), note("settle"))


def test_who_judged_by_the_absence_of_a_lease_does_not_seize_once_it_is_back(
    hosts: TwoHosts,
) -> None:
    hosts.end_lease()
    wait_until(lambda: hosts.owner.standing().is_gone)
    assert not is_bound(hosts.standby)
    assert hosts.owner.bind_anew(epoch=1)
    with pytest.raises(Refused) as refused:
        hosts.standby.transact(seized_by_lease, note("seize"))
    assert refused.value.refusal is Refusal.EVIDENCE_STALE
    assert hosts.owner.read().ownership.owner == A


def test_a_lease_that_turns_out_to_be_gone_costs_nobody_a_seize(hosts: TwoHosts) -> None:
    """It may have ended while the standby slept: another one is got, and the seize is done."""
    held = hosts.standby.hold_lease()
    tell(hosts.cluster, wire.REVOKE, {"ID": held.lease})
    seized = hosts.standby.transact(lambda record: seize(record, B), note("seize"))
    assert seized.ownership.owner == B
    bound = hosts.key()
    assert bound is not None
    assert bound.lease == hosts.standby.standing().lease != held.lease


def test_a_worker_that_leaves_gives_its_lease_back(hosts: TwoHosts) -> None:
    """Nobody has to wait for the end of it."""
    hosts.owner.close()
    assert hosts.key() is None
    assert hosts.owner.standing().is_gone
