"""Messages in lines: cut anywhere, too long, or no message at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.errors import WireBroken
from handoff.limits import WIRE_LINE_BYTES_MAX
from handoff.wire import Kind, LineBuffer, decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text(min_size=1).filter(lambda name: name != "kind")


@given(st.sampled_from(Kind), st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_message_is_one_line_and_comes_back(kind: Kind, members: dict[str, object]) -> None:
    line = encode(kind, **members)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == {"kind": kind.value, **members}


@given(st.lists(st.text(), max_size=5), st.lists(st.integers(0, 200), max_size=8))
def test_messages_come_out_whole_wherever_the_stream_is_cut(
    texts: list[str], cuts: list[int]
) -> None:
    stream = b"".join(encode(Kind.LEAVING, leaving="FAILED", reason=text) for text in texts)
    buffer, found, start = LineBuffer(), [], 0
    for end in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        found += buffer.feed(stream[start:end])
        start = end
    assert [message["reason"] for message in found] == texts


def test_empty_lines_are_nothing() -> None:
    assert LineBuffer().feed(b"\n\n" + encode(Kind.STATUS) + b"\n") == [{"kind": "status"}]


def test_half_a_message_is_kept_for_later() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b'{"kind":') == []
    assert buffer.feed(b'"stop"}') == []
    assert buffer.feed(b"\n") == [{"kind": "stop"}]


@pytest.mark.parametrize(
    "line",
    [b"garbage", b"{", b"[]", b"null", b"7", b'"kind"', b"{}", b'{"kind":null}', b'{"kind":1}'],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WireBroken):
        decode(line)
    with pytest.raises(WireBroken):
        LineBuffer().feed(line + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"hello"}',
        b'{"kind":"hello","pid":"7","release":"r1"}',
        b'{"kind":"hello","pid":true,"release":"r1"}',
        b'{"kind":"hello","pid":7.5,"release":"r1"}',
        b'{"kind":"hello","pid":99999999999999999999,"release":"r1"}',
        b'{"kind":"hello","pid":7,"release":["r1"]}',
        b'{"kind":"hello","pid":7,"release":"r1","wire":null}',
        b'{"kind":"hello","pid":7,"release":"r1","deploy":{}}',
        b'{"kind":"leaving"}',
        b'{"kind":"leaving","leaving":"FAILED","reason":7}',
        b'{"kind":"yielding","cycle":7}',
        b'{"kind":"due","overdue_boot_ms":"soon"}',
        b'{"kind":"due","overdue_boot_ms":NaN}',
        b'{"kind":"due","overdue_boot_ms":-Infinity}',
        b'{"kind":"due","overdue_boot_ms":1e999}',
        b'{"kind":"due","overdue_boot_ms":1e300}',
        b'{"kind":"due","whatever":1e999}',
        b'{"kind":"approve","deploy":"d1","bake":"many"}',
        b'{"kind":"run_job","name":"../../etc","argv":[]}',
        b'{"kind":"run_job","name":"","argv":[]}',
        b'{"kind":"run_job","name":"job","argv":"sh"}',
        b'{"kind":"run_job","name":"job","argv":[1]}',
        b'{"kind":"start_candidate","release":"r1","deploy":"d1","options":[null]}',
        b'{"kind":"settled","cycle":7}',
        b'{"kind":"exited"}',
    ],
)
def test_a_message_without_what_its_kind_needs_or_with_another_type_is_none(line: bytes) -> None:
    """One such line ended the launcher, or stayed in what it knew for good."""
    with pytest.raises(WireBroken):
        LineBuffer().feed(line + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"aiming","cycle":"whatever","pid":null}',
        b'{"kind":"hello","pid":7,"release":"r1","since":{"newer":"engine"}}',
        b'{"kind":"due","overdue_boot_ms":7}',
        b'{"kind":"due","overdue_boot_ms":7.5}',
        b'{"kind":"reply","pid":"whatever","name":7}',
    ],
)
def test_what_this_engine_does_not_know_is_let_through(line: bytes) -> None:
    """A newer peer says more, and a reply says what was asked for."""
    assert LineBuffer().feed(line + b"\n") == [json.loads(line)]


def test_bytes_that_are_no_text_are_refused() -> None:
    """A stranger on the socket must not end the launcher with an exception of Python's own."""
    with pytest.raises(WireBroken):
        LineBuffer().feed(b"\xff\xfe\x00\n")


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(WireBroken):
        decode(b"[" * 100_000)


def test_a_line_without_an_end_is_refused_at_its_bound() -> None:
    """A peer that never ends a line must not fill our memory."""
    buffer = LineBuffer()
    assert buffer.feed(b"x" * WIRE_LINE_BYTES_MAX) == []
    with pytest.raises(WireBroken, match="exceeds"):
        buffer.feed(b"x")


def test_a_whole_line_beyond_the_bound_is_refused() -> None:
    """Its end may come with the very bytes that make it too long."""
    line = json.dumps({"kind": "stop", "padding": "x" * WIRE_LINE_BYTES_MAX}).encode()
    with pytest.raises(WireBroken, match="exceeds"):
        LineBuffer().feed(line + b"\n")


def test_members_that_nobody_knows_are_kept() -> None:
    """A newer peer says more; whoever does not know it ignores it."""
    assert decode(b'{"kind":"hello","new":{"a":1}}') == {"kind": "hello", "new": {"a": 1}}


def test_kinds_are_told_apart() -> None:
    assert len({kind.value for kind in Kind}) == len(Kind)
    assert Kind("hello") is Kind.HELLO
