"""A release looks at its own part of the journal: a process with one question and one answer.

Owns the two questions that only a release's own code can answer: does it lead from the
recorded inputs to the recorded outcome, and which schemas does it know. Nothing is observed,
committed or performed. Whoever asks puts the answers of several releases together.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from handoff.cadence import Schedule
from handoff.deciding import replay_with
from handoff.errors import WorkloadFaulty
from handoff.replay.process import load, words_apart
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from state.open_struct import decode_open, encode_open
from state.record import Record, SchemaId
from state.replay import replay_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.journal_frames import Line

_NOTHING = msgspec.Raw(b"null")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A run of lines whose cycles one release decided.

    Attributes:
        release: The release.
        first_seq: Number of its first line.
        last_seq: Number of its last line.
        since_cycle: A cycle from which on the journal is read to find them.
        before: The record before the first line, or null where its body is not known.
    """

    release: str
    first_seq: int
    last_seq: int
    since_cycle: int
    before: msgspec.Raw = _NOTHING


class Otherwise(msgspec.Struct, frozen=True):
    """A cycle that came out otherwise, and how."""

    cycle: int
    reason: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a release says of its part.

    Attributes:
        checked: Cycles that came out alike.
        skipped: Cycles with no body to start from.
        deviations: Cycles that came out otherwise: `decide` is not pure.
        after: The record after the last line, or null where its body is not known.
    """

    checked: int = 0
    skipped: int = 0
    deviations: tuple[Otherwise, ...] = ()
    after: msgspec.Raw = _NOTHING


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """The schemas of a release, and its steps between their versions."""

    body: SchemaId
    inputs: SchemaId
    up: tuple[int, ...] = ()
    down: tuple[int, ...] = ()


def verify_told(home: Path, release: str) -> None:
    """Read a part from stdin, replay its cycles, and write what was found to stdout.

    Raises:
        StateError: Record or journal cannot be read.
        HandoffError: The release cannot be loaded.
    """
    part = msgspec.json.decode(sys.stdin.buffer.read(), type=Part)
    with words_apart() as out:
        record = read_only_snapshot(home / "state")
        workload = load(home, release, record)
        schedule = Schedule(workload.cadence, record.timeline)
        replay = replay_with(workload, schedule, effects_too=True)
        found = _replayed(home, part, replay)
        out.write(msgspec.json.encode(found) + b"\n")


def tell_knowledge(home: Path, release: str) -> None:
    """Write the release's schemas to stdout.

    Raises:
        StateError: The record cannot be read.
        HandoffError: The release cannot be loaded.
    """
    with words_apart() as out:
        workload = load(home, release, read_only_snapshot(home / "state"))
        body, inputs = workload.body, workload.inputs
        found = Knowledge(
            body=body.schema_id,
            inputs=inputs.schema_id,
            up=tuple(sorted(body.up)),
            down=tuple(sorted(body.down)),
        )
        out.write(msgspec.json.encode(found) + b"\n")


def _replayed(home: Path, part: Part, replay: Callable[[Record, Line], Record]) -> Verified:
    reasons: dict[int, str] = {}

    def again(before: Record, line: Line) -> Record:
        try:
            return replay(before, line)
        except WorkloadFaulty as fault:
            reasons[line.cycle] = fault.reason
            return before  # which no decision leads to

    start = decode_open(part.before, Record) if part.before != _NOTHING else None
    found = replay_lines(_lines_of(home, part), again, before=start)
    default = "the same inputs lead to another body or to other effects"
    return Verified(
        checked=found.checked,
        skipped=found.skipped,
        deviations=tuple(
            Otherwise(each.cycle, reasons.get(each.cycle, default)) for each in found.deviations
        ),
        after=msgspec.Raw(encode_open(found.after)) if found.after is not None else _NOTHING,
    )


def _lines_of(home: Path, part: Part) -> Iterator[Line]:
    for line in read_lines(home / "journal", part.since_cycle):
        if line.seq > part.last_seq:
            return
        if line.seq >= part.first_seq:
            yield line
