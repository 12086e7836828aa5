"""One line removed, repeated or changed breaks the chain, and the cycle can be named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.journal_frames import (
    CHAIN_START,
    Health,
    Line,
    blamed_cycle,
    broken_rule,
    chain_in,
    chain_lines,
    crosses_checkpoint,
    decode_first_line,
    decode_line,
    decode_unchecked,
    encode_line,
    following_cycle,
    peek,
    why_broken,
)
from state.open_struct import decode_open
from state.record import Phase
from state.seal import SealBroken
from tests.records import memory_store, run_cycles, started

LINE = Line(kind="decide", result="r1", parent="r0", cycle=7, evidence={"pid": 4})


def some_lines(count: int = 5) -> tuple[list[bytes], list[Line]]:
    """The lines of a small journal: genesis, seizure, then two for each cycle."""
    store = memory_store()
    run_cycles(started(store), count)
    return store.lines, store.journal()


def test_a_line_reads_back_as_it_was_written() -> None:
    data, chain = encode_line(replace(LINE, seq=3), previous_chain="before")
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    assert decode_line(data, previous_chain="before") == replace(LINE, seq=3, chain=chain)
    assert decode_line(data.rstrip(b"\n"), previous_chain="before").chain == chain


def test_fields_of_a_newer_release_do_not_break_a_line() -> None:
    newer = replace(LINE, unknown_fields={"latency": msgspec.Raw(b"[1]")})
    data, _ = encode_line(newer, previous_chain="")
    assert decode_line(data, previous_chain="").unknown_fields == newer.unknown_fields


def test_lines_are_numbered_and_chained_one_after_another() -> None:
    data, placed = chain_lines([LINE, LINE, LINE], None)
    assert [line.seq for line in placed] == [1, 2, 3]
    previous_chain = CHAIN_START
    for raw, line in zip(data.splitlines(), placed, strict=True):
        assert decode_line(raw, previous_chain=previous_chain) == line
        previous_chain = line.chain
    more, (fourth,) = chain_lines([LINE], placed[-1])
    assert fourth.seq == 4
    assert decode_line(more, previous_chain=previous_chain) == fourth


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_breaks_the_chain(position: int, flip: int) -> None:
    data, _ = encode_line(LINE, previous_chain="before")
    changed = bytearray(data[:-1])
    changed[position % len(changed)] ^= flip
    with pytest.raises(SealBroken):
        decode_line(bytes(changed), previous_chain="before")


def test_a_first_line_names_the_chain_that_it_continues() -> None:
    data, _ = encode_line(replace(LINE, previous_chain="before"), previous_chain="before")
    assert decode_first_line(data).previous_chain == "before"
    with pytest.raises(SealBroken):
        decode_first_line(data.replace(b"before", b"beyond"))
    with pytest.raises(SealBroken):
        decode_first_line(b"no line")


def test_a_sealed_document_that_is_no_line_is_refused() -> None:
    data, _ = encode_line(LINE, previous_chain="")
    with pytest.raises(SealBroken, match="no journal line"):
        decode_unchecked(data.replace(b'"cycle":7', b'"cycle":"'))


def test_an_unchecked_line_is_read_with_the_chain_that_it_claims() -> None:
    data, chain = encode_line(LINE, previous_chain="before")
    assert decode_unchecked(data).chain == chain
    assert chain_in(data) == chain
    assert chain_in(b"anything else") == ""


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\xff\xfe", b'{"seq":"x"}', b"[1]"])
def test_a_line_beyond_reading_has_no_place(data: bytes) -> None:
    assert peek(data).cycle is None
    assert peek(data).seq == 0


def test_every_removed_repeated_or_changed_line_is_blamed_on_its_cycle() -> None:
    raw, lines = some_lines()
    for index in range(3, len(lines)):
        previous, line = lines[index - 1], lines[index]
        changed = raw[index].replace(b"seized", b"SEIZED").replace(b'"at":"2', b'"at":"3')
        assert blamed_cycle(previous, changed) == line.cycle
        assert "was changed" in why_broken(previous, changed, SealBroken("x"))
        if index + 1 < len(lines):
            assert blamed_cycle(previous, raw[index + 1]) == line.cycle
            reason = why_broken(previous, raw[index + 1], SealBroken("x"))
            assert f"lines {line.seq} to {line.seq} are missing" in reason
        assert blamed_cycle(line, raw[index]) == line.cycle
        assert "comes again" in why_broken(line, raw[index], SealBroken("x"))


def test_a_changed_cycle_number_does_not_put_the_blame_elsewhere() -> None:
    raw, lines = some_lines(1)
    changed = raw[-1].replace(b'"cycle":11,"phase"', b'"cycle":12,"phase"', 1)
    assert changed != raw[-1]
    assert blamed_cycle(lines[-2], changed) == 11
    assert blamed_cycle(lines[-2], b"\0" * 80) == 11


def test_a_broken_first_line_can_only_speak_for_itself() -> None:
    assert blamed_cycle(None, b'{"cycle":5}') == 5
    assert blamed_cycle(None, b"") is None
    assert "first line" in why_broken(None, b"", SealBroken("x"))


def test_a_line_may_only_change_the_record_that_the_line_before_left() -> None:
    first = replace(LINE, seq=1)
    second = replace(LINE, seq=2, parent="r1", result="r2")
    assert broken_rule(first, second) == ""
    assert "follows 1" in broken_rule(first, replace(second, seq=3))
    assert "it changes record r7" in broken_rule(first, replace(second, parent="r7"))
    for kind in ("gap", "aborted", "segment"):
        assert broken_rule(first, replace(second, parent="r7", kind=kind)) == ""


def test_after_a_decision_its_own_cycle_is_in_hand() -> None:
    assert following_cycle(replace(LINE, phase=Phase.DECIDED)) == 7
    assert following_cycle(replace(LINE, phase=Phase.SETTLED)) == 8


def test_a_body_is_due_whenever_a_multiple_of_64_is_passed() -> None:
    """Passed, not hit: the multiple itself may be a missed cycle."""
    assert [n for n in range(200) if crosses_checkpoint(n, n + 1)] == [63, 127, 191]
    assert crosses_checkpoint(60, 70)


def test_what_a_line_leaves_out_is_nothing() -> None:
    """A line of another release may have fewer members: none of them may turn into a fact."""
    bare = decode_open(b'{"kind":"decide","result":"r1"}', Line)
    assert (bare.seq, bare.epoch, bare.cycle, bare.aborts, bare.inputs_schema) == (0, 0, 0, 0, 0)
    assert (bare.at_ms, bare.scheduled_ms, bare.started_ms, bare.committed_ms) == (
        0.0,
        None,
        None,
        None,
    )
    assert (bare.health, decode_open(b"{}", Health)) == (None, Health(asked=0, answered=0))
    header = peek(b'{"header":{}}').header
    assert header is not None
    assert header.progress.cycle is None


def test_a_line_beyond_reading_is_changed_and_the_first_one_can_come_again() -> None:
    """Number 0 is nobody's: blaming a copy would send an operator after the wrong fault."""
    raw, lines = some_lines(1)
    broken = SealBroken("x")
    assert "a line was changed after line number" in why_broken(lines[1], b"\0", broken)
    assert why_broken(lines[1], raw[0], broken).startswith("line number 1 comes again")
