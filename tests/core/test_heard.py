"""The journal read backwards: every line once, whatever its length, and none that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from state.heard import Heard, counting, newest_heard
from state.journal_frames import ABORTED, Health
from state.journal_reader import segment_path

if TYPE_CHECKING:
    from pathlib import Path


def line(seq: int, *, padding: int = 0, kind: str = "decide", aborts: int = 0) -> bytes:
    plain = {"seq": seq, "kind": kind, "cycle": seq, "aborts": aborts, "body": "x" * padding}
    return msgspec.json.encode(plain) + b"\n"


@pytest.mark.parametrize("padding", [0, 100, 65_500, 65_536, 200_000])
def test_lines_come_from_the_newest_back_across_blocks_and_segments(
    tmp_path: Path, padding: int
) -> None:
    for first in (1, 4, 7):
        lines = (line(seq, padding=padding + seq) for seq in range(first, first + 3))
        segment_path(tmp_path, first).write_bytes(b"".join(lines))
    assert [each.seq for each in newest_heard(tmp_path)] == list(range(9, 0, -1))


def test_a_line_without_its_end_is_not_there(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(line(1) + line(2, padding=70_000).rstrip(b"\n"))
    assert [each.seq for each in newest_heard(tmp_path)] == [1]


def test_nothing_before_a_damaged_line_is_believed(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(line(1) + b'{"seq":2,\n' + line(3))
    assert [each.seq for each in newest_heard(tmp_path)] == [3]


def test_no_journal_says_nothing(tmp_path: Path) -> None:
    assert list(newest_heard(tmp_path / "none")) == []
    segment_path(tmp_path, 1).write_bytes(b"")
    assert list(newest_heard(tmp_path)) == []


def test_what_was_taken_back_does_not_count(tmp_path: Path) -> None:
    """A decision that never happened says nothing of what its release sees."""
    parts = [line(1), line(2), line(3, kind=ABORTED, aborts=2), line(4)]
    segment_path(tmp_path, 1).write_bytes(b"".join(parts))
    assert [each.seq for each in counting(newest_heard(tmp_path))] == [4, 1]


def test_health_is_read_and_its_absence_too(tmp_path: Path) -> None:
    counted = b'{"seq":2,"kind":"decide","health":{"asked":16,"answered":3,"later":1}}\n'
    segment_path(tmp_path, 1).write_bytes(line(1) + counted)
    found = [each.health for each in newest_heard(tmp_path)]
    assert [None if each is None else (each.asked, each.answered) for each in found] == [
        (16, 3),
        None,
    ]
    assert isinstance(found[0], Health)
    assert Heard(kind="decide").health is None
