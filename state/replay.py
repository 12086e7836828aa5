"""Replay: recorded cycles are decided again, and what comes out compared with what was written.

Owns the walk over the lines. A body is known from each checkpoint on; what lies before the
first one is skipped and said so. How a cycle is decided is the application's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from state.cycle_audit import effective
from state.record import Record, encode_record
from state.recovery import Replay, assemble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.journal_frames import Line


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that was decided differently the second time.

    Attributes:
        cycle: The cycle.
        seq: Number of its line.
        expected: Digest of the record that the line promised.
        found: Digest of the record that came out.
    """

    cycle: int
    seq: int
    expected: str
    found: str


class ReplayedLines(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay of lines found.

    Attributes:
        checked: Cycles decided again with the same outcome.
        skipped: Cycles with no body to start from: before the first checkpoint, or between
            a deviation and the next checkpoint.
        deviations: Cycles with another outcome.
        after: The record that the last line leads to, or None where its body is not known.
    """

    checked: int = 0
    skipped: int = 0
    deviations: tuple[Deviation, ...] = ()
    after: Record | None = None


def replay_lines(
    lines: Iterable[Line], replay: Replay, *, before: Record | None = None
) -> ReplayedLines:
    """Replay every recorded cycle whose body before it is known; return how they came out.

    Args:
        lines: A run of lines, oldest first, their chain checked.
        replay: Decides one recorded cycle: the record before it and its line give the
            record after it. Its exceptions go through.
        before: The record before the first line, where it is known.
    """
    record = before
    checked = skipped = 0
    deviations: list[Deviation] = []
    for line in effective(lines):
        if line.kind != "decide":
            record = assemble(line, record)
        elif record is None:
            skipped += 1
            record = assemble(line, None)
        else:
            again = replay(record, line)
            found = encode_record(again)[1]
            if found == line.result:
                checked += 1
                record = again
            else:
                deviations.append(_deviation(line, found))
                record = assemble(line, None)
    return ReplayedLines(
        checked=checked, skipped=skipped, deviations=tuple(deviations), after=record
    )


def _deviation(line: Line, found: str) -> Deviation:
    return Deviation(cycle=line.cycle, seq=line.seq, expected=line.result, found=found)
