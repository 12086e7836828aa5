"""Which step of a deploy an etcd takes and which it refuses, tried on a model of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from state.etcd import deploys as plans
from state.etcd import keys as record_keys
from state.etcd import wire
from state.etcd.deploys import Asked, UnderWay
from state.open_struct import encode_open
from tests.etcd_model import LeaseMissing, ModelEtcd

KEYS = plans.Keys("app")
COMMIT = "a" * 40


def asked(request: str = "d1", wants: str = COMMIT, host: str = "one", at: int = 1) -> Asked:
    return Asked(request=request, wants=wants, host=host, asked_ns=at)


def under_way(request: str = "d1", host: str = "one") -> UnderWay:
    return UnderWay(request=request, attempt=request, host=host)


def held(etcd: ModelEtcd) -> plans.Held:
    found = plans.held_in(etcd.kept.get(KEYS.deploy))
    assert found is not None
    return found


def begun(*others: Asked) -> tuple[ModelEtcd, int]:
    """An etcd with requests, of which the first is under way, and the lease of its deployer."""
    etcd = ModelEtcd()
    for each in (asked(), *others):
        assert etcd.apply(plans.filing(KEYS, each)).succeeded
    lease = etcd.grant()
    assert etcd.apply(plans.beginning(KEYS, under_way(), lease=lease)).succeeded
    return etcd, lease


def lines(etcd: ModelEtcd) -> list[bytes]:
    steps = (wire.get(*KEYS.lines(1)),)
    return [each.value for each in etcd.apply(wire.Transaction(success=steps)).found().values()]


def read_at(etcd: ModelEtcd, request: Asked) -> int:
    there = etcd.kept.get(KEYS.request(request.request))
    return there.mod_revision if there else 0


def end(
    etcd: ModelEtcd,
    request: Asked,
    *,
    number: int = 1,
    is_left: bool = False,
    **changes: Any,  # noqa: ANN401
) -> bool:
    if is_left or "following" in changes:
        changes["read_at"] = read_at(etcd, request) or 1
    changes["is_left"] = is_left
    return etcd.apply(plans.ending(KEYS, request, b"line", number=number, **changes)).succeeded


def test_of_two_open_requests_for_one_commit_one_is_filed_and_the_other_is_told_which() -> None:
    etcd = ModelEtcd()
    assert etcd.apply(plans.filing(KEYS, asked())).succeeded
    answer = etcd.apply(plans.filing(KEYS, asked("d2", host="other")))
    assert not answer.succeeded
    found = answer.found()
    assert found.pop(KEYS.wanted(COMMIT)).value == b"d1"
    assert plans.asked_in(found) == (asked(),)
    assert etcd.apply(plans.filing(KEYS, asked("d3", "b" * 40))).succeeded
    assert end(etcd, asked())
    assert etcd.apply(plans.filing(KEYS, asked("d2"))).succeeded, "what ended may be wanted again"


def test_one_deploy_is_under_way_and_it_is_over_with_its_deployers_lease() -> None:
    etcd, lease = begun(asked("d2", "b" * 40))
    second = plans.beginning(KEYS, under_way("d2"), lease=etcd.grant())
    assert not etcd.apply(second).succeeded
    etcd.revoke(lease)
    assert etcd.apply(second).succeeded
    assert held(etcd).value.request == "d2"


def test_a_deploy_whose_request_somebody_has_closed_does_not_begin() -> None:
    etcd, lease = begun()
    etcd.revoke(lease)
    assert end(etcd, asked(), is_left=True)
    again = plans.beginning(KEYS, under_way(), lease=etcd.grant())
    assert not etcd.apply(again).succeeded
    assert not end(etcd, asked(), number=2, is_left=True), "it ended once"
    assert lines(etcd) == [b"line"]


def test_of_two_who_change_the_deploy_under_way_the_second_looks_again() -> None:
    etcd, _ = begun()
    seen = held(etcd)
    aborted = replace(seen.value, abort="mia")
    assert etcd.apply(plans.changing(KEYS, seen, aborted)).succeeded
    late = plans.changing(KEYS, seen, replace(seen.value, phase="gating"))
    assert not etcd.apply(late).succeeded
    assert held(etcd).value.abort == "mia"
    assert held(etcd).created == seen.created


def test_who_changes_the_deploy_of_another_leaves_it_that_ones_lease() -> None:
    """An owner that steps aside writes where a deployer lives, and it may die meanwhile."""
    etcd, lease = begun()
    seen = held(etcd)
    steps_aside = plans.yielding(seen.value, epoch=3, until_ns=9)
    assert etcd.apply(plans.changing(KEYS, seen, steps_aside)).succeeded
    etcd.revoke(lease)
    assert KEYS.deploy not in etcd.kept
    with pytest.raises(LeaseMissing):
        etcd.apply(wire.Transaction(success=plans.changing(KEYS, seen, steps_aside).success))


def test_a_deployer_that_comes_back_goes_on_under_another_lease_and_its_approval_holds() -> None:
    etcd, lease = begun()
    seen = held(etcd)
    again = plans.changing(KEYS, seen, seen.value, lease=etcd.grant())
    assert etcd.apply(again).succeeded
    etcd.revoke(lease)
    assert held(etcd).created == seen.created


def test_an_approval_is_void_once_its_deploy_is_over_also_if_another_is_under_way() -> None:
    etcd, lease = begun()
    approval = plans.approval(KEYS, held(etcd).created)
    assert etcd.apply(approval).succeeded
    approved = plans.approved(held(etcd).value, epoch=4, candidate="r2")
    assert etcd.apply(plans.changing(KEYS, held(etcd), approved)).succeeded
    assert etcd.apply(approval).succeeded, "whatever is written there since"
    etcd.revoke(lease)
    assert not etcd.apply(approval).succeeded
    assert etcd.apply(plans.beginning(KEYS, under_way(), lease=etcd.grant())).succeeded
    assert not etcd.apply(approval).succeeded


def test_an_approval_is_noted_in_the_request_which_outlives_the_deployer() -> None:
    etcd, lease = begun()
    noted = replace(asked(), attempt="d1", candidate="r2")
    approved = plans.approved(held(etcd).value, epoch=4, candidate="r2")
    revision = read_at(etcd, noted)
    noting = plans.changing(KEYS, held(etcd), approved, asked=noted, revision=revision)
    assert etcd.apply(noting).succeeded
    etcd.revoke(lease)
    found = etcd.apply(wire.Transaction(success=(wire.get(*KEYS.requests),))).found()
    assert plans.asked_in(found) == (noted,)
    assert end(etcd, noted, is_left=True)
    assert etcd.apply(plans.beginning(KEYS, under_way(), lease=0)).succeeded is False


def test_a_deploy_that_somebody_closed_is_approved_by_nobody() -> None:
    etcd, _ = begun()
    seen, revision = held(etcd), read_at(etcd, asked())
    assert end(etcd, asked())
    approved = plans.approved(seen.value, epoch=4, candidate="r2")
    changing = plans.changing(KEYS, seen, approved, asked=asked(), revision=revision)
    assert not etcd.apply(changing).succeeded


def test_who_settles_for_another_is_refused_while_its_deployer_lives() -> None:
    etcd, lease = begun()
    assert not end(etcd, asked(), is_left=True)
    etcd.revoke(lease)
    assert end(etcd, asked(), is_left=True)


def test_a_deploy_that_ends_while_it_waits_leaves_the_one_under_way_alone() -> None:
    etcd, _ = begun(asked("d2", "b" * 40))
    assert end(etcd, asked("d2", "b" * 40))
    assert held(etcd).value.request == "d1"
    assert end(etcd, asked(), number=2, created=held(etcd).created)
    assert KEYS.deploy not in etcd.kept


def test_a_try_that_is_followed_by_another_leaves_its_request_open() -> None:
    etcd, _ = begun()
    assert end(etcd, asked(), following=asked(), created=held(etcd).created)
    assert KEYS.deploy not in etcd.kept, "others have their turn meanwhile"
    assert end(etcd, asked(), number=2)
    assert lines(etcd) == [b"line"] * 2


def test_a_request_that_waits_for_its_turn_is_settled_by_nobody_while_its_deployer_lives() -> None:
    waiting = asked("d2", "b" * 40)
    etcd, _ = begun(waiting)
    lease = etcd.grant()
    assert etcd.apply(plans.driving(KEYS, "d2", "other", lease=lease)).succeeded
    assert not end(etcd, waiting, is_left=True)
    etcd.revoke(lease)
    assert end(etcd, waiting, is_left=True)
    assert not etcd.apply(plans.driving(KEYS, "d2", "other", lease=etcd.grant())).succeeded
    assert held(etcd).value.request == "d1"


def test_of_two_lines_with_one_number_the_second_is_refused() -> None:
    etcd, _ = begun(asked("d2", "b" * 40))
    assert end(etcd, asked(), created=held(etcd).created)
    assert not end(etcd, asked("d2", "b" * 40))
    assert end(
        etcd,
        asked("d2", "b" * 40),
        number=2,
    )


def test_the_newest_thousand_lines_are_kept() -> None:
    etcd, _ = begun()
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.ended, b"%d" % plans.ENDED_KEPT),)))
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.line(1), b"first"),)))
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.line(2), b"second"),)))
    assert end(etcd, asked(), number=plans.ENDED_KEPT + 1, created=held(etcd).created)
    assert lines(etcd) == [b"second", b"line"]


def test_a_wish_holds_in_the_epoch_that_it_names_and_in_no_other() -> None:
    value = plans.approved(under_way(), epoch=4, candidate="r2")
    assert (plans.waits(value, epoch=4), plans.waits(value, epoch=5)) == (True, False)
    aside = plans.yielding(value, epoch=4, until_ns=9)
    assert plans.waits(aside, epoch=4)
    assert (plans.gap_until_ns(aside, epoch=4), plans.gap_until_ns(aside, epoch=5)) == (9, 0)
    back = plans.asked_back(aside, epoch=5)
    assert (plans.is_asked_back(back, epoch=5), plans.is_asked_back(back, epoch=4)) == (True, False)
    assert (back.waiting, back.yield_until_ns, back.go) == (False, 0, True)


def test_what_a_newer_release_says_beside_it_survives() -> None:
    data = encode_open(under_way())[:-1] + b',"newer":[1]}'
    kv = wire.KeyValue(key=b"k", value=data, mod_revision=2, create_revision=1, lease=7)
    found = plans.held_in(kv)
    assert found is not None
    again = encode_open(plans.asked_back(found.value, epoch=2))
    assert msgspec.json.decode(again)["newer"] == [1]
    assert (found.revision, found.created, found.lease) == (2, 1, 7)
    assert plans.held_in(None) is None
    assert plans.held_in(wire.KeyValue(key=b"k", value=b'{"other":1}')) is None


def test_keys_of_deploys_are_none_of_the_records() -> None:
    record = record_keys.Keys("app")
    names = {KEYS.deploy, KEYS.ended, KEYS.request("d1"), KEYS.wanted("x"), KEYS.line(1)}
    assert not names & {record.record, record.head, record.counter, record.owner, record.account}
