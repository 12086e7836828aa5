"""A bake that is ended early: by whom, of what, and what the next cycles make of it.

An operator has seen enough. The one clean cycle that is still wanted proves that the release runs,
and until then the way back stands as it stood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from state.attempts import ATTEMPTS_MAX
from state.errors import Refusal, Refused
from state.record import Record, Rollout, encode_record
from state.transitions import Cleanliness
from tests.faulty_files import FaultyFiles, Killed
from tests.homes import open_store, prove
from tests.records import (
    OLD_SCHEMA,
    A,
    B,
    baking,
    decide,
    effect,
    miss,
    note,
    owned,
    promote,
    release,
    seize,
    settle,
    started,
    take,
    worker,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BACK = worker("a2", "r1")
AGAIN = worker("b2", "r2")


def refused(record: Record, step: Callable[[Record], Record]) -> Refused:
    before = encode_record(record)
    with pytest.raises(Refused) as caught:
        step(record)
    assert encode_record(record) == before
    return caught.value


def test_it_ends_with_the_next_clean_cycle_and_has_a_way_back_until_then() -> None:
    before = baking()
    promoted = promote(before)
    assert promoted.rollout == Rollout(deploy_id="deploy-b", clean_cycles=1, of=1)
    assert replace(promoted, rollout=before.rollout, attempt=before.attempt) == before
    unclean = settle(decide(promoted), cleanliness=Cleanliness.OUTSIDE)
    assert (unclean.rollout, unclean.ownership.previous) == (promoted.rollout, A)
    assert miss(unclean).rollout == promoted.rollout
    permanent = settle(decide(unclean))
    assert (permanent.rollout, permanent.fallback) == (None, None)
    assert (permanent.ownership.previous, permanent.ownership.owner) == (None, B)


def test_before_its_first_cycle_it_ends_with_that_one() -> None:
    promoted = promote(take(owned()))
    assert promoted.rollout == Rollout(deploy_id="deploy-b", clean_cycles=0, of=0)
    assert settle(decide(promoted)).rollout is None


def test_with_a_cycle_in_hand_it_ends_with_that_one() -> None:
    in_hand = promote(decide(baking()))
    assert in_hand.ownership.previous == A
    assert settle(in_hand).rollout is None


def test_said_twice_it_is_the_same_and_costs_no_cycle() -> None:
    once = promote(baking())
    twice = promote(once)
    assert (twice.rollout, twice.ownership) == (once.rollout, once.ownership)
    assert settle(decide(twice)).rollout is None


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"deploy": "deploy-a"}, "deploy deploy-a of r2 in epoch 2, found deploy-b of r2 in"),
        ({"release": "r1"}, "deploy deploy-b of r1 in epoch 2, found deploy-b of r2 in epoch 2"),
        ({"epoch": 1}, "deploy deploy-b of r2 in epoch 1, found deploy-b of r2 in epoch 2"),
        ({"epoch": 3}, "deploy deploy-b of r2 in epoch 3, found deploy-b of r2 in epoch 2"),
    ],
)
def test_another_bake_than_the_one_that_was_seen_is_left_alone(
    named: dict[str, str | int], words: str
) -> None:
    """Whoever looked at one release must not end the bake of another."""
    said = refused(baking(), lambda record: promote(record, **named))
    assert said.refusal is Refusal.EVIDENCE_STALE
    assert words in said.detail


def test_without_a_bake_there_is_nothing_to_end() -> None:
    seen = {"deploy": "deploy-b", "release": "r1", "epoch": 1}
    said = refused(owned(), lambda record: promote(record, **seen))
    assert said.refusal is Refusal.NOT_BAKING


def test_a_return_that_was_decided_goes_on_to_its_end() -> None:
    """The bad cycle gave ownership up; what is said then must not keep the release in charge."""
    for leaving in (release(baking()), baking()):
        back = seize(promote(leaving), BACK)
        assert (back.ownership.owner, back.ownership.previous) == (BACK, None)
        assert (back.rollout, back.fallback) == (None, None)
        assert (back.schema, bytes(back.body)) == (OLD_SCHEMA, b'{"old":11}')
    assert take(promote(baking()), BACK).rollout is None


def test_after_the_way_back_took_it_comes_too_late() -> None:
    """Also where the same release bakes once more: that is another bake, in another epoch."""
    seen = {"deploy": "deploy-b", "release": "r2", "epoch": 2}
    returned = take(baking(), BACK)
    said = refused(returned, lambda record: promote(record, **seen))
    assert said.refusal is Refusal.NOT_BAKING
    again = take(settle(decide(returned)), AGAIN)
    assert again.rollout is not None, "it bakes once more, by the same name"
    said = refused(again, lambda record: promote(record, **seen))
    assert said.refusal is Refusal.EVIDENCE_STALE


def test_a_release_that_dies_promoted_still_owes_a_clean_cycle() -> None:
    """Whoever comes after it finishes what it finds, and that proves nothing of the release."""
    for died in (promote(baking()), promote(decide(baking(), effect()))):
        back = seize(died, AGAIN)
        assert (back.rollout, back.ownership.previous) == (died.rollout, A)
        said = refused(back, lambda record: promote(record, epoch=2))
        assert said.refusal is Refusal.EVIDENCE_STALE, "its asker saw the worker that died"
    after = settle(seize(promote(decide(baking())), AGAIN), cleanliness=Cleanliness.OUTSIDE)
    assert after.ownership.previous == A
    assert settle(decide(after)).rollout is None


def test_a_cycle_that_is_given_up_makes_nothing_permanent() -> None:
    in_hand = promote(decide(baking()))
    spent = replace(in_hand, progress=replace(in_hand.progress, attempts=ATTEMPTS_MAX))
    after = settle(spent)
    assert (after.rollout, after.ownership.previous) == (in_hand.rollout, A)


def test_killed_at_any_call_of_it_the_next_clean_cycle_ends_the_bake_or_counts(
    tmp_path: Path,
) -> None:
    """Nothing lies between: the one cycle makes it permanent, or is one of three."""
    wanted, ends = [], []
    for count in range(99):
        files, home = FaultyFiles(), tmp_path / f"home{count}"
        store = started(open_store(home, files=files))
        store.transact(take, note("take"))
        store.transact(decide, note("decide"))
        store.transact(settle, note("settle"))
        files.kill_at(count)
        is_killed = False
        try:
            store.transact(promote, note("command"))
        except Killed:
            is_killed = True
        survivor = open_store(home)
        found = survivor.read().rollout
        assert found is not None
        wanted.append(found.of)
        survivor.transact(decide, note("decide"))
        ends.append(survivor.transact(settle, note("settle")).ownership.previous)
        assert prove(home).ownership.previous == ends[-1]
        if not is_killed:
            break
    assert wanted == sorted(wanted, reverse=True)
    assert set(wanted) == {3, 1}
    assert ends == [A if of > 1 else None for of in wanted]
    assert len(wanted) > 10
