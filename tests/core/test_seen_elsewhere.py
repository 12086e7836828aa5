"""What a deploy hears of another host by its home's mirror, which may lag and never leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from handoff.rollout.events import BakeEnded, CycleSettled, OwnershipReturned, Took
from handoff.rollout.seen_elsewhere import seen_in
from handoff.rollout.table import Deploy, Phase
from tests.records import A, B, decide, owned, seize, settle, take

if TYPE_CHECKING:
    from handoff.rollout.events import Event
    from state.record import Record

DEPLOY = Deploy("deploy-b", Phase.BAKING, release=B.release)
TAKEN = take(owned())


def seen(record: Record, deploy: Deploy = DEPLOY, *, epoch: int = 2) -> Event | None:
    return seen_in(record, deploy, epoch=epoch, why=lambda: "it hung")


def test_a_candidate_that_took_is_seen_where_nobody_told_of_it() -> None:
    ready = Deploy("deploy-b", Phase.READY, release=B.release)
    assert seen(TAKEN, ready, epoch=0) == Took(TAKEN.ownership.since_cycle, 0, bakes=True)
    assert seen(owned(), ready, epoch=0) is None


def test_a_cycle_of_the_bake_is_seen_once() -> None:
    record = settle(decide(TAKEN))
    assert seen(record) == CycleSettled(11, 1, 3)
    assert seen(record, Deploy("deploy-b", Phase.BAKING, release=B.release, clean_cycles=1)) is None


def test_the_end_of_a_bake_is_told_apart_by_who_owns_then() -> None:
    assert seen(replace(TAKEN, rollout=None)) == BakeEnded()
    assert seen(seize(TAKEN, A)) == OwnershipReturned("it hung")


def test_a_mirror_that_lags_behind_the_take_says_nothing() -> None:
    assert seen(owned()) is None
    assert seen(owned(), epoch=0) == OwnershipReturned("it hung"), "where nobody knows of a take"


@pytest.mark.parametrize("phase", [Phase.BUILDING, Phase.STARTING, Phase.GATING, Phase.READY])
def test_before_it_owned_nothing_is_returned(phase: Phase) -> None:
    assert seen(owned(), Deploy("deploy-b", phase, release=B.release), epoch=0) is None


def test_a_candidate_that_was_to_be_stopped_and_owned_is_seen_to_give_way() -> None:
    stopping = Deploy("deploy-b", Phase.STOPPING, release=B.release)
    assert seen(TAKEN, stopping) is None
    assert seen(seize(TAKEN, A), stopping) == OwnershipReturned("it hung")
    assert seen(owned(), stopping, epoch=0) is None
