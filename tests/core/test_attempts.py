"""A cycle that no owner survives is given up, and nothing else ever is."""

from __future__ import annotations

import pytest

from state import transitions
from state.attempts import ATTEMPTS_MAX, attempts_after_seize, attempts_spent
from state.errors import Refusal, Refused
from state.outbox import given_up
from state.record import Delivery, Fate, Outcome, Record, WorkerId
from state.transitions import Proof
from tests.records import (
    A,
    B,
    C,
    costing,
    decide,
    effect,
    miss,
    owned,
    receipt,
    release,
    seize,
    settle,
    take,
    worker,
)

STANDBY = worker("heir", "r1")


def attempts(record: Record) -> int:
    return record.progress.attempts


def test_an_owner_that_died_after_its_step_was_due_is_counted() -> None:
    assert attempts(seize(owned(), STANDBY, due=True)) == 1
    assert attempts(costing(owned(), 2)) == 2


def test_an_owner_that_died_before_the_boundary_is_not() -> None:
    """It died of something else: the next cycle had not begun."""
    assert attempts(seize(owned(), STANDBY, due=False)) == 0
    assert attempts(seize(costing(owned(), 2), STANDBY, due=False)) == 2


def test_with_a_cycle_in_hand_the_boundary_has_passed() -> None:
    """Whatever the clock of the standby says: the cycle was decided."""
    assert attempts(seize(decide(owned()), STANDBY, due=False)) == 1


def test_an_ordinary_stop_and_start_costs_nothing() -> None:
    """Nobody owned, so nobody came to grief; what was counted before still stands."""
    assert attempts(seize(release(owned()), STANDBY, proof=Proof.NONE, due=True)) == 0
    stopped = release(costing(owned(), 2))
    assert attempts(seize(stopped, STANDBY, proof=Proof.NONE, due=True)) == 2


def test_another_release_starts_anew() -> None:
    """It may be the remedy: a deploy of the fix must not inherit what its forerunner cost."""
    assert attempts(take(costing(owned(), 2))) == 0
    assert attempts(seize(costing(owned(), 2), B, due=True)) == 0
    baking = costing(take(owned()), 2, release="r2")
    assert attempts(baking) == 2
    assert attempts(seize(baking, worker("a2", "r1"), due=True)) == 0
    assert attempts(take(baking, worker("a2", "r1"))) == 0


def test_a_take_within_the_release_changes_nothing() -> None:
    assert attempts(take(costing(owned(), 2), worker("next", "r1"))) == 2


def test_the_count_ends_at_its_limit() -> None:
    spent = costing(owned(), ATTEMPTS_MAX + 2)
    assert attempts(spent) == ATTEMPTS_MAX
    assert attempts_spent(spent)
    assert not attempts_spent(costing(owned(), ATTEMPTS_MAX - 1))


def test_the_limit_is_three_owners() -> None:
    """Two may be chance, and each more is an owner that dies of what is known already."""
    assert not attempts_spent(costing(owned(), 2))
    assert attempts_spent(costing(owned(), 3))


@pytest.mark.parametrize("standby", [STANDBY, C], ids=["of the release", "of another"])
def test_what_a_seize_would_cost_can_be_asked_before(standby: WorkerId) -> None:
    """In a bake a worker that would reach the limit leaves instead of seizing."""
    before = costing(owned(), 2)
    foreseen = attempts_after_seize(before, worker=standby, due=True)
    assert foreseen == attempts(seize(before, standby, due=True))


def test_each_step_forward_pays_for_what_it_cost() -> None:
    two = costing(owned(), 2)
    assert attempts(decide(two)) == 0
    assert attempts(miss(two)) == 0
    in_hand = costing(decide(owned()), 2)
    assert attempts(settle(in_hand)) == 0


def test_at_the_limit_the_next_cycle_can_only_be_given_up() -> None:
    spent = costing(owned(), ATTEMPTS_MAX)
    with pytest.raises(Refused) as caught:
        decide(spent)
    assert caught.value.refusal is Refusal.ATTEMPTS_SPENT
    after = miss(spent)
    assert (after.progress.cycle, attempts(after)) == (11, 0)
    assert decide(after).progress.cycle == 12


def test_at_the_limit_a_decided_cycle_is_settled_without_asking() -> None:
    """What the owner calls may be what kills: no receipt can be in that write."""
    orders = (
        effect("by-id"),
        effect("once", delivery=Delivery.AT_MOST_ONCE),
        effect("again", delivery=Delivery.AT_LEAST_ONCE),
    )
    spent = costing(decide(owned(), *orders), ATTEMPTS_MAX)
    with pytest.raises(Refused) as caught:
        settle(spent, {**given_up(spent.outbox), "by-id": receipt("by-id")})
    assert caught.value.refusal is Refusal.ATTEMPTS_SPENT
    after = settle(spent, given_up(spent.outbox))
    assert attempts(after) == 0
    assert [(each.effect_id, each.fate) for each in after.outbox] == [
        ("by-id", Fate.DOUBTFUL),
        ("again", Fate.DOUBTFUL),
    ]
    assert [(each.effect_id, each.outcome) for each in after.receipts] == [
        ("once", Outcome.UNKNOWN)
    ]


def test_a_decided_cycle_is_never_missed() -> None:
    with pytest.raises(Refused) as caught:
        miss(costing(decide(owned()), ATTEMPTS_MAX))
    assert caught.value.refusal is Refusal.NOT_SETTLED


def test_a_cycle_that_is_given_up_is_never_clean() -> None:
    """A release that kills its owners must not become permanent by it."""
    baking = costing(decide(take(owned(), of=1)), ATTEMPTS_MAX, release="r2")
    after = settle(baking, {})
    assert after.rollout == baking.rollout
    assert after.ownership.previous == A
    clean = settle(costing(decide(take(owned(), of=1)), ATTEMPTS_MAX - 1, release="r2"), {})
    assert clean.rollout is None


def test_the_owner_of_a_step_that_is_spent_may_still_leave() -> None:
    after = transitions.release(
        costing(owned(), ATTEMPTS_MAX),
        worker=worker(f"standby{ATTEMPTS_MAX - 1}"),
        epoch=1 + ATTEMPTS_MAX,
        attempt="r",
    )
    assert attempts(after) == ATTEMPTS_MAX
