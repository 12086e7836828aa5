"""An etcd put back within its newest cycle, and a home of which there is a copy."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from state.etcd.put_back import RepairRefused
from state.etcd_repair import KIND
from state.record import Control
from state.transitions import command
from tests.core.test_etcd_repair import elsewhere, owner, put_back_after
from tests.records import note, run_cycles

if TYPE_CHECKING:
    from state.etcd_store import EtcdStore
    from state.record import Record
    from tests.elsewhere import Elsewhere

__all__ = ["elsewhere", "owner"]  # its fixtures are these tests' too


def halt(store: EtcdStore) -> Record:
    control = Control(halted=True, by="mia")
    change = partial(command, control=control, attempt="halt")
    return store.transact(change, note("command"))


def test_a_halt_that_came_after_the_newest_cycle_is_brought_forward(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    """By cycle, phase and epoch nothing was forgotten: what was, is that nothing may be sent."""
    elsewhere.follow("second")
    kept = elsewhere.keep()
    halt(owner)
    elsewhere.follow("second")
    elsewhere.etcd = kept
    with pytest.raises(RepairRefused, match="not heard: second"):
        elsewhere.repair("host")
    done = elsewhere.repair("second")
    assert (done.was_older, done.carried, done.cycle) == (True, 1, 12)
    assert elsewhere.store("second").read().control.halted
    elsewhere.follow("host")
    assert elsewhere.prove("host")[-2:] == ["command", KIND]


@pytest.mark.parametrize("last", ["host", "second"])
def test_of_two_hosts_in_one_cycle_the_one_that_saw_the_halt_goes_furthest(
    elsewhere: Elsewhere, owner: EtcdStore, last: str
) -> None:
    elsewhere.follow("second")
    kept = elsewhere.keep()
    run_cycles(owner, 1)
    owner.keep_up()
    elsewhere.follow("second")
    halted, first = elsewhere.store("host"), next(iter({"host", "second"} - {last}))
    halt(halted)
    elsewhere.etcd = kept
    with pytest.raises(RepairRefused, match="not heard"):
        elsewhere.repair(first)
    if last == "second":
        with pytest.raises(RepairRefused, match=r"the journal of host .* goes furthest"):
            elsewhere.repair("second")
    done = elsewhere.repair("host")
    assert (done.was_older, done.cycle, done.carried) == (True, 13, 3)
    assert elsewhere.store("host").read().control.halted


def test_a_copy_of_a_home_does_not_speak_over_the_one_that_goes_further(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    """Both have one name in the etcd: what the first said would be forgotten, and its cycles."""
    shutil.copytree(elsewhere.home("host"), elsewhere.home("twin"))
    elsewhere.follow("second")
    put_back_after(elsewhere, owner)
    with pytest.raises(RepairRefused, match="not heard: second"):
        elsewhere.repair("host")
    with pytest.raises(RepairRefused, match=r"copy of this home .* cycle 15 settled"):
        elsewhere.repair("twin")
    with pytest.raises(RepairRefused, match=r"journal of host .* goes furthest"):
        elsewhere.repair("second")
    assert elsewhere.repair("host").cycle == 15
