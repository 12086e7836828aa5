"""A damaged record comes back exactly as it was, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state.commit import BAKED_BYTES_MAX, Generation, plan_commit, plan_genesis, segment_line
from state.record import Record, encode_record
from state.recovery import (
    Found,
    Replay,
    Standing,
    Undecided,
    assemble,
    brought_forward,
    decided_again,
    release_of,
    replayed,
    standing_of,
)
from tests.records import (
    NOW_NS,
    A,
    decide,
    effect,
    empty,
    miss,
    note,
    owned,
    release,
    seize,
    settle,
    take,
    worker,
)
from tests.records import decided_again as made_again

if TYPE_CHECKING:
    from state.journal_frames import Line


def generation(record: Record) -> Generation:
    return Generation(record, encode_record(record)[1])


def line_of(before: Record, after: Record, kind: str, inputs: bytes = b"null") -> Line:
    words = note(kind, inputs=Raw(inputs))
    return plan_commit(generation(before), after, words, now_ns=NOW_NS).line


def recovered(line: Line, previous: Record | None, replay: Replay | None = None) -> Record | None:
    """Bring a lost record forward through one line, as a store does."""
    found = Found(previous=generation(previous) if previous else None)
    try:
        return brought_forward(line, found).record
    except Undecided as undecided:
        again = decided_again(undecided, replay) if replay else None
        return again.record if again else None


def stands(newest: Record | None, last: Line, *earlier: Record) -> Standing:
    found = Found(generation(newest) if newest else None)
    return standing_of(found, last, lambda each: each.record in earlier)


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
    assert recovered(line, before, made_again) == after


@pytest.mark.parametrize(
    ("before", "replay"),
    [
        (owned(), None),
        (None, made_again),
        (miss(owned()), made_again),
        (owned(), lambda record, _: decide(record, effect("another"))),
    ],
    ids=["nobody to decide", "no generation before", "another before", "another decision"],
)
def test_a_decision_that_cannot_be_proven_is_not_made_up(
    before: Record | None, replay: Replay | None
) -> None:
    after = decide(owned(), effect("order-11"))
    line = line_of(owned(), after, "decide", b'{"price":11}')
    assert recovered(line, before, replay) is None


FIRST = owned()
SECOND = miss(FIRST)
THIRD = decide(SECOND, effect("order-12"))
NEWEST_LINE = line_of(SECOND, THIRD, "decide", b'{"price":12}')


@pytest.mark.parametrize(
    ("newest", "earlier", "expected"),
    [
        (THIRD, (), Standing.NEWEST),
        (SECOND, (), Standing.BEHIND),
        (None, (), Standing.BEHIND),
        (FIRST, (), Standing.BEHIND),
        (decide(SECOND, effect("another")), (), Standing.BEYOND),
        (decide(SECOND, effect("another")), (decide(SECOND, effect("another")),), Standing.BEHIND),
        (settle(THIRD), (), Standing.BEYOND),
        (settle(THIRD), (settle(THIRD),), Standing.BEHIND),
    ],
    ids=[
        "what the line left",
        "what the line changed: the line is the commit",
        "missing or damaged",
        "not known, before the line",
        "not known, as far as the line: the journal lost one",
        "known: taken back by an older release",
        "not known, beyond the line",
        "known, beyond the line that counts",
    ],
)
def test_the_newest_line_counts_over_all_but_a_record_that_went_on_without_the_journal(
    newest: Record | None, earlier: tuple[Record, ...], expected: Standing
) -> None:
    assert stands(newest, NEWEST_LINE, *earlier) is expected


def test_a_decided_record_is_behind_the_line_that_settled_its_cycle() -> None:
    """It is one that the journal does not know, and it went less far than the line."""
    settled = line_of(THIRD, settle(THIRD), "settle")
    unknown = decide(SECOND, effect("another"))
    assert stands(unknown, settled) is Standing.BEHIND
    assert stands(settle(unknown), settled) is Standing.BEYOND


def test_the_release_behind_a_line_is_the_owner_s_or_between_owners_the_last_one_s() -> None:
    """A copy is opened with its code: with none, or another's, nothing could be decided again."""
    assert release_of(NEWEST_LINE) == A.release
    between = line_of(FIRST, release(FIRST), "release")
    assert (between.release, release_of(between)) == ("", A.release)


def test_what_waits_for_its_rename_was_put_there_for_the_line() -> None:
    """A restore exchanges the journal before the record, which may have gone further."""
    later = settle(THIRD)
    found = Found(generation(later), waiting=generation(THIRD))
    assert standing_of(found, NEWEST_LINE, lambda _: False) is Standing.BEHIND
    assert brought_forward(NEWEST_LINE, found) == generation(THIRD)


def test_without_a_journal_the_record_wins() -> None:
    found = Found(generation(FIRST), waiting=generation(SECOND))
    assert standing_of(found, None, lambda _: False) is Standing.BEYOND


def test_the_parent_may_be_any_generation_at_hand() -> None:
    parent = generation(SECOND)
    for found in (Found(newest=parent), Found(previous=parent), Found(waiting=parent)):
        with pytest.raises(Undecided) as undecided:
            brought_forward(NEWEST_LINE, found)
        assert (undecided.value.line, undecided.value.parent) == (NEWEST_LINE, parent)
        assert str(undecided.value) == f"line {NEWEST_LINE.seq} has no body"


def test_a_decision_without_its_parent_is_not_made_again() -> None:
    assert decided_again(Undecided(NEWEST_LINE, None), made_again) is None
    assert decided_again(Undecided(NEWEST_LINE, generation(SECOND)), made_again) == generation(
        THIRD
    )


def test_many_lines_are_walked_from_the_newest_record_at_hand() -> None:
    first = decide(FIRST, effect("order-11"))
    second = settle(first)
    third = decide(second, effect("order-12"))
    lines = [
        line_of(FIRST, first, "decide", b'{"price":11}'),
        line_of(first, second, "settle"),
        line_of(second, third, "decide", b'{"price":12}'),
    ]
    opening = segment_line(generation(FIRST), now_ns=NOW_NS)
    assert replayed([opening, *lines], Found(), made_again) == generation(third)
    assert replayed(lines, Found(), made_again) is None
    assert replayed(lines, Found(previous=generation(first)), made_again) == generation(third)
    assert replayed([], Found(), made_again) is None
    assert replayed([opening, lines[0]], Found(), lambda record, _: miss(record)) is None


def test_a_decision_in_a_bake_is_in_its_line() -> None:
    """The release that could make it again may be the one that fails."""
    after = decide(BAKING, effect("order-12"))
    assert after.fallback is not None
    assert recovered(line_of(BAKING, after, "decide"), None) == after
    large = decide(BAKING, effect("order-12"), body=b'"%s"' % (b"x" * BAKED_BYTES_MAX))
    assert recovered(line_of(BAKING, large, "decide"), None) is None


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
