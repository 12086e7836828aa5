"""One line of the journal: its shape, its place in the chain, what may follow what.

Owns the encoding of a line and the rules that a run of lines obeys. Every line carries
the digest of the line before it and of its own remaining bytes, so that a line removed,
repeated or changed breaks the chain at a place that can be named. Files and rotation
are the matter of `journal`; what the cycles add up to, of `journal_audit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec.structs import replace

from state.open_struct import OpenStruct, decode_open, encode_open
from state.record import EMPTY_BODY, Phase
from state.seal import DIGEST_CHARS, SealBroken, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Sequence

CHAIN_START: Final = ""  # what the first line of a journal is chained to
CHECKPOINT_CYCLES: Final = 64  # a body this often bounds what a replay has to redo

GENESIS: Final = "genesis"  # the first record of a home
ABORTED: Final = "aborted"  # the line named by `aborts` was written, its record never was
GAP: Final = "gap"  # the record was found at a digest that the journal does not lead to
SEGMENT: Final = "segment"  # first line of a later segment: the record as it stood then
BOOKKEEPING: Final = frozenset({ABORTED, GAP, SEGMENT})  # no transition stands behind these

_EMPTY: Final = msgspec.Raw(EMPTY_BODY)
_UNCHAINED: Final = b'{"chain":"",'


class Health(OpenStruct, frozen=True, kw_only=True):
    """How much of what a cycle asked the outside world for it got; 0 of 0 is full health."""

    asked: int = 0
    answered: int = 0


class Line(OpenStruct, frozen=True, kw_only=True):
    """One journal line.

    Attributes:
        chain: SHA-256 over the previous line's chain and the rest of this line.
        seq: Number of the line, from 1, without holes.
        kind: Name of the transition, or one of the kinds above.
        at: When it was written, RFC 3339 with Z, microseconds.
        at_ms: The same, milliseconds since 1970 UTC.
        parent: Digest of the record that was changed; empty before the first.
        result: Digest of the record that came out.
        epoch: Epoch of the resulting record.
        worker: Name of the owner in the resulting record, or an empty string.
        release: Release of that owner, or an empty string.
        cycle: Newest cycle of the resulting record.
        phase: How far that cycle got.
        scheduled_ms: The cycle's boundary, milliseconds since 1970 UTC.
        started_ms: When work on the cycle began.
        committed_ms: When this commit was written; None for what is no part of a cycle.
        attempt: Id of the write.
        inputs: What was observed, raw JSON.
        inputs_schema: Version of the inputs' schema; 0 where there are none.
        unavailable: Why there were no inputs, or an empty string.
        evidence: Further facts for an operator.
        header: The resulting record without its bodies, raw JSON.
        body_digest: SHA-256 of the resulting body.
        fallback_digest: SHA-256 of the resulting fallback body, or an empty string.
        body: The resulting body, only where `body_digest` says so: at a checkpoint.
        fallback: The fallback body, likewise.
        aborts: For `aborted`, the number of the line that never happened; otherwise 0.
        previous_chain: For the first line of a segment, the chain it continues.
        health: Of what a cycle observed; None where nobody counted.
    """

    LATER: ClassVar = ("health",)
    chain: str = ""
    seq: int = 0
    kind: str
    at: str = ""
    at_ms: float = 0.0
    parent: str = ""
    result: str
    epoch: int = 0
    worker: str = ""
    release: str = ""
    cycle: int = 0
    phase: Phase = Phase.SETTLED
    scheduled_ms: float | None = None
    started_ms: float | None = None
    committed_ms: float | None = None
    attempt: str = ""
    inputs: msgspec.Raw = _EMPTY
    inputs_schema: int = 0
    unavailable: str = ""
    evidence: dict[str, str | int | float] = {}  # noqa: RUF012 - msgspec copies it
    header: msgspec.Raw = _EMPTY
    body_digest: str = ""
    fallback_digest: str = ""
    body: msgspec.Raw = _EMPTY
    fallback: msgspec.Raw = _EMPTY
    aborts: int = 0
    previous_chain: str = CHAIN_START
    health: Health | None = None


def encode_line(line: Line, *, previous_chain: str) -> tuple[bytes, str]:
    """Return the line's bytes with its newline, and its chain.

    Args:
        line: The line; its own `chain` is ignored.
        previous_chain: Chain of the line before it.
    """
    data = encode_open(replace(line, chain=""))
    # The chain is no part of what it covers; it stands in front of it.
    assert data.startswith(_UNCHAINED), "chain is the first member"
    document = b"{" + data[len(_UNCHAINED) :]
    sealed, chain = seal(document, field="chain", salt=previous_chain.encode())
    return sealed + b"\n", chain


def decode_line(data: bytes, *, previous_chain: str) -> Line:
    """Read one line and check that it continues the chain.

    Args:
        data: The line's bytes, with or without its newline.
        previous_chain: Chain of the line before it.

    Raises:
        SealBroken: These bytes do not continue that chain.
    """
    document, chain = unseal(data.rstrip(b"\n"), field="chain", salt=previous_chain.encode())
    return _line_of(document, chain)


def decode_first_line(data: bytes) -> Line:
    """Read the first line of a segment, which names the chain it continues.

    Raises:
        SealBroken: These bytes do not continue the chain that they name.
    """
    return decode_line(data, previous_chain=peek(data).previous_chain)


def decode_unchecked(data: bytes) -> Line:
    """Read one line whatever chain it continues: for a reader with another proof of it.

    Raises:
        SealBroken: The bytes are no line at all.
    """
    return _line_of(data, chain_in(data))


def chain_lines(lines: Sequence[Line], after: Line | None) -> tuple[bytes, tuple[Line, ...]]:
    """Number and chain new lines; return their bytes and the lines as they will be read.

    Args:
        lines: What to append, oldest first.
        after: The newest line of the journal, or None at its start.
    """
    parts: list[bytes] = []
    placed: list[Line] = []
    for line in lines:
        previous_chain, seq = (after.chain, after.seq) if after else (CHAIN_START, 0)
        data, chain = encode_line(replace(line, seq=seq + 1), previous_chain=previous_chain)
        after = replace(line, seq=seq + 1, chain=chain)
        parts.append(data)
        placed.append(after)
    return b"".join(parts), tuple(placed)


class _PeekProgress(msgspec.Struct, frozen=True):
    cycle: int | None = None


class _PeekHeader(msgspec.Struct, frozen=True):
    progress: _PeekProgress = _PeekProgress()


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """What can be read of a line without trusting it."""

    chain: str = ""
    seq: int = 0
    kind: str = ""
    cycle: int | None = None
    previous_chain: str = CHAIN_START
    header: _PeekHeader | None = None


def peek(data: bytes) -> Peek:
    """Read a line's place without checking anything; a line beyond reading has none."""
    try:
        return msgspec.json.decode(data, type=Peek)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Peek()


