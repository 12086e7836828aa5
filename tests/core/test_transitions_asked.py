"""What else is asked of a record: to end a bake, to say what its numbers mean, and why not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state import transitions
from state.errors import Refusal, Refused
from state.record import Cadence, Record, evidence_of
from state.transitions import Proof
from tests.records import FAR_NS, B, decide, miss, owned, take, worker

if TYPE_CHECKING:
    from collections.abc import Callable

CADENCE = Cadence(period_ns=60, offset_ns=5)


def numbered(**changes: int) -> Callable[[], Record]:
    record = replace(owned(), cadence=CADENCE)
    return partial(transitions.number_by, record, replace(CADENCE, **changes))


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        (numbered(period_ns=61), Refusal.OTHER_CADENCE),
        (numbered(offset_ns=4), Refusal.OTHER_CADENCE),
    ],
)
def test_what_the_record_does_not_allow_is_refused(
    step: Callable[[], Record], refusal: Refusal
) -> None:
    with pytest.raises(Refused) as caught:
        step()
    assert caught.value.refusal is refusal


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda: decide(owned(), cycle=13), "cycle 13 came, 11 is next"),
        (lambda: miss(owned(), cycle=10), "cycle 10 came, 11 is next"),
        (
            lambda: take(owned(), now_ns=FAR_NS + 2_500_000, deadline_ns=FAR_NS),
            "2.5 ms past the last moment for this boundary",
        ),
        (
            lambda: transitions.number_by(
                replace(owned(), cadence=CADENCE), Cadence(period_ns=61, offset_ns=6)
            ),
            "61 ns from 6 ns decides, the record's is 60 ns from 5 ns",
        ),
    ],
)
def test_a_refusal_says_which_two_facts_disagree(step: Callable[[], Record], words: str) -> None:
    """An operator has nothing else to tell a late deploy from a wrong one."""
    with pytest.raises(Refused) as caught:
        step()
    assert caught.value.detail == words


def test_what_cycle_numbers_mean_is_said_once_and_stays() -> None:
    """A later owner's word, however alike, must not replace what the journal was numbered by."""
    numbered = transitions.number_by(owned(), CADENCE)
    assert numbered == replace(owned(), cadence=CADENCE)
    kept = replace(CADENCE, unknown_fields={"zone": Raw(b'"UTC"')})
    record = replace(owned(), cadence=kept)
    assert transitions.number_by(record, CADENCE) == record


def test_a_seizure_of_which_nothing_more_is_said_costs_nobody_and_bakes_nothing() -> None:
    """Whoever does not know that the boundary has passed must not count an owner as its victim."""
    after = transitions.seize(
        owned(), worker=worker("a2"), seen=evidence_of(owned()), proof=Proof.DEAD, attempt="s"
    )
    assert after.progress.attempts == 0
    other = transitions.seize(
        owned(), worker=B, seen=evidence_of(owned()), proof=Proof.DEAD, attempt="s"
    )
    assert (other.ownership.owner, other.ownership.previous, other.rollout) == (B, None, None)
