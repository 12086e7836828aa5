"""Every transition: what it changes, and every reason for which it changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state import transitions
from state.errors import Refusal, Refused
from state.record import (
    MISSED_KEPT_MAX,
    Evidence,
    Fate,
    Outcome,
    Phase,
    Record,
    Rollout,
    encode_record,
    evidence_of,
)
from state.transitions import Cleanliness, Proof
from tests.records import (
    FAR_NS,
    OLD_SCHEMA,
    SCHEMA,
    A,
    B,
    C,
    baking,
    decide,
    effect,
    empty,
    halted,
    miss,
    owned,
    receipt,
    release,
    seize,
    settle,
    take,
    worker,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.outbox import Fates


def planned(record: Record) -> Record:
    """A settled record that still has a planned effect: no transition makes one, a bug might."""
    return replace(record, outbox=(effect(),))


def stale(record: Record) -> Evidence:
    return replace(evidence_of(record), cycle=record.progress.cycle - 1)


REFUSALS: dict[str, tuple[Refusal, Record, Callable[[Record], Record]]] = {
    "take on stale evidence": (
        Refusal.EVIDENCE_STALE,
        owned(),
        lambda record: take(record, seen=stale(record)),
    ),
    "take on another epoch": (
        Refusal.EVIDENCE_STALE,
        owned(),
        lambda record: take(record, seen=replace(evidence_of(record), epoch=0)),
    ),
    "take on another owner": (
        Refusal.EVIDENCE_STALE,
        owned(),
        lambda record: take(record, seen=replace(evidence_of(record), owner=B)),
    ),
    "take by the owner": (Refusal.ALREADY_OWNER, owned(), lambda record: take(record, A)),
    "take with a cycle in hand": (Refusal.NOT_SETTLED, decide(owned()), take),
    "take with a planned effect": (Refusal.EFFECT_PENDING, planned(owned()), take),
    "take during a bake": (Refusal.BAKING, baking(), lambda record: take(record, C)),
    "take at the deadline": (
        Refusal.TOO_LATE,
        owned(),
        lambda record: take(record, now_ns=FAR_NS, deadline_ns=FAR_NS),
    ),
    "return at the deadline": (
        Refusal.TOO_LATE,
        baking(),
        lambda record: take(record, worker("a2", "r1"), now_ns=FAR_NS, deadline_ns=FAR_NS),
    ),
    "seize on stale evidence": (
        Refusal.EVIDENCE_STALE,
        owned(),
        lambda record: transitions.seize(
            record, worker=B, seen=stale(record), proof=Proof.DEAD, attempt="s"
        ),
    ),
    "seize on another phase": (
        Refusal.EVIDENCE_STALE,
        owned(),
        lambda record: transitions.seize(
            record,
            worker=B,
            seen=replace(evidence_of(record), phase=Phase.DECIDED),
            proof=Proof.DEAD,
            attempt="s",
        ),
    ),
    "seize by the owner": (Refusal.ALREADY_OWNER, owned(), lambda record: seize(record, A)),
    "seize by a third release during a bake": (
        Refusal.BAKING,
        baking(),
        lambda record: seize(record, C, rollout=Rollout(deploy_id="d", of=3)),
    ),
    "seize without proof": (
        Refusal.OWNER_ALIVE,
        owned(),
        lambda record: seize(record, B, proof=Proof.NONE),
    ),
    "decide by another worker": (
        Refusal.NOT_OWNER,
        owned(),
        lambda record: decide(record, worker=B),
    ),
    "decide with an old epoch": (
        Refusal.NOT_OWNER,
        owned(),
        lambda record: decide(record, epoch=0),
    ),
    "decide without an owner": (
        Refusal.NOT_OWNER,
        empty(),
        lambda record: decide(record, worker=A),
    ),
    "decide twice": (
        Refusal.NOT_SETTLED,
        decide(owned()),
        lambda record: decide(record, cycle=11),
    ),
    "decide a cycle again": (
        Refusal.OUT_OF_ORDER,
        owned(),
        lambda record: decide(record, cycle=10),
    ),
    "decide beyond the next": (
        Refusal.OUT_OF_ORDER,
        owned(),
        lambda record: decide(record, cycle=12),
    ),
    "decide with a planned effect": (Refusal.EFFECT_PENDING, planned(owned()), decide),
    "decide with an effect of the outbox": (
        Refusal.EFFECT_REPEATED,
        replace(owned(), outbox=(effect(fate=Fate.DOUBTFUL),)),
        lambda record: decide(record, effect()),
    ),
    "decide with an effect twice": (
        Refusal.EFFECT_REPEATED,
        owned(),
        lambda record: decide(record, effect(), effect()),
    ),
    "decide with effects while halted": (
        Refusal.HALTED,
        halted(owned()),
        lambda record: decide(record, effect()),
    ),
    "settle by another worker": (Refusal.NOT_OWNER, decide(owned()), partial(settle, worker=B)),
    "settle what is settled": (Refusal.NOT_DECIDED, owned(), settle),
    "settle another cycle": (Refusal.NOT_DECIDED, decide(owned()), partial(settle, cycle=10)),
    "settle an effect nobody planned": (
        Refusal.EFFECT_UNKNOWN,
        decide(owned()),
        lambda record: settle(record, {"other": receipt("other")}),
    ),
    "settle an effect with the receipt of another": (
        Refusal.EFFECT_UNKNOWN,
        decide(owned(), effect(), effect("other")),
        lambda record: settle(record, {"order-1": receipt("other"), "other": receipt("order-1")}),
    ),
    "settle without a fate": (
        Refusal.EFFECT_PENDING,
        decide(owned(), effect()),
        lambda record: settle(record, {}),
    ),
    "settle as planned": (
        Refusal.EFFECT_PENDING,
        decide(owned(), effect()),
        lambda record: settle(record, {"order-1": Fate.PLANNED}),
    ),
    "miss by another worker": (Refusal.NOT_OWNER, owned(), lambda record: miss(record, worker=B)),
    "miss with a cycle in hand": (Refusal.NOT_SETTLED, decide(owned()), miss),
    "miss beyond the next": (
        Refusal.OUT_OF_ORDER,
        owned(),
        lambda record: miss(record, cycle=12),
    ),
    "release by another worker": (
        Refusal.NOT_OWNER,
        owned(),
        lambda record: release(record, worker=B),
    ),
    "release with a cycle in hand": (Refusal.NOT_SETTLED, decide(owned()), release),
}


@pytest.mark.parametrize("name", list(REFUSALS))
def test_what_is_not_allowed_is_refused_and_changes_nothing(name: str) -> None:
    refusal, record, step = REFUSALS[name]
    before = encode_record(record)
    with pytest.raises(Refused) as caught:
        step(record)
    assert caught.value.refusal is refusal
    assert caught.value.detail
    assert encode_record(record) == before


def test_take_makes_the_candidate_owner_from_the_next_cycle_and_leaves_the_body() -> None:
    before = settle(decide(owned()))
    after = take(before)
    held = after.ownership
    assert (held.epoch, held.owner, held.last_owner, held.since_cycle) == (2, B, A, 12)
    assert held.previous == A
    assert after.rollout == Rollout(deploy_id="deploy-b", of=3)
    assert (after.body, after.schema, after.progress) == (
        before.body,
        before.schema,
        before.progress,
    )
    assert after.attempt == "take-b"
    assert after.fallback is None


def test_take_just_before_the_deadline_is_in_time() -> None:
    assert take(owned(), now_ns=FAR_NS - 1, deadline_ns=FAR_NS).ownership.owner == B


def test_take_without_a_bake_is_permanent_at_once() -> None:
    after = take(owned(), of=0)
    assert after.rollout is None
    assert after.ownership.previous is None


def test_the_first_owner_ever_does_not_bake() -> None:
    """There is nobody to return to."""
    after = take(empty())
    assert after.rollout is None
    assert after.ownership.previous is None


def test_take_of_a_released_record_keeps_the_last_owner_as_the_way_back() -> None:
    after = take(release(owned()))
    assert after.ownership.previous == A
    assert after.ownership.last_owner == A


def test_a_taker_whose_owner_decided_first_is_refused() -> None:
    """`take` and `decide` are one race: whichever is applied first, the other is refused."""
    record = owned()
    seen = evidence_of(record)
    with pytest.raises(Refused) as caught:
        take(decide(record), seen=seen)
    assert caught.value.refusal is Refusal.EVIDENCE_STALE
    with pytest.raises(Refused) as caught:
        decide(take(record), worker=A, epoch=1)
    assert caught.value.refusal is Refusal.NOT_OWNER


def test_the_previous_release_takes_back_with_a_body_that_it_reads() -> None:
    back = take(baking(), worker("a2", "r1"))
    assert back.ownership.owner == worker("a2", "r1")
    assert back.ownership.previous is None
    assert back.rollout is None
    assert back.fallback is None
    assert back.schema == OLD_SCHEMA
    assert bytes(back.body) == b'{"old":11}'


def test_a_return_before_the_first_decision_finds_its_own_body_untouched() -> None:
    before = settle(decide(owned(), fallback=None))
    back = take(take(before), worker("a2", "r1"))
    assert back.body == before.body
    assert back.schema == SCHEMA
    assert back.rollout is None
    assert back.ownership.epoch == 3


def test_anyone_warm_may_seize_what_nobody_owns() -> None:
    after = seize(release(settle(decide(owned()))), B, proof=Proof.NONE)
    held = after.ownership
    assert (held.epoch, held.owner, held.last_owner, held.since_cycle) == (2, B, A, 12)


@pytest.mark.parametrize("proof", [Proof.DEAD, Proof.OVERDUE])
def test_a_seized_cycle_in_hand_stays_in_hand(proof: Proof) -> None:
    """The new owner has to find out what became of effects that it did not send."""
    before = decide(owned(), effect())
    after = seize(before, B, proof=proof)
    assert after.progress == before.progress
    assert after.outbox == before.outbox
    assert after.body == before.body
    assert (after.ownership.epoch, after.ownership.owner) == (2, B)
    assert after.attempt == "seize-b"


def test_a_seizure_within_the_baking_release_goes_on_baking() -> None:
    after = seize(baking(), worker("b2", "r2"))
    assert after.ownership.previous == A
    assert after.rollout == Rollout(deploy_id="deploy-b", clean_cycles=1, of=3)
    assert after.fallback == baking().fallback
    assert after.schema == SCHEMA


def test_a_seizure_by_the_previous_release_ends_the_bake_with_its_own_body() -> None:
    after = seize(baking(), worker("a2", "r1"))
    assert after.ownership.previous is None
    assert after.rollout is None
    assert after.fallback is None
    assert (after.schema, bytes(after.body)) == (OLD_SCHEMA, b'{"old":11}')


def test_a_candidate_that_seizes_bakes_as_if_it_had_taken() -> None:
    """Otherwise an owner's death during a deploy makes an unproven release permanent."""
    wanted = Rollout(deploy_id="d", of=3)
    after = seize(settle(decide(owned())), B, rollout=wanted)
    assert (after.ownership.owner, after.ownership.previous, after.rollout) == (B, A, wanted)
    permanent = seize(settle(decide(owned())), B, rollout=Rollout(deploy_id="d", of=0))
    assert (permanent.ownership.previous, permanent.rollout) == (None, None)


