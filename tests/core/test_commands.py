"""What operators and owners say of a record without a step of ownership or progress."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state import transitions
from state.errors import Refusal, Refused
from state.record import Cadence, Control, Record, Rollout
from state.transitions import Cleanliness
from tests.records import NOW_NS, A, decide, effect, owned, settle, take


def baking() -> Record:
    """B has taken from A and decided and settled one cycle of three."""
    return settle(decide(take(owned())))


def test_a_command_touches_control_alone() -> None:
    before = decide(take(owned()), effect())
    control = Control(paused=True, by="operator", at_ns=NOW_NS, note="holiday")
    after = transitions.command(before, control=control, attempt="c")
    assert after == replace(before, control=control, attempt="c")


def test_a_bake_that_is_promoted_ends_with_its_next_clean_cycle() -> None:
    """An operator has seen enough; the one cycle proves that the release still runs."""
    promoted = transitions.promote(baking(), attempt="p")
    assert promoted.rollout == Rollout(deploy_id="deploy-b", clean_cycles=1, of=1)
    assert (promoted.attempt, promoted.ownership) == ("p", baking().ownership)
    spoilt = settle(decide(promoted), cleanliness=Cleanliness.OUTSIDE)
    assert spoilt.ownership.previous == A
    after = settle(decide(spoilt))
    assert (after.rollout, after.ownership.previous) == (None, None)


def test_a_bake_is_promoted_before_its_first_cycle_as_well() -> None:
    after = settle(decide(transitions.promote(take(owned()), attempt="p")))
    assert after.rollout is None


MINUTE = Cadence(period_ns=60 * 10**9)


def test_the_cadence_is_written_once_and_stays() -> None:
    """A number without it means another moment as soon as the period changes."""
    record = decide(transitions.number_by(owned(), MINUTE))
    assert record.cadence == MINUTE
    kept = replace(MINUTE, unknown_fields={"drift": Raw(b"1")})
    newer = replace(record, cadence=kept)
    assert transitions.number_by(newer, MINUTE) == newer
    assert settle(record).cadence == MINUTE


@pytest.mark.parametrize("other", [replace(MINUTE, period_ns=30), replace(MINUTE, offset_ns=1)])
def test_an_owner_whose_numbers_mean_other_moments_is_refused(other: Cadence) -> None:
    """With a shorter period hundreds of cycles would be due at once, each decided and sent."""
    record = transitions.number_by(owned(), MINUTE)
    with pytest.raises(Refused) as caught:
        transitions.number_by(record, other)
    assert caught.value.refusal is Refusal.OTHER_CADENCE
    assert str(other.period_ns) in caught.value.detail


def test_without_a_bake_there_is_nothing_to_promote() -> None:
    with pytest.raises(Refused) as caught:
        transitions.promote(owned(), attempt="p")
    assert caught.value.refusal is Refusal.NOT_BAKING
