"""What a deployer asks of other hosts, and what a host makes of deploys whose host is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from deploy import across, history, others, requests, way_back
from deploy.across import AmongHosts
from deploy.requests import Request
from foresight.cli.deploy_steps import follow_elsewhere
from handoff.launcher.engine_config import EngineConfig, write_engine_config
from handoff.rollout.events import AbortAsked, Superseded
from handoff.rollout.launcher_client import RequestRefused
from handoff.rollout.table import Deploy, Phase
from handoff.shared_record import STATE
from state.errors import DeployClosed, WriteFailed
from state.etcd import deploys
from state.record import Rollout
from tests.deploy_hosts import Host
from tests.etcd_model import ModelEtcd
from tests.records import A, B, owned, seize, take

if TYPE_CHECKING:
    from pathlib import Path

READY = Deploy("d1", Phase.READY, release=B.release)


def request_of(deploy: str = "d1", *, at: int = 1_000_000, commit: str = "c") -> Request:
    return Request(deploy=deploy, commit=commit * 40, by="mia", requested_ns=at)


class Two:
    """Two homes whose record is in one modelled etcd."""

    def __init__(self, place: Path, patch: pytest.MonkeyPatch) -> None:
        self.etcd = ModelEtcd()
        self.one, self.two = Host(self.etcd), Host(self.etcd)
        self.record = owned()
        self.home = place / "one"
        (self.home / "run").mkdir(parents=True)
        patch.setattr(across, "read_only_snapshot", lambda _: self.record)
        patch.setattr(across, "POLL_S", 0.0)
        patch.setattr(way_back, "read_only_snapshot", lambda _: self.record)

    def deployer(self, request: Request, host: Host | None = None) -> AmongHosts:
        """File a request, and return what its deployer asks."""
        host = host or self.one
        entry = history.requested(
            request.attempt, now_ns=request.requested_ns, by="mia", ref="v2", from_release="r1"
        )
        asked = deploys.Asked(
            request=request.deploy,
            wants=request.commit,
            host="one",
            asked_ns=request.requested_ns,
            entry=msgspec.Raw(msgspec.json.encode(entry)),
        )
        host.desk.file(asked)
        return AmongHosts(self.home, request, host.desk)

    def ended(self) -> list[tuple[str, str]]:
        entries = across.newest_entries(self.two.desk)
        return [(each.deploy, each.outcome) for each in entries]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    return Two(tmp_path, monkeypatch)


def entry_of(deploy: str, outcome: str = "refused", reason: str = "") -> history.Entry:
    entry = history.requested(deploy, now_ns=1_000_000, by="mia", ref="v2", from_release="r1")
    return replace(entry, outcome=outcome, reason=reason)


def test_one_waits_for_the_deploy_of_another_host_and_is_told_who_ends_the_waiting(
    hosts: Two,
) -> None:
    first = hosts.deployer(request_of())
    assert first.taken(held=False, waits=lambda: None) is None
    waits: list[int] = []
    second = hosts.deployer(request_of("d2", at=2_000_000, commit="d"), hosts.two)

    def wait() -> None:
        waits.append(1)
        if len(waits) == 2:
            hosts.one.desk.ask_abort("d2", "ben")

    assert second.taken(held=False, waits=wait) == AbortAsked("ben")
    third = hosts.deployer(request_of("d3", at=3_000_000, commit="e"), hosts.two)
    assert first.interruption(is_replaceable=True) == Superseded("d3")
    assert first.interruption(is_replaceable=False) is None, "approved, nothing replaces it"
    first.write_down(entry_of("d1"), is_last=True)
    assert third.taken(held=False, waits=lambda: None) is None
    assert hosts.ended() == [("d1", "refused")]


def test_an_approval_is_the_same_when_it_is_asked_again_and_new_after_an_outage(
    hosts: Two,
) -> None:
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    approval = deployer.approve(READY)
    held = hosts.two.desk.under_way()
    assert held is not None
    assert (approval, held.created) == (deployer.approve(READY), approval)
    assert deploys.waits(held.value, epoch=hosts.record.ownership.epoch)
    hosts.one.dies()
    again = deployer.approve(READY)
    assert again > approval
    asked = hosts.two.desk.asked("d1")
    assert (asked.attempt, asked.candidate, asked.epoch) == ("d1", B.release, 1)
    hosts.record = take(owned())
    deployer.give_back(replace_phase(READY))
    held = hosts.two.desk.under_way()
    assert held is not None
    assert deploys.is_asked_back(held.value, epoch=2)


def replace_phase(deploy: Deploy) -> Deploy:
    return Deploy(deploy.deploy_id, Phase.BAKING, release=deploy.release)


def test_what_another_host_has_ended_is_approved_no_more_and_is_taken_over(hosts: Two) -> None:
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    hosts.one.dies()
    line = history.entry_line(entry_of("d1", reason="gone")).rstrip(b"\n")
    assert hosts.two.desk.write_down(hosts.two.desk.asked("d1"), line, is_left=True)
    with pytest.raises(RequestRefused, match="has ended"):
        deployer.approve(READY)
    with pytest.raises(DeployClosed):
        deployer.taken(held=True, waits=lambda: None)
    found = deployer.settled("d1")
    assert found is not None
    assert found.reason == "gone"
    deployer.write_down(entry_of("d1", "permanent"), is_last=True)
    assert hosts.ended() == [("d1", "refused")], "one deploy has one end"


def test_whom_others_never_let_write_an_end_down_says_so_at_last(
    hosts: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would try for ever; the request stays open, and a later start goes on with it."""
    monkeypatch.setattr(across, "WRITE_S_MAX", 0.0)
    deployer = hosts.deployer(request_of())
    monkeypatch.setattr(hosts.one.desk, "write_down", lambda *_, **__: False)
    with pytest.raises(WriteFailed, match="the end of deploy d1: other hosts change"):
        deployer.write_down(entry_of("d1"), is_last=True)


