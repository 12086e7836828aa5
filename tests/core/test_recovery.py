"""A damaged record comes back exactly as it was, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state.commit import Generation, plan_commit, plan_genesis
from state.errors import RecordDamaged
from state.record import Record, encode_record
from state.recovery import Replay, assemble, recover
from tests.records import (
    NOW_NS,
    A,
    decide,
    decided_again,
    effect,
    empty,
    miss,
    note,
    owned,
    seize,
    settle,
    take,
    worker,
)

if TYPE_CHECKING:
    from state.journal_frames import Line

FAULT = RecordDamaged("record.json", "a test says so")


def generation(record: Record) -> Generation:
    return Generation(record, encode_record(record)[1])


def line_of(before: Record, after: Record, kind: str, inputs: bytes = b"null") -> Line:
    words = note(kind, inputs=Raw(inputs))
    return plan_commit(generation(before), after, words, now_ns=NOW_NS).line


def recovered(line: Line, previous: Record | None, replay: Replay | None = None) -> Record:
    before = generation(previous) if previous else None
    return recover([line], before, replay=replay, fault=FAULT).record


BAKING = settle(decide(take(owned()), effect()))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (decide(BAKING), settle(decide(BAKING)), "settle"),
        (BAKING, seize(BAKING, worker("b2", "r2")), "seize"),
        (BAKING, take(BAKING, worker("a2", "r1")), "take"),
        (owned(), take(owned()), "take"),
    ],
)
def test_a_change_that_leaves_the_bodies_comes_back_from_its_line(
    before: Record, after: Record, kind: str
) -> None:
    assert recovered(line_of(before, after, kind), before) == after


def test_a_line_with_its_bodies_needs_nothing_else() -> None:
    record = replace(empty(), body=Raw(b"[1]"))
    commit = plan_genesis(record, now_ns=NOW_NS)
    assert recovered(commit.line, None) == record
    before = settle(decide(take(owned(62))))
    after = decide(before)
    assert recovered(line_of(before, after, "decide"), None) == after


def test_a_decision_is_decided_again_from_its_recorded_inputs() -> None:
    before = owned()
    after = decide(before, effect("order-11"))
    line = line_of(before, after, "decide", b'{"price":11}')
    assert recovered(line, before, decided_again) == after


@pytest.mark.parametrize(
    ("before", "replay"),
    [
        (owned(), None),
        (None, decided_again),
        (miss(owned()), decided_again),
        (owned(), lambda record, _: decide(record, effect("another"))),
    ],
    ids=["nobody to decide", "no generation before", "another before", "another decision"],
)
def test_a_decision_that_cannot_be_proven_is_not_made_up(
    before: Record | None, replay: Replay | None
) -> None:
    after = decide(owned(), effect("order-11"))
    line = line_of(owned(), after, "decide", b'{"price":11}')
    with pytest.raises(RecordDamaged):
        recovered(line, before, replay)


def test_the_line_before_helps_where_the_newest_cannot() -> None:
    """The newest one was ahead: its record was never written."""
    first = decide(owned())
    second = settle(first)
    third = decide(second)
    lines = [line_of(first, second, "settle"), line_of(second, third, "decide")]
    found = recover(lines, generation(first), replay=None, fault=FAULT)
    assert found == generation(second)


def test_a_decision_that_may_have_been_written_is_never_taken_back() -> None:
    """The generation before it is its parent, so it was: its effects may be out already."""
    first = owned()
    second = miss(first)
    third = decide(second, effect("order-12"))
    lines = [line_of(first, second, "miss"), line_of(second, third, "decide", b'{"price":12}')]
    with pytest.raises(RecordDamaged):
        recover(lines, generation(second), replay=None, fault=FAULT)
    found = recover(lines, generation(second), replay=decided_again, fault=FAULT)
    assert found == generation(third)


def test_lines_that_do_not_follow_each_other_leave_the_newest_to_count() -> None:
    first, second = owned(), miss(owned())
    elsewhere = plan_genesis(empty(90), now_ns=NOW_NS).line
    lines = [line_of(first, second, "miss"), elsewhere]
    assert recover(lines, generation(first), replay=None, fault=FAULT).record == empty(90)


def test_without_lines_the_fault_stands() -> None:
    with pytest.raises(RecordDamaged, match="a test says so"):
        recover([], generation(owned()), replay=None, fault=FAULT)


def test_a_fallback_body_that_is_nowhere_leaves_the_record_unknown() -> None:
    line = line_of(decide(BAKING), settle(decide(BAKING)), "settle")
    bare = replace(decide(BAKING), fallback=None)
    assert assemble(line, bare) is None
    assert assemble(line, None) is None


def test_a_header_that_does_not_give_the_promised_digest_is_not_believed() -> None:
    before = decide(owned())
    line = line_of(before, settle(before), "settle")
    forged = replace(line, header=Raw(bytes(line.header).replace(A.worker.encode(), b"z", 1)))
    assert assemble(forged, before) is None
