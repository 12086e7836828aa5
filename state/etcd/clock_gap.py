"""How far another host's wall clock is ahead of this one's, from what it wrote and what was read.

Owns the arithmetic. A host writes its wall clock W as it sends, and says next time how long T the
answer took: in between its write came about. Here two readings were asked for one after the other,
and only the second found the write: it came about after the first was sent (at A, by the clock
here) and before the second was answered (at B). So the clock there is ahead by W - B at least and
by W + T - A at most, whatever the network did. Each pair of readings tells within their distance;
many of them, at changing moments, tell within less.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from state.hosts_seen import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLES_MAX: Final = 32  # a minute: a clock that is a thousandth off drifts by 60 ms in it


class Moment(NamedTuple):
    """When something happened here.

    Attributes:
        wall_ms: By the wall clock, milliseconds since 1970 UTC.
        boot_ms: Since boot, suspension included.
    """

    wall_ms: float
    boot_ms: float


class Told(NamedTuple):
    """What a host said of its clock: see `presence.Present`."""

    at_ms: float
    before_ms: float
    took_ms: float


class Gap:
    """What is known of one other clock."""

    def __init__(self) -> None:
        """Know nothing."""
        self._open: tuple[float, float, float] | None = None  # a write, and what it lies between
        self._samples: deque[Clock] = deque(maxlen=SAMPLES_MAX)

    def hear(self, told: Told, *, missed_ms: float, found_ms: float) -> None:
        """Take in a write that one reading missed and the next one found.

        Args:
            told: What it says.
            missed_ms: When the reading before was sent, by the wall clock here.
            found_ms: When this one was answered.
        """
        if self._open is not None and self._open[0] == told.before_ms:
            at_ms, after_ms, by_ms = self._open
            sample = Clock(low_ms=at_ms - by_ms, high_ms=at_ms + told.took_ms - after_ms)
            if sample.low_ms <= sample.high_ms:  # otherwise a clock was set in between
                self._keep(sample)
        self._open = (told.at_ms, missed_ms, found_ms)

    def clock(self) -> Clock | None:
        """Return between which bounds it lies; None while nothing is known."""
        if not self._samples:
            return None
        low_ms = max(each.low_ms for each in self._samples)
        return Clock(low_ms=low_ms, high_ms=min(each.high_ms for each in self._samples))

    def _keep(self, sample: Clock) -> None:
        known = self.clock()
        if known is not None and (sample.low_ms > known.high_ms or sample.high_ms < known.low_ms):
            self._samples.clear()  # one of the clocks was set: what is older tells nothing
        self._samples.append(sample)


def together(clocks: Sequence[Clock]) -> Clock | None:
    """Return what several workers' words tell of the one clock of their host; None for no words.

    Where they contradict each other the clock was set: the narrowest is the one that counts.
    """
    if not clocks:
        return None
    low_ms = max(each.low_ms for each in clocks)
    high_ms = min(each.high_ms for each in clocks)
    if low_ms > high_ms:
        return min(clocks, key=lambda each: each.uncertain_ms)
    return Clock(low_ms=low_ms, high_ms=high_ms)
