"""Who gets a place in the outbox, who gets a fate, who ends, and what never blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from state.errors import Refusal, Refused
from state.outbox import NO_ROOM, PENDING_MAX, PLANNED_MAX, given_up, planned_in, with_room
from state.record import Delivery, Fate, Outcome
from state.transitions import Proof
from tests.records import (
    B,
    confirmed,
    decide,
    effect,
    owned,
    receipt,
    seize,
    settle,
    take,
    worker,
)

if TYPE_CHECKING:
    from state.record import Effect, Record


def carried(count: int) -> tuple[Effect, ...]:
    return tuple(effect(f"carried-{number}", fate=Fate.DOUBTFUL) for number in range(count))


def full(room: int) -> Record:
    """A settled record in whose outbox so many places are free."""
    return replace(owned(), outbox=carried(PENDING_MAX - room))


def orders(count: int) -> tuple[Effect, ...]:
    return tuple(effect(f"order-{number}") for number in range(count))


def test_a_decision_plans_a_thousand_effects_and_no_more() -> None:
    assert len(decide(owned(), *orders(PLANNED_MAX)).outbox) == PLANNED_MAX
    with pytest.raises(Refused) as caught:
        decide(owned(), *orders(PLANNED_MAX + 1))
    assert caught.value.refusal is Refusal.TOO_MANY_EFFECTS


def test_the_bounds_are_those_that_the_guide_names() -> None:
    assert (PLANNED_MAX, PENDING_MAX) == (1024, 4096)


def test_an_effect_is_planned_as_one_that_nobody_has_touched() -> None:
    touched = effect(fate=Fate.DOUBTFUL, unproven=True, cycle=3)
    assert planned_in(7, [touched]) == (effect(cycle=7),)


def test_what_finds_no_room_is_refused_unsent_and_the_decision_stands() -> None:
    """A venue that answers nothing for hours must not stop a bot from deciding."""
    decided = decide(full(room=2), *orders(5))
    sendable = with_room(decided.outbox)
    assert [each.effect_id for each in sendable[-2:]] == ["order-0", "order-1"]
    fates = {name: receipt(name) for name in ("order-0", "order-1")}
    after = settle(decided, fates)
    assert len(after.outbox) == PENDING_MAX - 2
    refused = after.receipts[2:]
    assert [each.effect_id for each in refused] == ["order-2", "order-3", "order-4"]
    assert {(each.outcome, each.reason) for each in refused} == {(Outcome.REFUSED, NO_ROOM)}


def test_a_full_outbox_blocks_nobody() -> None:
    """It was a deadlock: no decision, no deploy, not even of the release that would mend it."""
    record = settle(decide(full(room=0), effect("new")), {})
    assert [each.effect_id for each in record.receipts] == ["new"]
    record = settle(decide(record), {})
    assert take(record).ownership.owner == B


def test_what_found_no_room_has_no_other_fate() -> None:
    """Whoever gives it one has sent it, and must not have."""
    decided = decide(full(room=0), effect("new"))
    for fate in (receipt("new"), Fate.DOUBTFUL):
        with pytest.raises(Refused) as caught:
            settle(decided, {"new": fate})
        assert caught.value.refusal is Refusal.EFFECT_UNKNOWN


def test_the_next_owner_leaves_out_the_same_effects() -> None:
    decided = decide(full(room=1), *orders(3))
    for proof in (Proof.DEAD, Proof.LEASE_ENDED):
        after = seize(decided, worker("heir"), proof=proof)
        assert [each.effect_id for each in with_room(after.outbox)[PENDING_MAX - 1 :]] == [
            "order-0"
        ]
        assert [each.effect_id for each in settle(after, given_up(after.outbox)).receipts] == [
            "order-1",
            "order-2",
        ]


def test_an_effect_at_most_once_ends_where_it_would_be_doubtful() -> None:
    """Nobody can ask about it, so nobody would ever end it."""
    decided = decide(owned(), effect(delivery=Delivery.AT_MOST_ONCE))
    after = settle(decided, {"order-1": Fate.DOUBTFUL})
    assert after.outbox == ()
    assert [each.outcome for each in after.receipts] == [Outcome.UNKNOWN]
    assert settle(decided, confirmed(decided)).receipts == (receipt(),)


def test_an_effect_at_least_once_is_carried_until_it_has_a_receipt() -> None:
    wanted = effect(delivery=Delivery.AT_LEAST_ONCE)
    record = settle(decide(owned(), wanted), {"order-1": Fate.DOUBTFUL})
    record = settle(decide(take(record)), {})
    assert [each.fate for each in record.outbox] == [Fate.DOUBTFUL]
    record = settle(decide(record), {"order-1": receipt()})
    assert (record.outbox, record.receipts) == ((), (receipt(),))


@pytest.mark.parametrize("proof", [Proof.DEAD, Proof.OVERDUE])
def test_an_owner_that_is_proven_dead_leaves_planned_effects_planned(proof: Proof) -> None:
    decided = decide(owned(), effect())
    assert seize(decided, worker("heir"), proof=proof).outbox == decided.outbox


def test_an_owner_that_may_live_leaves_its_effects_doubtful_and_marked() -> None:
    """Its lease ended: it writes no more, but a request of it may still go out."""
    old = effect("old", fate=Fate.DOUBTFUL)
    decided = replace(decide(owned(), effect()), outbox=(old, effect(cycle=11)))
    after = seize(decided, worker("heir"), proof=Proof.LEASE_ENDED)
    marked = effect(cycle=11, fate=Fate.DOUBTFUL, unproven=True)
    assert after.outbox == (old, marked)
    later = seize(after, worker("another"), proof=Proof.DEAD)
    assert later.outbox == after.outbox, "the death of its standby proves nothing of it"
    assert settle(later, {}).outbox == (old, marked)


def test_a_cycle_is_given_up_without_a_word_on_what_was_doubtful_before() -> None:
    old = effect("old", fate=Fate.DOUBTFUL)
    assert given_up((old, effect("new"))) == {"new": Fate.DOUBTFUL}
