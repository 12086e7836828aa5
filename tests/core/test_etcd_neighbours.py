"""Hosts whose engines are one release apart, over one record in an etcd."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from state.errors import RecordForeign
from state.etcd import deploys, wire
from state.etcd import keys as plans
from state.etcd.address import Cluster, Endpoint
from state.etcd_store import EtcdStore
from state.host_journal import HostJournal
from state.journal_reader import read_lines, verify_chain
from state.local_store import read_only_generation
from state.open_struct import decode_open
from state.record import FORMAT, Record, Timeline, encode_record
from tests.deploy_hosts import Host
from tests.etcd_model import ModelEtcd
from tests.records import APP, NOW_NS, note, run_cycles, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLUSTER = Cluster((Endpoint("127.0.0.1"),), "app")
KEYS = plans.Keys("app")
NEW = {"novelty": msgspec.Raw(b'{"of":[1,2]}')}


class Line:
    """What a store's requests go through, in place of its client."""

    def __init__(self, etcd: ModelEtcd) -> None:
        self.etcd = etcd

    def call(self, path: str, request: object, **_: float) -> bytes:
        if path == wire.GRANT:
            return wire.encode({"ID": self.etcd.grant(), "TTL": 600})
        assert isinstance(request, wire.Transaction)
        return wire.encode(self.etcd.apply(request))

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def etcd(monkeypatch: pytest.MonkeyPatch) -> ModelEtcd:
    found = ModelEtcd()
    monkeypatch.setattr("state.etcd.session.Client", lambda _: Line(found))
    return found


@pytest.fixture
def store(etcd: ModelEtcd, tmp_path: Path) -> Iterator[EtcdStore]:
    """The store of a host of this engine."""
    assert etcd.revision
    home = HostJournal(tmp_path / "home", now_ns=lambda: NOW_NS)
    words = {"app": APP, "timeline": Timeline(), "now_ns": lambda: NOW_NS, "home": home}
    found = EtcdStore(CLUSTER, **words)  # type: ignore[arg-type]
    yield found
    found.close()


def by_a_newer_engine(record: Record) -> Record:
    """Return a record with members that this engine has no field for, at two depths."""
    progress = replace(record.progress, unknown_fields=NEW)
    return replace(record, attempt="newer", progress=progress, unknown_fields=NEW)


def test_members_that_this_engine_does_not_know_survive_its_commits(
    store: EtcdStore, etcd: ModelEtcd, tmp_path: Path
) -> None:
    """Otherwise the newer host would find its own record without what it had put there."""
    started(store).transact(by_a_newer_engine, note("command"))
    store._seen = None  # noqa: SLF001 - what lies there is read, not remembered
    assert bytes(store.read().unknown_fields["novelty"]) == bytes(NEW["novelty"])
    run_cycles(store, 2)
    written = msgspec.json.decode(etcd.kept[KEYS.record].value)
    assert written["novelty"] == written["progress"]["novelty"] == {"of": [1, 2]}
    found = read_only_generation(tmp_path / "home" / "state")
    assert found.record.unknown_fields == found.record.progress.unknown_fields
    journal = tmp_path / "home" / "journal"
    verify_chain(journal, digest=found.digest, cycle=found.record.progress.cycle)
    headers = [decode_open(line.header, Record) for line in read_lines(journal)]
    assert ["novelty" in each.unknown_fields for each in headers] == [False] * 2 + [True] * 5


def test_a_record_of_a_newer_format_is_refused_and_left_as_it_is(
    store: EtcdStore, etcd: ModelEtcd, tmp_path: Path
) -> None:
    record = run_cycles(started(store), 1)
    data = encode_record(replace(record, format=FORMAT + 1))[0]
    put = wire.put(KEYS.record, data)
    etcd.apply(wire.Transaction(success=(put,)))
    before = copy.deepcopy(etcd.kept)
    mirrored = read_only_generation(tmp_path / "home" / "state")
    with pytest.raises(RecordForeign, match="format is 2"):
        store.read()
    with pytest.raises(RecordForeign, match="format is 2"):
        run_cycles(store, 1)
    with pytest.raises(RecordForeign, match="format is 2"):
        store.transact(by_a_newer_engine, note("command"))
    assert etcd.kept == before
    assert read_only_generation(tmp_path / "home" / "state") == mirrored


def test_what_a_newer_engine_says_of_a_deploy_survives_whatever_this_one_does_to_it() -> None:
    """A wish of the newer host would be gone once the older one has said how far it is."""
    host = Host(ModelEtcd())
    asked = deploys.Asked(request="d1", wants="c" * 40, host="one", asked_ns=1, unknown_fields=NEW)
    host.desk.file(asked)
    value = deploys.UnderWay(request="d1", attempt="d1", host="one", unknown_fields=NEW)
    assert host.desk.begin(value)
    names = deploys.Keys("app")

    def kept(*keys: bytes) -> list[object]:
        found = [msgspec.json.decode(host.etcd.kept[key].value) for key in keys]
        return [each["novelty"] for each in found]

    held = host.desk.change(
        "d1",
        lambda found: deploys.approved(found, epoch=1, candidate="r2"),
        noted=lambda found: replace(found, candidate="r2"),
    )
    assert held is not None
    host.desk.ask_abort("d1", "ben")
    assert kept(names.request("d1"), names.deploy) == [{"of": [1, 2]}] * 2
    host.desk.write_down(
        host.desk.asked("d1"), b"{}", following=lambda found: replace(found, candidate="")
    )
    assert kept(names.request("d1")) == [{"of": [1, 2]}]