def test_hosts_that_have_no_standby_are_named_with_the_reason(hosts: Two) -> None:
    deployer = hosts.deployer(request_of())
    assert deployer.without_standby() == ()
    hosts.two.desk.tell_made("two", "r2", "cannot: no such commit")
    assert deployer.without_standby() == ("host two is no standby: cannot: no such commit",)


def test_a_home_of_its_own_asks_nobody(tmp_path: Path) -> None:
    alone = across.of_request(tmp_path, request_of())
    assert isinstance(alone, across.Alone)
    assert alone.taken(held=False, waits=lambda: None) is None
    assert (alone.approve(READY), alone.interruption(is_replaceable=True)) == (0, None)
    assert across.file(tmp_path, request_of()) == request_of()
    assert across.ask_aborts(tmp_path, "mia") == []


def test_where_the_etcd_is_named_is_read_from_the_installation(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    told = ((STATE, "etcd://127.0.0.1:1/app"),)
    write_engine_config(tmp_path, EngineConfig(app="app", first_release="r1", environment=told))
    desk = across.desk_of(tmp_path)
    assert desk is not None
    desk.close()


class Beside:
    """What the second host's companion does."""

    def __init__(self, hosts: Two, home: Path) -> None:
        self.home, self.said, self.followed = home, list[str](), 0
        (home / "run").mkdir(parents=True)
        self.asked_back: list[str] = []  # of this host's launcher
        self.others = others.Others(
            home,
            hosts.two.desk,
            follow=self._follow,
            give_back=self.asked_back.append,
            say=self.said.append,
        )

    def _follow(self) -> None:
        self.followed += 1

    def history(self) -> list[tuple[str, str]]:
        entries = history.read_history(self.home).entries
        return [(each.deploy, each.outcome) for each in entries]


@pytest.fixture
def beside(hosts: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    monkeypatch.setattr(others, "read_only_snapshot", lambda _: hosts.record)
    return Beside(hosts, tmp_path / "two")


def test_every_hosts_history_has_every_deploy_once(hosts: Two, beside: Beside) -> None:
    for number in range(3):
        deploy = f"d{number}"
        deployer = hosts.deployer(request_of(deploy, commit=str(number)))
        deployer.write_down(entry_of(deploy), is_last=True)
        beside.others.look(0.0)
    expected = [("d0", "refused"), ("d1", "refused"), ("d2", "refused")]
    assert beside.history() == expected
    (beside.home / "run" / others.KNOWN).unlink()
    beside.others.look(0.0)
    assert beside.history() == expected


def test_a_deploy_whose_host_is_gone_for_a_while_is_ended_as_record_and_journal_say(
    hosts: Two, beside: Beside
) -> None:
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    beside.others.look(0.0)
    beside.others.look(others.GRACE_S * 2)
    assert beside.history() == [], "it lives"
    hosts.one.dies()
    beside.others.look(others.GRACE_S * 3)
    beside.others.look(others.GRACE_S * 4)
    assert (beside.history(), beside.followed) == ([], 0), "it may be back"
    beside.others.look(others.GRACE_S * 4 + 1)
    beside.others.look(others.GRACE_S * 5)
    assert beside.history() == [("d1", "refused")]
    (entry,) = history.read_history(beside.home).entries
    assert entry.reason == "the host that drove it, one, is gone; it was not approved"
    assert (entry.ref, entry.from_release) == ("v2", "r1")
    assert hosts.two.desk.open() == ()


def test_a_request_whose_deployer_is_slow_to_begin_is_ended_by_nobody_while_it_may_come(
    hosts: Two, beside: Beside
) -> None:
    """A busy host starts it seconds later: it was refused as that of a host that is gone."""
    deployer = hosts.deployer(request_of())
    for turn in range(4):
        beside.others.look(others.GRACE_S * turn)
    assert beside.history() == []
    assert deployer.taken(held=False, waits=lambda: None) is None
    hosts.one.dies()
    hosts.deployer(request_of("d2", commit="d", at=2_000_000))
    hosts.one.dies()
    for turn in range(4, 8):
        beside.others.look(others.GRACE_S * turn)
    assert beside.history() == [("d1", "refused"), ("d2", "refused")], "neither comes any more"


def test_a_second_try_that_was_not_approved_is_the_one_that_ends_with_its_host(
    hosts: Two, beside: Beside
) -> None:
    """Its first try has its line already; an abort that comes just then is not lost."""
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    deployer.approve(READY)
    hosts.record = take(owned(), rollout=Rollout(deploy_id="d1", of=3))
    hosts.record = seize(hosts.record, A)
    hosts.one.before = lambda: hosts.two.desk.ask_abort("d1", "ben")
    deployer.write_down(entry_of("d1", "returned", "no inputs"), is_last=False)
    asked = hosts.two.desk.asked("d1")
    assert (asked.attempt, asked.candidate, asked.aborted_by) == ("", "", "ben")
    hosts.one.dies()
    for turn in range(4):
        beside.others.look(others.GRACE_S * turn)
    assert hosts.ended() == [("d1", "returned"), ("d1.2", "refused")]
    assert beside.history() == hosts.ended()


def test_a_bake_whose_host_is_gone_and_a_request_of_this_home_are_left_alone(
    hosts: Two, beside: Beside
) -> None:
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    deployer.approve(READY)
    hosts.record = take(owned(), rollout=Rollout(deploy_id="d1", of=3))
    here = request_of("d2", commit="d", at=2_000_000)
    hosts.deployer(here)
    requests.write_request(beside.home, here)
    hosts.one.dies()
    for turn in range(4):
        beside.others.look(others.GRACE_S * turn)
    assert (beside.history(), beside.said) == ([], [])
    assert beside.followed > 0
    assert [each.request for each in hosts.two.desk.open()] == ["d1", "d2"]


def test_a_bake_whose_host_is_gone_is_ended_for_who_aborts_it(hosts: Two, beside: Beside) -> None:
    """Nobody drives it who would hear that: each host asks its own workers."""
    deployer = hosts.deployer(request_of())
    assert deployer.taken(held=False, waits=lambda: None) is None
    deployer.approve(READY)
    hosts.record = take(owned(), rollout=Rollout(deploy_id="d1", of=3))
    hosts.two.desk.ask_abort("d1", "ben")
    for turn in range(4):
        beside.others.look(others.GRACE_S * turn)
    assert beside.asked_back == [], "its deployer lives and hears it"
    hosts.one.dies()
    for turn in range(4, 8):
        beside.others.look(others.GRACE_S * turn)
    assert set(beside.asked_back) == {"d1"}


def test_who_asked_for_what_another_host_deploys_already_is_told_how_that_ended(
    tmp_path: Path,
) -> None:
    (tmp_path / "run").mkdir()
    assert follow_elsewhere(tmp_path, "d1", 0.01) is None
    history.finish(tmp_path, entry_of("d1.2", "permanent"))
    ended = follow_elsewhere(tmp_path, "d1", 60.0)
    assert ended is not None
    assert (ended["deploy"], ended["outcome"]) == ("d1.2", "permanent")
