"""What is left of journal segments that retention removed: enough to prove the chain.

Owns `pruned.json`: for each removed range its numbers, cycles and chains, sealed. The
first kept segment names the chain that it continues; this file says that it is the right
one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from state.errors import JournalBroken
from state.journal_frames import CHAIN_START
from state.open_struct import OpenStruct, decode_open, encode_open
from state.seal import SealBroken, seal, unseal

NAME: Final = "pruned.json"
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
    """Everything that was removed, oldest first."""

    format: int = 1
    ranges: tuple[PrunedRange, ...] = ()

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
