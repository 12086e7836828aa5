"""What one commit writes: the bytes of the next record and the journal line beside it.

Owns the content of both, for every kind of store, so that a store only has to put bytes
in order. Where they go and how they are made durable never matters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from state.journal_frames import (
    CHAIN_START,
    GAP,
    GENESIS,
    SEGMENT,
    Line,
    crosses_checkpoint,
)
from state.moments import milliseconds, rfc3339
from state.open_struct import encode_open
from state.record import Record, body_digest, encode_record, header_of
from state.seal import digest_of

if TYPE_CHECKING:
    from state.store import Note

BAKED_BYTES_MAX: Final = 1_000_000  # body and fallback of a bake's decide line together
CYCLE_KINDS: Final = frozenset({"decide", "settle", "miss"})
STARTING_KINDS: Final = frozenset({"decide", "take"})  # after these, more will have to be written


class Generation(msgspec.Struct, frozen=True):
    """One version of the record, and the digest of its bytes."""

    record: Record
    digest: str


class Commit(msgspec.Struct, frozen=True):
    """What has to be written for one change.

    Attributes:
        generation: The next generation.
        data: The bytes of its document.
        line: The journal line that goes before it, not yet numbered or chained.
    """

    generation: Generation
    data: bytes
    line: Line


def plan_commit(before: Generation, record: Record, note: Note, *, now_ns: int) -> Commit:
    """Return what has to be written to put `record` in the place of `before`.

    Args:
        before: The generation that was changed.
        record: What the change returned.
        note: What the journal is to say besides.
        now_ns: Wall-clock time, nanoseconds UTC.
    """
    data, digest = encode_record(record)
    generation = Generation(record, digest)
    line = _with_note(_line(note.kind, generation, parent=before.digest, now_ns=now_ns), note)
    if _needs_body(before.record, record, note.kind):
        line = _with_bodies(line, record)
    return Commit(generation, data, line)


def with_body(commit: Commit) -> Commit:
    """Return a commit whose line carries the body, whether it changed or not."""
    return replace(commit, line=_with_bodies(commit.line, commit.generation.record))


def plan_genesis(record: Record, *, now_ns: int) -> Commit:
    """Return what has to be written for the first record of a home."""
    data, digest = encode_record(record)
    generation = Generation(record, digest)
    line = _line(GENESIS, generation, parent=CHAIN_START, now_ns=now_ns)
    return Commit(generation, data, _with_bodies(line, record))


def segment_line(current: Generation, *, now_ns: int) -> Line:
    """Return the first line of a later segment: the record as it stands, bodies included."""
    line = _line(SEGMENT, current, parent=current.digest, now_ns=now_ns)
    return _with_bodies(line, current.record)


def gap_line(last: Line | None, current: Generation, *, now_ns: int) -> Line | None:
    """Return the line that says what the journal lost, or None where it leads to the record.

    Args:
        last: The newest line of the journal; None if there is none.
        current: The record, which no line of the journal leads to or beyond.
        now_ns: Wall-clock time, nanoseconds UTC.
    """
    if last is not None and last.result == current.digest:
        return None
    parent = CHAIN_START if last is None else last.result
    return _with_bodies(_line(GAP, current, parent=parent, now_ns=now_ns), current.record)


def _line(kind: str, generation: Generation, *, parent: str, now_ns: int) -> Line:
    record = generation.record
    owner, fallback = record.ownership.owner, record.fallback
    return Line(
        kind=kind,
        at=rfc3339(now_ns),
        at_ms=milliseconds(now_ns),
        parent=parent,
        result=generation.digest,
        epoch=record.ownership.epoch,
        worker=owner.worker if owner else "",
        release=owner.release if owner else "",
        cycle=record.progress.cycle,
        phase=record.progress.phase,
        committed_ms=milliseconds(now_ns) if kind in CYCLE_KINDS else None,
        attempt=record.attempt,
        header=msgspec.Raw(encode_open(header_of(record))),
        body_digest=body_digest(record),
        fallback_digest=digest_of(bytes(fallback.body)) if fallback else "",
    )


def _with_note(line: Line, note: Note) -> Line:
    return replace(
        line,
        scheduled_ms=milliseconds(note.scheduled_ns) if note.scheduled_ns else None,
        started_ms=milliseconds(note.started_ns) if note.started_ns else None,
        inputs=note.inputs,
        inputs_schema=note.inputs_schema,
        unavailable=note.unavailable,
        evidence=note.evidence,
        health=note.health,
    )


def _with_bodies(line: Line, record: Record) -> Line:
    if record.fallback is None:
        return replace(line, body=record.body)
    return replace(line, body=record.body, fallback=record.fallback.body)


def _needs_body(before: Record, after: Record, kind: str) -> bool:
    # A decision can be replayed from its inputs; any other new body is nowhere else.
    if kind != "decide" and after.body != before.body:
        return True
    # In a bake the release that could recompute it may be the one that fails.
    if kind == "decide" and after.rollout is not None and _bodies_bytes(after) <= BAKED_BYTES_MAX:
        return True
    # Another release cannot lead to this body, and has to start from it.
    if after.ownership.release != before.ownership.release:
        return True
    return crosses_checkpoint(before.progress.cycle, after.progress.cycle)


def _bodies_bytes(record: Record) -> int:
    fallback = record.fallback
    return len(bytes(record.body)) + (len(bytes(fallback.body)) if fallback else 0)