def test_a_candidate_of_the_release_that_owns_seizes_without_a_bake() -> None:
    after = seize(baking(), worker("b2", "r2"), rollout=Rollout(deploy_id="d", of=3))
    assert (after.ownership.previous, after.rollout) == (A, baking().rollout)


def test_decide_commits_body_effects_and_consumed_receipts_in_one_step() -> None:
    before = settle(decide(owned(), effect()))
    assert before.receipts == (receipt(),)
    doubtful = effect("order-0", fate=Fate.DOUBTFUL, cycle=3)
    before = replace(before, outbox=(doubtful,))
    after = decide(before, effect("order-2", fate=Fate.DOUBTFUL), body=b"[2]")
    assert after.receipts == ()
    assert after.outbox == (doubtful, effect("order-2", cycle=12))
    assert bytes(after.body) == b"[2]"
    assert after.schema == SCHEMA
    assert (after.progress.cycle, after.progress.phase) == (12, Phase.DECIDED)
    assert after.progress.release == "r1"
    assert after.attempt == "decide-12"


def test_a_fallback_is_kept_only_during_a_bake() -> None:
    assert decide(owned()).fallback is None
    fallback = decide(take(owned())).fallback
    assert fallback is not None
    assert bytes(fallback.body) == b'{"old":11}'


