"""What `doctor` finds in a real etcd: above all, what it lets strangers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from foresight.checkup import examine
from foresight.cluster_check import examine_cluster
from foresight.config import Config, Engine, Venue
from foresight.finding import Finding, Verdict
from state.errors import EtcdMixed, EtcdOlder, RecordMissing
from state.etcd import wire
from state.etcd.address import Cluster, Credentials, Endpoint
from state.etcd.survey import Member, Status, Survey, survey
from state.hosts_seen import HostsSeen
from tests.process.etcd_door import certificates, with_certificates, with_users
from tests.process.etcd_server import Server, etcd_store, free_port, tell
from tests.records import empty

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("patient")


def found_in(cluster: Cluster) -> dict[str, Finding]:
    return {each.check: each for each in examine_cluster(cluster)}


def test_an_etcd_is_described_and_its_open_door_is_said(own_etcd: Server) -> None:
    """On loopback every account of the host reaches it."""
    own_etcd.start()
    found = found_in(own_etcd.cluster())
    assert {name: each.verdict for name, each in found.items()} == {
        "etcd": Verdict.GOOD,
        "etcd's door": Verdict.ODD,
        "etcd's version": Verdict.GOOD,
        "etcd's size": Verdict.GOOD,
        "etcd's alarms": Verdict.GOOD,
        "etcd's history": Verdict.ODD,
        "etcd's account": Verdict.GOOD,
        "hosts' clocks": Verdict.GOOD,
    }
    assert "compact and renew leases" in found["etcd's door"].found
    assert found["etcd's version"].found.startswith("3.")
    for number in range(3):
        tell(
            own_etcd.cluster(),
            wire.TXN,
            wire.Transaction(success=(wire.put(b"k", b"%d" % number),)),
        )
    tell(own_etcd.cluster(), wire.COMPACT, {"revision": 3})
    assert found_in(own_etcd.cluster())["etcd's history"].verdict is Verdict.GOOD


def test_hosts_with_an_exchange_each_are_found_before_one_of_them_is_up(
    own_etcd: Server, tmp_path: Path
) -> None:
    own_etcd.start()
    engine = Engine(app="test", state=f"etcd://127.0.0.1:{own_etcd.port}/test")

    def found(venue: Venue) -> list[Finding]:
        config = Config(engine=engine, venue=venue)
        findings = list(examine(config, tmp_path / "home", tmp_path))
        assert "etcd's version" in {each.check for each in findings}, "it was looked at"
        return [each for each in findings if each.check == "exchange"]

    (refused,) = found(Venue(kind="local"))
    assert refused.verdict is Verdict.BAD
    assert "an exchange of its own" in refused.found
    assert found(Venue(kind="local", url="http://127.0.0.1:8080")) == []


def test_endpoints_of_different_etcds_are_refused_before_a_second_record_is_made(
    etcd: Server, own_etcd: Server, tmp_path: Path
) -> None:
    """Three that were never made one cluster look like one until the first of them is away."""
    own_etcd.start()
    both = etcd.cluster(tmp_path.name, ports=[etcd.port, own_etcd.port])
    store = etcd_store(both)
    with pytest.raises(EtcdMixed):
        store.create(empty())
    with pytest.raises(RecordMissing):
        store.read()
    found = found_in(both)["etcd"]
    assert (found.verdict, found.found) == (Verdict.BAD, "its members do not know each other")
    one = etcd_store(etcd.cluster(tmp_path.name))
    one.create(empty())
    assert store.read() == one.read()
    store._session._client.drop()  # noqa: SLF001 - the first of them is away
    with pytest.raises(EtcdOlder, match="answers, it was"):
        store.read()
    for each in (store, one):
        each.close()


def test_passwords_alone_leave_leases_and_history_to_whoever_reaches_the_port(
    own_etcd: Server,
) -> None:
    """Which is why certificates are required outside loopback, and doctor tries it."""
    own_etcd.start()
    with_users(own_etcd)
    (member,) = survey(own_etcd.cluster()).members
    assert "renew leases" in member.open_for


def test_certificates_shut_the_door(own_etcd: Server, tmp_path: Path) -> None:
    ours = certificates(tmp_path)
    with_certificates(own_etcd, ours)
    own_etcd.start()
    found = found_in(own_etcd.cluster())
    assert found["etcd"].verdict is Verdict.GOOD
    assert found["etcd's door"].verdict is Verdict.GOOD
    own_etcd.stop()
    own_etcd.options = own_etcd.options[2:]  # it has a certificate, and asks for none
    own_etcd.start()
    assert found_in(own_etcd.cluster())["etcd's door"].verdict is Verdict.ODD


def test_an_etcd_without_a_majority_is_bad_and_with_one_member_less_odd(etcd: Server) -> None:
    nobody = found_in(Cluster((Endpoint("127.0.0.1", free_port()),), "x"))
    assert {*nobody} == {"etcd", "etcd's door"}
    assert nobody["etcd"].verdict is Verdict.BAD
    ports = [etcd.port, free_port()]
    assert found_in(etcd.cluster(ports=ports))["etcd"].verdict is Verdict.BAD


def test_what_a_cluster_says_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = HostsSeen()

    def judged(**changes: object) -> dict[str, Verdict]:
        status = Status(version="3.5.1", dbSize=1, leader=7)
        members = tuple(Member(endpoint=f"h{n}:2379", status=status) for n in range(3))
        survey_ = Survey(**({"members": members, "is_compacted": True} | changes))  # type: ignore[arg-type]
        monkeypatch.setattr("foresight.cluster_check.survey", lambda _: survey_)
        monkeypatch.setattr("foresight.cluster_check.overheard", lambda _: heard)
        monkeypatch.setattr("state.etcd.forgetting.require_account", lambda *_: None)
        cluster = Cluster((Endpoint("h1"),), "x", Credentials("/ca", "/c", "/k"))
        return {name: each.verdict for name, each in found_in(cluster).items()}

    assert set(judged().values()) == {Verdict.GOOD}
    sound = Member(endpoint="h1:2379", status=Status(version="3.4.0", dbSize=1, leader=7))
    silent = Member(endpoint="h2:2379", why="refused")
    old = Member(endpoint="h2:2379", status=Status(version="3.3.27", dbSize=2 << 30, leader=7))
    opened = Member(endpoint="h3:2379", status=sound.status, open_for=("compact",))
    assert judged(members=(sound, sound, silent))["etcd"] is Verdict.ODD
    assert judged(members=(sound, silent, silent))["etcd"] is Verdict.BAD
    found = judged(
        members=(sound, old, opened), alarms=("NOSPACE",), is_compacted=False, revision=60_000
    )
    assert found == {
        "etcd": Verdict.GOOD,
        "etcd's door": Verdict.BAD,
        "etcd's version": Verdict.BAD,
        "etcd's size": Verdict.ODD,
        "etcd's alarms": Verdict.BAD,
        "etcd's history": Verdict.BAD,
        "etcd's account": Verdict.GOOD,
        "hosts' clocks": Verdict.GOOD,
    }
    assert judged(is_compacted=None)["etcd's history"] is Verdict.ODD
