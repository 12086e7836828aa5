"""What a journal does not hold: what retention removed, and what another host's journal has alone.

Owns `pruned.json`: for each removed range its numbers, cycles and chains, sealed. The
first kept segment names the chain that it continues; this file says that it is the right
one. A hole is a range that this host never had: it came late to an etcd that had gone on.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from state.errors import JournalBroken
from state.journal_frames import CHAIN_START
from state.open_struct import OpenStruct, decode_open, encode_open
from state.seal import SealBroken, seal, unseal

NAME: Final = "pruned.json"
HOLES_MAX: Final = 100  # of a host that comes late again and again
RANGES_MAX: Final = 1000  # older ones are merged: 250 bytes each, rewritten at every pruning


class PrunedRange(OpenStruct, frozen=True, kw_only=True):
    """One removed segment, or several that were next to each other."""

    first_seq: int
    last_seq: int
    first_cycle: int
    last_cycle: int
    first_chain: str
    last_chain: str


class Pruned(OpenStruct, frozen=True, kw_only=True):
    """Everything that was removed, and every hole, each oldest first.

    Attributes:
        ranges: What retention removed, from the journal's beginning on.
        holes: What was never here: the line after one begins a segment with the record as it
            stood then, chained to the hole's `last_chain`. No line has a hole's own number.
    """

    LATER: ClassVar = ("holes",)
    format: int = 1
    ranges: tuple[PrunedRange, ...] = ()
    holes: tuple[PrunedRange, ...] = ()

    @property
    def last_seq(self) -> int:
        """Number of the last removed line; 0 where nothing was removed."""
        return self.ranges[-1].last_seq if self.ranges else 0

    @property
    def last_cycle(self) -> int:
        """Cycle of the last removed line; 0 where nothing was removed."""
        return self.ranges[-1].last_cycle if self.ranges else 0

    @property
    def last_chain(self) -> str:
        """Chain of the last removed line."""
        return self.ranges[-1].last_chain if self.ranges else CHAIN_START

    def hole_before(self, seq: int) -> PrunedRange | None:
        """Return the hole that ends just before a line, or None where there is none."""
        return next((each for each in self.holes if each.last_seq == seq - 1), None)


def with_hole(pruned: Pruned, hole: PrunedRange) -> Pruned:
    """Return `pruned` with a hole at its end, in the place of one that nothing followed."""
    kept = [each for each in pruned.holes if each.first_seq < hole.first_seq]
    return msgspec.structs.replace(pruned, holes=(*kept, hole)[-HOLES_MAX:])


def with_ranges(pruned: Pruned, removed: list[PrunedRange]) -> Pruned:
    """Return `pruned` with more ranges at its end, the oldest merged beyond the bound."""
    ranges = [*pruned.ranges, *removed]
    while len(ranges) > RANGES_MAX:
        ranges[:2] = [_merged(ranges[0], ranges[1])]
    return msgspec.structs.replace(pruned, ranges=tuple(ranges))


def encode_pruned(pruned: Pruned) -> bytes:
    """Return the sealed document."""
    return seal(encode_open(pruned), field="digest")[0]


def decode_pruned(data: bytes) -> Pruned:
    """Read the sealed document.

    Raises:
        JournalBroken: The bytes are not what was written.
    """
    try:
        return decode_open(unseal(data, field="digest")[0], Pruned)
    except (SealBroken, msgspec.DecodeError) as error:
        raise JournalBroken(NAME, 1, cycle=None, reason=str(error)) from error


def _merged(older: PrunedRange, newer: PrunedRange) -> PrunedRange:
    return msgspec.structs.replace(
        older,
        last_seq=newer.last_seq,
        last_cycle=newer.last_cycle,
        last_chain=newer.last_chain,
    )
