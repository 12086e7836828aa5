"""An etcd that is put back to an earlier state, as a folder or as a snapshot, under a store.

Revisions come again and the cluster's id may stay: what a store has seen is all that tells.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from state.commit import Generation, plan_commit
from state.errors import EtcdOlder
from state.etcd import commits, wire
from state.etcd import keys as plans
from tests.process.etcd_server import CTL, CTL_ABSENT, Server, etcd_store, tell
from tests.records import deciding, halted, note, run_cycles, settle, started

if TYPE_CHECKING:
    from pathlib import Path

    from state.etcd_store import EtcdStore

pytestmark = pytest.mark.usefixtures("patient")


class Copy:
    """What an etcd held at one time, kept in one of two ways, and put back."""

    def __init__(self, way: str, server: Server, folder: Path) -> None:
        self._way = way
        self._server = server
        self._kept = folder / "copy"

    def keep(self) -> None:
        if self._way == "snapshot":
            self._server.snapshot(self._kept)
            return
        self._server.stop()
        shutil.copytree(self._server.data, self._kept)
        self._server.start()

    def put_back(self) -> None:
        self._server.stop()
        if self._way == "snapshot":
            self._server.restore(self._kept)
        else:
            shutil.rmtree(self._server.data)
            shutil.copytree(self._kept, self._server.data)
        self._server.start()


@pytest.fixture(params=["folder", "snapshot"])
def copy(request: pytest.FixtureRequest, own: Server, tmp_path: Path) -> Copy:
    if request.param == "snapshot" and CTL is None:
        pytest.skip(CTL_ABSENT)
    return Copy(request.param, own, tmp_path)


@pytest.fixture
def own(own_etcd: Server) -> Server:
    """An etcd that may be stopped."""
    own_etcd.start()
    return own_etcd


def test_an_etcd_that_was_put_back_is_refused_by_who_saw_more_of_it(
    own: Server, copy: Copy
) -> None:
    """Its owner went on to later cycles: what it would decide now was decided already."""
    store = etcd_store(own.cluster())
    run_cycles(started(store), 1)
    copy.keep()
    run_cycles(store, 3)
    copy.put_back()
    with pytest.raises(EtcdOlder, match="it is at revision"):
        store.transact(deciding(), note("decide"))
    with pytest.raises(EtcdOlder):
        store.read()
    store.close()


def test_a_commit_from_before_an_etcd_was_put_back_finds_no_place_at_an_equal_revision(
    own: Server, copy: Copy
) -> None:
    """Numbers come again. What was under way then is told apart by the attempt alone."""
    cluster = own.cluster()
    store = etcd_store(cluster)
    run_cycles(started(store), 1)
    copy.keep()
    store.transact(deciding(), note("decide"))
    under_way, seen = commit_under_way(store)
    copy.put_back()
    other = etcd_store(cluster)
    other.transact(halted, note("command"))
    assert other._look().revision == seen.revision  # noqa: SLF001 - or nothing is shown here
    answer = wire.decode(tell(cluster, wire.TXN, under_way), wire.TransactionAnswer)
    assert not answer.succeeded
    assert other.read().control.halted
    with pytest.raises(EtcdOlder, match="line 5"):
        store.read()
    for each in (store, other):
        each.close()


def commit_under_way(store: EtcdStore) -> tuple[wire.Transaction, plans.Seen]:
    """Return the settle that the owner is about to send."""
    seen, names = store._look(), store._keys  # noqa: SLF001 - what it would send
    before = Generation(seen.record, seen.digest)
    commit = plan_commit(before, settle(seen.record), note("settle"), now_ns=1)
    new = commits.written(names, commit, number=seen.number + 1)
    return commits.commit_transaction(names, seen, new), seen