def test_a_halted_bot_still_decides_without_effects() -> None:
    assert decide(halted(owned())).progress.cycle == 11


def test_settle_turns_fates_into_receipts_and_keeps_what_is_doubtful() -> None:
    before = decide(owned(), effect("one"), effect("two"), effect("three"))
    fates: Fates = {
        "one": receipt("one"),
        "two": Fate.DOUBTFUL,
        "three": receipt("three", Outcome.EXPIRED),
    }
    after = settle(before, fates)
    assert after.receipts == (receipt("one"), receipt("three", Outcome.EXPIRED))
    assert after.outbox == (effect("two", cycle=11, fate=Fate.DOUBTFUL),)
    assert (after.progress.cycle, after.progress.phase) == (11, Phase.SETTLED)
    assert after.attempt == "settle-11"
    assert after.body == before.body


def test_a_doubtful_effect_crosses_cycles_until_its_fate_is_proven() -> None:
    record = settle(decide(owned(), effect()), {"order-1": Fate.DOUBTFUL})
    record = settle(decide(record), {})
    assert record.outbox[0].fate is Fate.DOUBTFUL
    record = settle(decide(record), {"order-1": receipt()})
    assert record.outbox == ()
    assert record.receipts == (receipt(),)


def test_a_bake_ends_with_its_last_clean_cycle() -> None:
    record = baking()
    for clean in (2, 3):
        record = settle(decide(record))
        if clean == 2:
            assert record.rollout == Rollout(deploy_id="deploy-b", clean_cycles=2, of=3)
            assert record.ownership.previous == A
    assert record.rollout is None
    assert record.ownership.previous is None
    assert record.fallback is None


