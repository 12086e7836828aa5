"""What a journal says of the moments that its cycle numbers mean.

Owns which line says it: the newest line of a cycle that counts, and before the first cycle the one
that made the record. Where the record says it itself (`Record.cadence`), nobody has to look here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from state.commit import CYCLE_KINDS
from state.journal_frames import ABORTED, GENESIS

if TYPE_CHECKING:
    from collections.abc import Iterable


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a journal line to find the moment of its cycle; see `Line`."""

    kind: str = ""
    seq: int = 0
    aborts: int = 0
    cycle: int = 0
    at_ms: float = 0.0
    scheduled_ms: float | None = None


class Numbered(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle number and the moment that it means.

    Attributes:
        cycle: The number.
        began_ms: Its boundary, milliseconds since 1970 UTC; of the first record, when it was made.
        decided: Whether it is the boundary of a cycle that an owner dealt with.
    """

    cycle: int
    began_ms: float
    decided: bool


def newest_numbered(places: Iterable[Place]) -> Numbered | None:
    """Return the newest cycle with its moment, or None where no line says one.

    Args:
        places: Of the journal's newest lines, oldest first. Lines that were taken back do not
            count.
    """
    known = list(places)
    aborted = {each.aborts for each in known if each.kind == ABORTED}
    for each in reversed(known):
        if each.seq in aborted:
            continue
        if each.kind in CYCLE_KINDS and each.scheduled_ms is not None:
            return Numbered(cycle=each.cycle, began_ms=each.scheduled_ms, decided=True)
        if each.kind == GENESIS:
            return Numbered(cycle=each.cycle, began_ms=each.at_ms, decided=False)
    return None
