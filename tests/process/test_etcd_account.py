"""The account of a venue in a real etcd: one for all hosts, and it outlives who owned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from foresight.cluster import account_told, forget_account, told_variables
from foresight.cluster_check import examine_cluster
from foresight.config import Config, Engine
from foresight.finding import Verdict
from handoff.shared_record import ACCOUNT
from state.errors import AccountOther, RecordMissing
from state.etcd import wire
from state.etcd.keys import Keys
from tests.process.etcd_server import Server, etcd_store, raw
from tests.records import B, empty, note, run_cycles, seize, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.etcd.address import Cluster
    from state.etcd_store import EtcdStore

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def opened() -> Iterator[Callable[..., EtcdStore]]:
    stores: list[EtcdStore] = []

    def with_account(cluster: Cluster, account: str | None = None) -> EtcdStore:
        stores.append(etcd_store(cluster, account=account))
        return stores[-1]

    yield with_account
    for each in stores:
        each.close()


def config_of(etcd: Server, prefix: str, account: str) -> Config:
    state = f"etcd://127.0.0.1:{etcd.port}/{prefix}"
    return Config(engine=Engine(app="test", state=state, account=account))


def account_of(config: Config, tmp_path: Path) -> str:
    return dict(told_variables(config, {}, tmp_path))[ACCOUNT]


def test_a_record_of_another_account_is_refused_and_an_operator_forgets_it(
    etcd: Server, tmp_path: Path, opened: Callable[..., EtcdStore]
) -> None:
    one, other = (config_of(etcd, tmp_path.name, each) for each in ("Mia's", "Ben's"))
    cluster = etcd.cluster(tmp_path.name)
    mine = opened(cluster, account_of(one, tmp_path))
    started(mine)
    theirs = opened(cluster, account_of(other, tmp_path))
    with pytest.raises(AccountOther) as refused:
        theirs.read()
    assert "Mia" not in str(refused.value)
    asked = [
        {each.check: each for each in examine_cluster(cluster, account_told(config))}
        for config in (one, other)
    ]
    assert asked[0]["etcd's account"].verdict is Verdict.GOOD
    assert asked[1]["etcd's account"].verdict is Verdict.BAD
    assert "etcdctl del" in asked[1]["etcd's account"].remedy
    assert run_cycles(mine).attempt == opened(cluster).read().attempt, "who never owns looks"
    owner = Keys(cluster.prefix).owner
    raw(cluster, wire.put(owner, b"for as long as a lease"))
    assert "owns" in forget_account(other, {}, tmp_path)
    raw(cluster, wire.delete(owner))
    with pytest.raises(AccountOther):
        theirs.read()
    assert forget_account(one, {}, tmp_path) == ""
    theirs.transact(lambda record: seize(record, B), note("seize"))
    with pytest.raises(AccountOther):
        opened(cluster, account_of(one, tmp_path)).read()


def test_a_first_record_is_made_only_for_the_account_that_is_named(
    etcd: Server, tmp_path: Path, opened: Callable[..., EtcdStore]
) -> None:
    cluster = etcd.cluster(tmp_path.name)
    raw(cluster, wire.put(Keys(cluster.prefix).account, b"one"))
    with pytest.raises(AccountOther):
        opened(cluster, "other").create(empty())
    with pytest.raises(RecordMissing):
        opened(cluster).read()
    assert opened(cluster, "one").create(empty()) == empty()
