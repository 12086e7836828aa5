"""A bake that was ended early: the release before this one reads it and ends it in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from state.record import decode_record, encode_record
from state.transitions import Cleanliness
from tests.records import baking, decide, owned, promote, settle, take
from tests.upgrade.engines import said_by

if TYPE_CHECKING:
    from state.record import Record
    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow]

# Runs with the engine that the path names: settles the cycle in hand, clean and otherwise.
PROGRAM: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
from state import transitions
from state.record import decode_record, encode_record

record = decode_record(json.load(sys.stdin)["record"].encode(), where="given")[0]
after = [
    transitions.settle(
        record, worker=record.ownership.owner, epoch=record.ownership.epoch,
        cycle=record.progress.cycle, fates={}, cleanliness=cleanliness,
        attempt=f"settle-{record.progress.cycle}",
    )
    for cleanliness in (transitions.Cleanliness.CLEAN, transitions.Cleanliness.OUTSIDE)
]
print(json.dumps({"after": [encode_record(each)[0].decode() for each in after]}))
"""


@pytest.mark.parametrize("record", [baking(), take(owned())], ids=["one done", "none done"])
def test_the_release_before_makes_a_promoted_one_permanent_with_its_next_clean_cycle(
    engines: Engines, record: Record
) -> None:
    """It owns again after a rollback, and finds what was promoted before; formats stay 1."""
    in_hand = decide(promote(record))
    given = {"record": encode_record(in_hand)[0].decode()}
    clean, outside = said(engines, given)
    assert (clean.rollout, clean.ownership.previous) == (None, None)
    assert outside.rollout == in_hand.rollout
    assert outside.ownership.previous is not None
    assert clean == settle(in_hand)
    assert outside == settle(in_hand, cleanliness=Cleanliness.OUTSIDE)


def said(engines: Engines, given: dict[str, str]) -> list[Record]:
    answer = said_by(engines.previous, PROGRAM, given)["after"]
    return [decode_record(each.encode(), where="answer")[0] for each in answer]
