"""What one host has heard of all hosts that share a record, as values.

Owns the roles that a host may have, and what follows from how old a word is and how far two clocks
are apart. It is what was heard last: it is shown, and nobody acts on it.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

FRESH_MS: Final = 5_000.0  # a worker that listens writes more often


class Role(enum.StrEnum):
    """What a worker is to the record, and so its host."""

    OWNER = "owner"
    CANDIDATE = "candidate"  # of a deploy; it may take once it is approved
    STANDBY = "standby"  # warm, and seizes where the owner is gone
    NOT_STANDBY = "not_standby"  # it lives, and could not go on; why stands beside it
    LEFT = "left"  # its last word


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """How far another host's wall clock is ahead of this one's: between these two, surely.

    Attributes:
        low_ms: At least so much, milliseconds; below zero where it is behind.
        high_ms: At most so much.
    """

    low_ms: float
    high_ms: float

    @property
    def ahead_ms(self) -> float:
        """The middle of it."""
        return (self.low_ms + self.high_ms) / 2

    @property
    def uncertain_ms(self) -> float:
        """How far the truth may be from the middle."""
        return (self.high_ms - self.low_ms) / 2

    @property
    def apart_ms(self) -> float:
        """How far the two are apart at least; 0 where they may agree."""
        return max(0.0, self.low_ms, -self.high_ms)


class HostSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One host as it was heard last.

    Attributes:
        name: Its name, told from others of that name where there are some.
        is_here: It is this one.
        role: Of its worker that comes first by role.
        standbys: How many warm workers it has beside that one.
        why: Why it is no standby, or left.
        release: Of that worker.
        line: Number of the newest line of the record that its journal has; 0 for none.
        heard_ms: When it was heard last, by this host's clock, milliseconds since 1970 UTC.
        silent_since_ms: The same where nothing was heard for too long since; 0 otherwise.
        clock: How its wall clock differs from this one's; None where that is not known.
    """

    name: str
    is_here: bool = False
    role: Role = Role.NOT_STANDBY
    standbys: int = 0
    why: str = ""
    release: str = ""
    line: int = 0
    heard_ms: float = 0.0
    silent_since_ms: float = 0.0
    clock: Clock | None = None

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard of it for too long; that proves nothing of it."""
        return self.silent_since_ms > 0

    @property
    def counts_as_standby(self) -> bool:
        """Whether it could go on if the owner's host were gone, or is that host."""
        return not self.is_silent and self.role in {Role.OWNER, Role.CANDIDATE, Role.STANDBY}


class HostsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """All hosts, as this one heard of them.

    Attributes:
        hosts: Each of them, this one first.
        heard_ms: When etcd answered last, milliseconds since 1970 UTC; 0 where it never did.
        away_since_ms: Since when it does not answer; 0 while it does.
        written_ms: When this was written.
        writer: Process id of who wrote it; 0 where it was not written.
    """

    hosts: tuple[HostSeen, ...] = ()
    heard_ms: float = 0.0
    away_since_ms: float = 0.0
    written_ms: float = 0.0
    writer: int = 0

    def is_fresh(self, now_ms: float) -> bool:
        """Tell whether a worker of this host listens: what is older says what was."""
        return abs(now_ms - self.written_ms) <= FRESH_MS
