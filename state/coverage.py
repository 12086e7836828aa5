"""Which cycles no journal of several proves: what is left of the holes of one by all the others.

Owns arithmetic on ranges of cycles alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from state.cycle_audit import CycleRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Covered(NamedTuple):
    """What a journal has lines of, or had and kept the digests of: everything but this.

    Attributes:
        last: The newest settled cycle; what comes after it is not there.
        holes: What never was there.
    """

    last: int
    holes: Sequence[CycleRange] = ()


def proven_nowhere(
    wanted: Iterable[CycleRange], journals: Iterable[Covered]
) -> tuple[CycleRange, ...]:
    """Return what is left of some ranges by no journal.

    Args:
        wanted: The ranges, none of which touches another.
        journals: What the journals have.
    """
    left = list(wanted)
    for journal in journals:
        lacks = list(journal.holes)
        end = max((each.last for each in left), default=-1)
        if end > journal.last:
            lacks.append(CycleRange(first=journal.last + 1, last=end))
        left = [both for one in left for other in lacks if (both := _both(one, other)).count]
    return tuple(_joined(left))


def _both(one: CycleRange, other: CycleRange) -> CycleRange:
    return CycleRange(first=max(one.first, other.first), last=min(one.last, other.last))


def _joined(ranges: Iterable[CycleRange]) -> list[CycleRange]:
    joined: list[CycleRange] = []
    for each in sorted(ranges, key=lambda found: found.first):
        if joined and each.first <= joined[-1].last + 1:
            last = max(joined[-1].last, each.last)
            joined[-1] = CycleRange(first=joined[-1].first, last=last)
        else:
            joined.append(each)
    return joined
