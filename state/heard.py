"""What the journal says of its newest cycles, read backwards and without bodies.

Owns a light view of a line, and the order from the newest line back. Bodies and inputs are
skipped where they stand, so that a look at the last cycles costs the same whatever a body weighs.
Nothing is checked against the chain: whoever reads here decides about no record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.journal_frames import ABORTED, Health
from state.journal_reader import segments
from state.record import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BLOCK_BYTES: Final = 64 * 1024
BYTES_MAX: Final = 64 << 20  # read back at most: days of small cycles, a minute of the largest


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a line that speak of a cycle or of a change of owner; as in `Line`."""

    seq: int = 0
    epoch: int = 0
    kind: str = ""
    cycle: int = 0
    phase: Phase = Phase.SETTLED
    release: str = ""
    unavailable: str = ""
    scheduled_ms: float | None = None
    evidence: dict[str, str | int | float] = {}
    aborts: int = 0
    health: Health | None = None


def heard_in(newest_first: Iterable[bytes]) -> Iterator[Heard]:
    """Yield what encoded lines say, up to the first that is none.

    What stands before a damaged line is not to be believed either.
    """
    for data in newest_first:
        try:
            yield msgspec.json.decode(data, type=Heard)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return


def newest_heard(directory: Path) -> Iterator[Heard]:
    """Yield the journal's lines from the newest back; none where it cannot be read."""
    return heard_in(_newest_lines(directory))


def counting(newest_first: Iterable[Heard]) -> Iterator[Heard]:
    """Yield the lines that count, from the newest back: not what a later line takes back."""
    taken_back: set[int] = set()
    for line in newest_first:
        if line.kind == ABORTED:
            taken_back.add(line.aborts)
        elif line.seq not in taken_back:
            yield line


def _newest_lines(directory: Path) -> Iterator[bytes]:
    left = BYTES_MAX
    for segment in reversed(segments(directory)):
        try:
            for data in _backwards(segment):
                left -= len(data)
                if left < 0:
                    return
                yield data
        except OSError:
            return  # rotated away meanwhile


def _backwards(segment: Path) -> Iterator[bytes]:
    """Yield a segment's complete lines from the last one back, reading each block once."""
    with segment.open("rb") as file:
        start = file.seek(0, 2)
        parts: list[bytes] = []  # of the line under way, the end of it first
        complete = False  # what stands behind the last newline never happened
        while start > 0:
            step = min(_BLOCK_BYTES, start)
            start = file.seek(start - step)
            *lines, last = file.read(step).split(b"\n")
            if lines:
                if complete:
                    yield b"".join(reversed([*parts, last]))
                complete = True
                yield from reversed(lines[1:])
                parts = [lines[0]]
            else:
                parts.append(last)
        if complete and parts:
            yield b"".join(reversed(parts))
