"""Deploys of hosts over a modelled etcd: what is tried again, and what each host is told."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from state.errors import DeployClosed, Refused
from state.etcd import deploys
from state.etcd.deploys import Asked, UnderWay
from state.etcd_store import EtcdStore
from state.record import Timeline
from tests.deploy_hosts import Host
from tests.etcd_model import ModelEtcd
from tests.records import APP, NOW_NS, B, note, owned, seize, take

ASKED = Asked(request="d1", wants="c" * 40, host="one", asked_ns=1)
OTHER = Asked(request="d2", wants="d" * 40, host="two", asked_ns=2)
VALUE = UnderWay(request="d1", attempt="d1", host="one")
SECOND = UnderWay(request="d2", attempt="d2", host="two")


@pytest.fixture
def one() -> Host:
    return Host(ModelEtcd())


@pytest.fixture
def two(one: Host) -> Host:
    return Host(one.etcd)


def test_a_request_whose_answer_was_lost_is_filed_once_and_is_ones_own(
    one: Host, two: Host
) -> None:
    one.loses = 1
    assert one.desk.file(ASKED) == ASKED
    same = replace(ASKED, request="d9", host="two")
    assert two.desk.file(same) == ASKED, "another host is told which one is open"
    assert two.desk.open() == (ASKED,)


def test_the_turn_is_ones_own_also_where_the_answer_was_lost_or_the_deployer_came_back(
    one: Host, two: Host
) -> None:
    one.desk.file(ASKED)
    two.desk.file(OTHER)
    one.loses = 1
    assert one.desk.begin(VALUE)
    assert not two.desk.begin(SECOND)
    held = one.desk.under_way()
    assert held is not None
    one.lease = one.etcd.grant()  # of the next deployer; the one before did not give its back
    assert one.desk.begin(VALUE)
    again = one.desk.under_way()
    assert again is not None
    assert (again.created, again.lease) == (held.created, one.lease)


def test_a_change_is_made_of_what_is_there_although_another_host_came_between(
    one: Host, two: Host
) -> None:
    one.desk.file(ASKED)
    assert one.desk.begin(VALUE)
    two.before = lambda: one.desk.change("d1", lambda value: replace(value, phase="ready"))
    two.desk.ask_abort("d1", "mia")
    held = one.desk.under_way()
    assert held is not None
    assert (held.value.phase, held.value.abort) == ("ready", "mia")
    assert one.desk.asked("d1").aborted_by == "mia"
    two.desk.ask_abort("d1", "ben")
    assert one.desk.asked("d1").aborted_by == "mia", "the first who wanted it is named"
    assert one.desk.change("d2", lambda value: value) is None, "that one is not under way"


def test_an_end_is_written_down_once_whoever_answers_and_whoever_else_ends_one(
    one: Host, two: Host
) -> None:
    one.desk.file(ASKED)
    two.desk.file(OTHER)
    assert one.desk.begin(VALUE)
    held = one.desk.under_way()
    assert held is not None
    one.loses = 1
    one.before = lambda: two.desk.write_down(OTHER, b"two")
    assert one.desk.write_down(ASKED, b"one", created=held.created)
    assert one.ended() == [b"two", b"one"]
    assert one.desk.write_down(ASKED, b"one"), "again, as by a deployer that was killed after it"
    with pytest.raises(DeployClosed):
        one.desk.write_down(ASKED, b"another")
    with pytest.raises(DeployClosed):
        one.desk.begin(VALUE)
    with pytest.raises(DeployClosed):
        one.desk.ask_abort("d1", "mia")
    assert (one.desk.open(), one.desk.under_way()) == ((), None)


def test_nobody_ends_for_another_what_that_one_drives(one: Host, two: Host) -> None:
    one.desk.file(ASKED)
    one.desk.drive("d1", "one")
    assert two.desk.is_driven("d1")
    assert not two.desk.write_down(ASKED, b"gone", is_left=True)
    one.dies()
    assert not two.desk.is_driven("d1")
    assert two.desk.write_down(ASKED, b"gone", is_left=True)
    with pytest.raises(DeployClosed):
        one.desk.drive("d1", "one")


def approve(host: Host) -> deploys.Held | None:
    return host.desk.change(
        "d1",
        lambda value: deploys.approved(value, epoch=4, candidate="r2"),
        noted=lambda asked: replace(asked, attempt="d1", candidate="r2", epoch=4),
    )


def test_an_abort_that_comes_while_the_candidate_is_approved_is_not_lost(
    one: Host, two: Host
) -> None:
    """It is noted in the request first: an approval made from before it would write over that."""
    one.desk.file(ASKED)
    assert one.desk.begin(VALUE)
    there = one.etcd.kept[deploys.Keys("app").request("d1")]
    one.before = lambda: two.etcd.apply(deploys.abort_asked(there, "mia"))
    assert approve(one) is not None
    asked = two.desk.asked("d1")
    assert (asked.candidate, asked.aborted_by) == ("r2", "mia")


def test_who_settles_for_another_says_nothing_of_a_request_that_has_changed_since(
    one: Host, two: Host
) -> None:
    """Its deployer came back meanwhile, had its candidate approved, and is gone again."""
    one.desk.file(ASKED)
    one.dies()
    assert one.desk.begin(VALUE)
    assert approve(one) is not None
    one.dies()
    assert not two.desk.write_down(ASKED, b"it was not approved", is_left=True)
    assert two.desk.write_down(two.desk.asked("d1"), b"gone", is_left=True)


def test_an_approval_that_somebody_closed_is_none(one: Host, two: Host) -> None:
    one.desk.file(ASKED)
    assert one.desk.begin(VALUE)

    first = approve(one)
    assert first is not None
    assert approve(one) == replace(first, revision=first.revision), "asked again it is the same"
    assert two.desk.asked("d1").candidate == "r2"
    one.dies()
    assert approve(one) is None
    assert two.desk.write_down(two.desk.asked("d1"), b"gone", is_left=True)
    assert approve(one) is None


def test_why_a_host_has_no_standby_is_known_until_it_has_one(one: Host, two: Host) -> None:
    one.desk.tell_made("one", "r2", "building")
    assert two.desk.builds() == (deploys.Build(host="one", release="r2", words="building"),)
    one.desk.tell_made("one", "r2", "")
    assert two.desk.builds() == ()


def test_lines_come_in_order_from_where_they_are_known(one: Host) -> None:
    for number in range(3):
        asked = replace(ASKED, request=f"d{number}", wants=f"{number}" * 40)
        one.desk.file(asked)
        one.desk.write_down(asked, b"%d" % number)
    assert (one.desk.count(), one.desk.lines_after(1)) == (3, [(2, b"1"), (3, b"2")])


@pytest.mark.parametrize("kind", ["take", "seize"])
def test_who_comes_to_own_by_an_approval_does_so_while_its_deploy_lives(
    one: Host, kind: str
) -> None:
    """The candidate may be the last to hear that its deployer's host is gone."""
    store = EtcdStore(one.cluster, app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS)
    store._session._client = one  # type: ignore[assignment] # noqa: SLF001
    store.create(owned())
    one.desk.file(ASKED)
    assert one.desk.begin(VALUE)
    held = one.desk.under_way()
    assert held is not None
    approved = replace(note(kind), approval=held.created)
    change = partial(take if kind == "take" else seize, by=B)
    one.before = one.dies
    with pytest.raises(Refused):
        store.transact(change, approved)
    assert store.read() == owned()
    with pytest.raises(Refused):
        store.transact(change, approved)
    assert one.desk.begin(VALUE)
    again = one.desk.under_way()
    assert again is not None
    record = store.transact(change, replace(note(kind), approval=again.created))
    assert record.ownership.owner == B
