"""An etcd of three members that loses one: what a store knows of its commits meanwhile.

How long it takes is not asked here, only that every commit is known to who made it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from state.errors import OutcomeUnknown, OutOfReach
from state.etcd import wire
from state.etcd.address import Cluster, Endpoint
from state.etcd.client import Client, EtcdError
from tests.process.etcd_server import ABSENT, PROGRAM, START_S_MAX, Server, etcd_store
from tests.records import deciding, note, run_cycles, settle, started

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("patient")
MEMBERS: Final = 3
CALM: Final = ("--heartbeat-interval=100", "--election-timeout=500")


class Header(msgspec.Struct):
    """Whose answer it is."""

    member_id: int


class Status(msgspec.Struct):
    """Who leads, as one member has it."""

    header: Header
    leader: int = 0


class Three:
    """Three members on this host."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.servers = [
            Server(factory.mktemp(f"m{number}"), *CALM, name=f"m{number}")
            for number in range(MEMBERS)
        ]
        members = ",".join(each.members for each in self.servers)
        for each in self.servers:
            each.members = members

    def start(self) -> None:
        for each in self.servers:
            each.begin()
        for each in self.servers:
            each.wait_answers()

    def stop(self) -> None:
        for each in self.servers:
            each.stop()

    def cluster(self, first: Server, prefix: str) -> Cluster:
        """Return the address of all, beginning with one."""
        others = [each for each in self.servers if each is not first]
        ports = [each.port for each in (first, *others)]
        return Cluster(tuple(Endpoint("127.0.0.1", port) for port in ports), prefix)

    def leader(self) -> Server:
        """Return who leads, as soon as somebody does."""
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            found = [each for each in self.servers if each.process and leads(each)]
            if found:
                return found[0]
            time.sleep(0.05)
        message = "nobody leads"
        raise AssertionError(message)


def leads(server: Server) -> bool:
    client = Client(server.cluster())
    try:
        status = wire.decode(client.call(wire.STATUS, {}, timeout_s=1.0), Status)
    except EtcdError:
        return False
    finally:
        client.close()
    return status.leader == status.header.member_id


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    if PROGRAM is None:
        pytest.skip(ABSENT)
    found = Three(tmp_path_factory)
    found.start()
    yield found
    found.stop()


def test_commits_go_on_when_the_leader_is_killed(three: Three) -> None:
    """Nothing that was acknowledged is lost with it, and nothing is committed twice."""
    leader = three.leader()
    store = etcd_store(three.cluster(leader, "killed"))
    run_cycles(started(store), 1)
    leader.stop()
    record = run_cycles(store, 3)
    assert record.progress.cycle == 14
    kinds = [store.line(number).kind for number in range(1, store.newest_line() + 1)]
    assert kinds == ["genesis", "seize", *["decide", "settle"] * 4]
    leader.start()
    beside = etcd_store(three.cluster(leader, "killed"))
    assert beside.read() == record
    for each in (store, beside):
        each.close()


def test_a_member_that_stands_still_costs_a_try_and_nothing_else(three: Three) -> None:
    """Its connection is open and says nothing: another member is asked."""
    still = next(each for each in three.servers if each is not three.leader())
    store = etcd_store(three.cluster(still, "still"))
    started(store)
    assert still.process is not None
    os.kill(still.process.pid, signal.SIGSTOP)
    try:
        assert run_cycles(store, 1).progress.cycle == 11
    finally:
        os.kill(still.process.pid, signal.SIGCONT)
    store.close()


def test_without_a_majority_nothing_is_read_or_known_and_afterwards_all_is(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One member alone may be the one that was cut off: it answers nobody."""
    left, *others = three.servers
    store = etcd_store(three.cluster(left, "minority"))
    started(store)
    for each in others:
        each.stop()
    with monkeypatch.context() as impatient:
        impatient.setattr("state.etcd.session.SETTLE_S_MAX", 0.5)
        with pytest.raises(OutOfReach):
            store.read()
        with pytest.raises(OutcomeUnknown, match="decide-11"):
            store.transact(deciding(), note("decide"))
    for each in others:
        each.begin()
    assert store.transact(deciding(), note("decide")).attempt == "decide-11"
    store.transact(settle, note("settle"))
    kinds = [store.line(number).kind for number in range(1, store.newest_line() + 1)]
    assert kinds == ["genesis", "seize", "decide", "settle"]
    store.close()
