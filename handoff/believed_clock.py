"""Which wall-clock time is believed: a value, made of readings of two clocks.

Owns the rules by which a reading of the wall clock counts. It reads no clock itself: the real
readings come from `boundary_clock`, the simulated ones from whoever simulates.

A host has three clocks, and each is wrong in a way of its own:

- CLOCK_REALTIME (the wall clock) says which cycle it is, alone. It may be set, at any moment
  and to anything: by a time server, an administrator, a hypervisor, or by mistake for an instant.
- CLOCK_BOOTTIME runs since the host booted, also while it is suspended, and is never set. So
  the wall clock minus the boot clock is the same number for as long as nobody sets the wall
  clock, and a reading in which it is another one tells that somebody did, or that it is false.
- CLOCK_MONOTONIC stands still in suspension. It measures how long somebody had to do something
  (an owner its limit, a child its time to leave): a host that slept gave nobody time.

A difference of up to a second is believed at once: a clock that is disciplined moves by less, and
so little costs punctuality at most. A larger one is believed when three readings over two
seconds agree on it. Until then time goes on as it was believed before, counted on the boot clock:
cycles begin when they would have begun, none is begun, missed or seized for the difference, and
no owner is overdue by it.

What cannot be taken back, a cycle given up, waits for more: for the end of any doubt; and on a host
that has just booted for the kernel to say that the clock is synchronised, up to a bound, because
a board without a clock of its own starts years away, and a host without a time server stays
unsynchronised for good. A process that starts has nothing to compare with and waits for nothing:
who comes after an outage would lose further cycles to the wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handoff.limits import (
    CLOCK_AGREE_NS,
    CLOCK_AGREE_READINGS,
    CLOCK_DIFFERENCE_NS_MAX,
    FRESH_BOOT_NS,
    MS,
    NS,
    SYNCHRONISE_NS_MAX,
    TICKS_IN_SECOND,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reading(NamedTuple):
    """Both clocks at one moment, nanoseconds.

    Attributes:
        wall_ns: The wall clock, UTC.
        boot_ns: The boot clock.
    """

    wall_ns: int
    boot_ns: int

    @property
    def offset_ns(self) -> int:
        """The wall clock minus the boot clock."""
        return self.wall_ns - self.boot_ns


class Doubt(NamedTuple):
    """A difference that is not believed yet.

    Attributes:
        offset_ns: What the first reading of it said.
        since_ns: Boot time of that reading.
        readings: How many in a row agreed.
    """

    offset_ns: int
    since_ns: int
    readings: int = 1


class Belief(NamedTuple):
    """What one process believes of the time.

    Attributes:
        offset_ns: The wall clock minus the boot clock.
        moved_ns: Boot time at which a difference was believed last, or None.
        doubt: A difference that the newest readings show, or None.
    """

    offset_ns: int
    moved_ns: int | None = None
    doubt: Doubt | None = None

    def wall_ns(self, boot_ns: int) -> int:
        """Return the believed wall-clock time at a boot time."""
        return boot_ns + self.offset_ns

    def tells_overdue(self, boot_ns: int, overdue_ns: int) -> bool:
        """Tell whether an owner may be judged by it.

        Whoever owns has a belief of its own, and may take the readings for it only once it
        has finished what it has in hand: after a step of the clock it gets the time for both.
        """
        if self.doubt is not None:
            return False
        return self.moved_ns is None or boot_ns > self.moved_ns + overdue_ns + 2 * CLOCK_AGREE_NS


def first_belief(readings: Sequence[Reading]) -> Belief:
    """Return what is believed at the start of a process: the middle one of some readings.

    One false reading among three changes nothing.
    """
    offsets = sorted(reading.offset_ns for reading in readings)
    return Belief(offset_ns=offsets[len(offsets) // 2])


def believe(belief: Belief, reading: Reading) -> Belief:
    """Return what is believed after one more reading."""
    if abs(reading.offset_ns - belief.offset_ns) <= CLOCK_DIFFERENCE_NS_MAX:
        return belief._replace(offset_ns=reading.offset_ns, doubt=None)
    doubt = _one_more(belief.doubt, reading)
    agreed_ns = reading.boot_ns - doubt.since_ns
    if doubt.readings < CLOCK_AGREE_READINGS or agreed_ns < CLOCK_AGREE_NS:
        return belief._replace(doubt=doubt)
    return Belief(offset_ns=reading.offset_ns, moved_ns=reading.boot_ns)


def _one_more(doubt: Doubt | None, reading: Reading) -> Doubt:
    if doubt is None or abs(reading.offset_ns - doubt.offset_ns) > CLOCK_DIFFERENCE_NS_MAX:
        return Doubt(reading.offset_ns, reading.boot_ns)
    return doubt._replace(readings=doubt.readings + 1)


def has_just_booted(start_ticks: int, boot_ns: int) -> bool:
    """Tell whether a worker waits for the host's clock to be synchronised, if it is not.

    Args:
        start_ticks: When the worker's process started, clock ticks since the host booted.
        boot_ns: The boot clock now.
    """
    started_ns = start_ticks * NS // TICKS_IN_SECOND
    return started_ns <= FRESH_BOOT_NS and boot_ns < started_ns + SYNCHRONISE_NS_MAX


def due_members(belief: Belief, overdue_at_ns: int) -> dict[str, int]:
    """Return how a message says when an owner is overdue.

    On the boot clock, which every process of a host shares and nobody sets; and on the wall
    clock, for a launcher that knows nothing else.

    Args:
        belief: The sender's.
        overdue_at_ns: The instant, wall-clock.
    """
    return {
        "overdue_at_ms": overdue_at_ns // MS,
        "overdue_boot_ms": (overdue_at_ns - belief.offset_ns) // MS,
    }
