"""What a commit writes is enough to prove it, to repair after it, and to start from."""

from __future__ import annotations

from msgspec import Raw
from msgspec.structs import replace

from state.commit import (
    BAKED_BYTES_MAX,
    Generation,
    gap_line,
    plan_commit,
    plan_genesis,
    segment_line,
)
from state.journal_frames import Health, Line, encode_line
from state.open_struct import decode_open
from state.record import Fallback, Record, decode_record, encode_record, header_of
from state.seal import digest_of
from tests.records import (
    NOW_NS,
    SCHEMA,
    A,
    B,
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


def generation(record: Record) -> Generation:
    return Generation(record, encode_record(record)[1])


def line_of(before: Record, after: Record, kind: str) -> Line:
    return plan_commit(generation(before), after, note(kind), now_ns=NOW_NS).line


def test_a_decision_is_written_with_all_that_led_to_it() -> None:
    before = owned()
    after = decide(before, effect())
    words = note(
        "decide",
        inputs=Raw(b"[1]"),
        inputs_schema=2,
        scheduled_ns=NOW_NS - 2_000,
        started_ns=NOW_NS - 1_000,
        evidence={"late_us": 1.5},
    )
    commit = plan_commit(generation(before), after, words, now_ns=NOW_NS)
    assert decode_record(commit.data, where="here") == (after, commit.generation.digest)
    line = commit.line
    assert (line.kind, line.parent, line.result) == (
        "decide",
        generation(before).digest,
        commit.generation.digest,
    )
    assert (line.epoch, line.worker, line.release) == (1, A.worker, A.release)
    assert (line.cycle, line.phase, line.attempt) == (11, after.progress.phase, "decide-11")
    assert line.at == "2026-11-18T11:06:40.000000Z"
    assert line.at_ms == line.committed_ms == NOW_NS / 1e6
    assert (line.scheduled_ms, line.started_ms) == (NOW_NS / 1e6 - 0.002, NOW_NS / 1e6 - 0.001)
    assert (line.inputs, line.inputs_schema, line.evidence) == (
        Raw(b"[1]"),
        2,
        {"late_us": 1.5},
    )
    assert decode_open(line.header, Record) == header_of(after)
    assert line.body_digest == digest_of(bytes(after.body))
    assert line.fallback_digest == ""


def test_health_is_in_the_line_of_a_cycle_that_counted_it_and_in_no_other() -> None:
    """A line of a cycle without it is no comparison; full health would be one."""
    before = owned()
    words = note("decide", health=Health(asked=4, answered=3))
    line = plan_commit(generation(before), decide(before), words, now_ns=NOW_NS).line
    assert line.health == Health(asked=4, answered=3)
    assert encode_line(line, previous_chain="")[0].endswith(b'"health":{"asked":4,"answered":3}}\n')
    bare = line_of(before, decide(before), "decide")
    assert bare.health is None
    assert b"health" not in encode_line(bare, previous_chain="")[0]


def test_a_change_of_ownership_has_no_times_of_a_cycle() -> None:
    line = line_of(owned(), take(owned()), "take")
    assert (line.scheduled_ms, line.started_ms, line.committed_ms) == (None, None, None)
    assert line.unavailable == ""


def test_a_line_between_two_owners_names_none() -> None:
    line = line_of(owned(), release(owned()), "release")
    assert (line.worker, line.release, line.epoch) == ("", "", 1)


def test_a_line_carries_no_body_that_can_be_had_otherwise() -> None:
    before = settle(decide(owned()))
    assert bytes(line_of(before, decide(before), "decide").body) == b"null"
    assert bytes(line_of(before, release(before), "release").body) == b"null"


def test_a_body_that_no_inputs_explain_is_in_its_line() -> None:
    before = settle(decide(take(owned())))
    back = take(before, worker("a2", "r1"))
    assert line_of(before, back, "take").body == back.body
    restored = replace(before, body=Raw(b"[9]"))
    assert line_of(before, restored, "restore").body == Raw(b"[9]")


def test_a_body_that_another_release_goes_on_from_is_in_its_line() -> None:
    """The code that led to it may be gone, and decides nothing of what follows."""
    before = settle(decide(owned()))
    assert line_of(before, take(before), "take").body == before.body
    between = release(before)
    assert line_of(between, seize(between, worker("c", "r2")), "seize").body == before.body
    assert bytes(line_of(between, seize(between, worker("c", "r1")), "seize").body) == b"null"


def test_every_64th_cycle_carries_both_bodies() -> None:
    before = settle(decide(take(owned(62), B)))
    after = decide(before)
    line = line_of(before, after, "decide")
    assert after.progress.cycle == 64
    assert after.fallback is not None
    assert (line.body, line.fallback) == (after.body, after.fallback.body)
    assert line.fallback_digest == digest_of(bytes(after.fallback.body))
    assert bytes(line_of(after, settle(after), "settle").body) == b"null"


def test_a_checkpoint_needs_no_bake_and_is_not_left_out_where_its_cycle_is_missed() -> None:
    """Most bots never bake when the multiple comes, and a replay would begin at the start."""
    before = settle(decide(owned(62)))
    assert line_of(before, decide(before), "decide").body == decide(before).body
    assert line_of(before, miss(before), "miss").body == before.body
    before = settle(decide(owned(63)))
    assert bytes(line_of(before, decide(before), "decide").body) == b"null"


def of_bytes(count: int) -> Raw:
    return Raw(b'"%s"' % (b"x" * (count - 2)))


def test_in_a_bake_body_and_fallback_of_one_megabyte_together_are_in_the_line() -> None:
    """One more byte, and every line of a bake would be as large as the bot's whole state."""
    assert BAKED_BYTES_MAX == 1_000_000
    before = settle(decide(take(owned())))
    for more, carried in ((0, True), (1, False)):
        alone = decide(before, body=bytes(of_bytes(BAKED_BYTES_MAX + more)), fallback=None)
        assert (line_of(before, alone, "decide").body == alone.body) == carried
        fallback = Fallback(schema=SCHEMA, body=of_bytes(400_000))
        both = decide(before, body=bytes(of_bytes(600_000 + more)), fallback=fallback)
        line = line_of(before, both, "decide")
        assert (line.body == both.body) == carried
        assert (line.fallback == fallback.body) == carried


def test_the_first_line_of_all_and_of_a_segment_can_be_started_from() -> None:
    record = replace(empty(), body=Raw(b"[1]"), fallback=Fallback(schema=SCHEMA, body=Raw(b"[0]")))
    genesis = plan_genesis(record, now_ns=NOW_NS)
    assert (genesis.line.kind, genesis.line.parent) == ("genesis", "")
    assert genesis.line.body == Raw(b"[1]")
    assert decode_record(genesis.data, where="here")[0] == record
    segment = segment_line(genesis.generation, now_ns=NOW_NS)
    digest = genesis.generation.digest
    assert (segment.kind, segment.parent, segment.result) == ("segment", digest, digest)
    assert (segment.body, segment.fallback) == (Raw(b"[1]"), Raw(b"[0]"))


def test_a_journal_that_leads_to_the_record_has_no_gap() -> None:
    current = generation(owned())
    last = Line(kind="seize", parent="p", result=current.digest)
    assert gap_line(last, current, now_ns=NOW_NS) is None


def test_a_gap_names_where_the_journal_ends_and_what_the_record_is() -> None:
    current = generation(owned())
    last = Line(kind="decide", seq=9, parent="old", result="elsewhere")
    line = gap_line(last, current, now_ns=NOW_NS)
    assert line is not None
    assert (line.kind, line.parent, line.result) == ("gap", "elsewhere", current.digest)
    line = gap_line(None, current, now_ns=NOW_NS)
    assert line is not None
    assert (line.kind, line.parent, line.result) == ("gap", "", current.digest)
