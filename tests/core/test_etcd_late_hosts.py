"""Which cycles each host beside an etcd has, and what one that is back late still proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from state.coverage import proven_nowhere
from state.etcd import keys as plans
from state.journal_frames import CHECKPOINT_CYCLES
from state.journal_reader import unproven_cycles
from tests.core.test_etcd_repair import elsewhere, owner
from tests.records import B, note, run_cycles, seize

if TYPE_CHECKING:
    from state.etcd_store import EtcdStore
    from tests.elsewhere import Elsewhere

__all__ = ["elsewhere", "owner"]  # its fixtures are these tests' too


def test_each_home_says_which_cycles_it_has_and_again_at_each_checkpoint(
    elsewhere: Elsewhere, owner: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes too late for one is proven by the other."""
    monkeypatch.setattr(plans, "LINES_KEPT", 30)
    run_cycles(owner, CHECKPOINT_CYCLES)
    late = elsewhere.store("late")
    late.keep_up()
    found = {each.host: each for each in late.journals()}
    (hole,) = unproven_cycles(elsewhere.home("late") / "journal")
    assert found["late"].holes == (hole,)
    assert (found["host"].holes, found["host"].last) == ((), CHECKPOINT_CYCLES)
    assert proven_nowhere([hole], [found["host"].covered]) == ()
    assert proven_nowhere([hole], [found["late"].covered]) == (hole,)


@pytest.mark.parametrize("given_up", [False, True])
def test_a_host_that_is_back_late_proves_nothing_that_it_followed_after_a_copy_was_made(
    elsewhere: Elsewhere, owner: EtcdStore, monkeypatch: pytest.MonkeyPatch, *, given_up: bool
) -> None:
    """Etcd keeps no line of then: what it has of those cycles may have happened otherwise."""
    elsewhere.follow("second")
    kept = elsewhere.keep()
    run_cycles(owner, 2)
    owner.keep_up()
    if given_up:
        elsewhere.follow("second")
        run_cycles(owner, 1)
    elsewhere.etcd = kept
    if given_up:
        elsewhere.repair("second", "host")
    monkeypatch.setattr(plans, "LINES_KEPT", 30)
    second = elsewhere.store("second")
    second.transact(lambda record: seize(record, B), note("seize"))
    run_cycles(second, CHECKPOINT_CYCLES)
    second.keep_up()
    elsewhere.follow("host")
    (hole,) = unproven_cycles(elsewhere.home("host") / "journal")
    found = {each.host: each.covered for each in second.journals()}
    assert hole.first == (0 if given_up else 13)
    assert proven_nowhere([hole], [found["host"]]) == (hole,)
    assert proven_nowhere([hole], [found["second"]]) == ()
    elsewhere.prove("host")