def blamed_cycle(previous: Line | None, data: bytes) -> int | None:
    """Return the cycle to name where the chain breaks at the line with these bytes.

    Args:
        previous: The last line that held, or None where the first line is broken.
        data: The bytes that did not continue the chain.
    """
    found = peek(data)
    if previous is None:
        return found.cycle
    expected = following_cycle(previous)
    # The line itself is believed only where it agrees with itself and with what holds.
    believable = found.cycle in {previous.cycle, previous.cycle + 1}
    agrees = found.header is not None and found.header.progress.cycle == found.cycle
    if found.cycle is None or not (believable and agrees):
        return expected
    if found.seq <= previous.seq + 1:
        return found.cycle
    # Lines are missing; where the next cycle begins here, they were of the one before it.
    return min(expected, found.cycle - (found.kind in {"decide", "miss"}))


def following_cycle(line: Line) -> int:
    """Return the cycle that is in hand, or due, after a line."""
    return line.cycle + 1 if line.phase is Phase.SETTLED else line.cycle


def why_broken(previous: Line | None, data: bytes, error: SealBroken) -> str:
    """Say what most likely happened where the chain breaks."""
    if previous is None:
        return f"the first line does not hold: {error}"
    found = peek(data)
    after = f"after line number {previous.seq} of cycle {previous.cycle}"
    if found.seq > previous.seq + 1:
        return f"lines {previous.seq + 1} to {found.seq - 1} are missing {after}"
    if 0 < found.seq <= previous.seq:
        return f"line number {found.seq} comes again {after}"
    return f"a line was changed {after}: {error}"


def broken_rule(previous: Line, line: Line) -> str:
    """Return which rule of succession `line` breaks although its chain holds, or nothing."""
    if line.seq != previous.seq + 1:
        return f"line number {line.seq} follows {previous.seq}"
    if line.kind not in BOOKKEEPING and line.parent != previous.result:
        return f"it changes record {line.parent[:12]}, the line before left {previous.result[:12]}"
    return ""


def crosses_checkpoint(before: int, after: int) -> bool:
    """Return whether a body is due between two cycle numbers."""
    return before // CHECKPOINT_CYCLES != after // CHECKPOINT_CYCLES


def _line_of(document: bytes, chain: str) -> Line:
    try:
        line = decode_open(document, Line)
    except msgspec.DecodeError as error:
        reason = f"it is no journal line: {error}"
        raise SealBroken(reason) from error
    return replace(line, chain=chain)


def chain_in(data: bytes) -> str:
    """Return the chain that a line's bytes claim, unchecked; empty where there is none."""
    start = len(b'{"chain":"')
    claimed = data[start : start + DIGEST_CHARS]
    return claimed.decode("ascii", "replace") if data.startswith(b'{"chain":"') else ""