def test_a_cycle_spoilt_from_outside_does_not_count_in_a_bake() -> None:
    record = settle(decide(baking()), cleanliness=Cleanliness.OUTSIDE)
    assert record.rollout == Rollout(deploy_id="deploy-b", clean_cycles=1, of=3)


def test_miss_passes_over_one_cycle_with_its_reason() -> None:
    before = owned()
    after = miss(before)
    assert (after.progress.cycle, after.progress.phase) == (11, Phase.SETTLED)
    assert [(each.cycle, each.reason) for each in after.progress.missed] == [(11, "too old")]
    assert (after.body, after.ownership, after.attempt) == (
        before.body,
        before.ownership,
        "miss-11",
    )


def test_only_the_newest_missed_cycles_stay_in_the_record() -> None:
    record = owned()
    for _ in range(MISSED_KEPT_MAX + 3):
        record = miss(record)
    assert len(record.progress.missed) == MISSED_KEPT_MAX
    assert record.progress.missed[-1].cycle == record.progress.cycle


def test_release_leaves_nobody_as_owner_and_remembers_the_last() -> None:
    after = release(owned())
    assert after.ownership.owner is None
    assert after.ownership.last_owner == A
    assert after.ownership.epoch == 1
    assert after.attempt == "release"


def test_a_body_is_any_json_and_stays_byte_for_byte() -> None:
    body = b'{"big":12345678901234567890,"text":"\\u00e9"}'
    assert decide(owned(), body=body).body == Raw(body)
