"""When a worker is started again, after how long, and of which release.

Owns the choice; it starts nothing. Standard library only. A restart starts the release
that owns the record, never "what is on disk".
"""

from __future__ import annotations

from handoff.launcher.supervision import Role
from handoff.light_typing import Any, Final, NamedTuple
from handoff.limits import (
    BAD_WEATHER_PAUSE_S,
    FAILED_STARTS_MAX,
    RESTART_BACKOFF_S,
    RESTART_WINDOW_S,
    STARTS_MAX,
)

DRAINED: Final = "DRAINED"  # a worker's last word where it was asked to leave or has no part left


class Choice(NamedTuple):
    """Which release to start, and why that one."""

    release: str
    reason: str


def choose_release(
    record: dict[str, Any] | None,
    *,
    first: str,
    failed_starts: int,
    bad_cycle: bool,
    beside_owner: bool = False,
) -> Choice:
    """Choose the release to start where no worker is alive that could run the next cycle.

    Args:
        record: The record as plain JSON, or None if there is none yet.
        first: The release to begin with where no worker ever owned the record.
        failed_starts: Starts of the owning release in a row that ended before it was warm,
            or while it owned.
        bad_cycle: The owning release left because of a bad cycle in its bake, or hangs in one.
        beside_owner: It is well and wants a standby: in a bake one of the release before it, or a
            bad cycle would hand over to another worker of the same release.
    """
    ownership = (record or {}).get("ownership") or {}
    owning = ownership.get("owner") or ownership.get("last_owner")
    if owning is None:
        return Choice(first, "no worker ever owned this record")
    previous = ownership.get("previous")
    if record is not None and record.get("rollout") and previous is not None:
        if failed_starts >= FAILED_STARTS_MAX and not beside_owner:
            return Choice(previous["release"], f"{failed_starts} failed starts in the bake")
        if bad_cycle:
            return Choice(previous["release"], "a bad cycle in the bake")
        if beside_owner and failed_starts < FAILED_STARTS_MAX:
            return Choice(previous["release"], "it is the way back of the bake")
    return Choice(owning["release"], "it owns the record")


def was_asked_for(role: Role, *, asked: bool, leaving: str, status: int | None) -> bool:
    """Tell whether somebody wanted a child to end; any other end is a failure.

    A status of 0 proves nothing: a program that has lost its way exits with it as well.

    Args:
        role: What it was started as.
        asked: The launcher asked it to leave.
        leaving: A worker's last message: why it leaves.
        status: Its exit status; None where a signal ended it, or where nobody can collect it.
    """
    if asked:
        return True
    if role is Role.JOB:
        return status == 0  # it runs once, and that was it
    return role is not Role.COMPANION and leaving == DRAINED


def backoff_s(failures: int) -> float:
    """Return the pause before the next start after so many failures in a row."""
    return RESTART_BACKOFF_S[min(failures, len(RESTART_BACKOFF_S) - 1)]


class Failures(NamedTuple):
    """Failures in a row, forgotten after a quiet window.

    Attributes:
        in_a_row: How many.
        last_s: Monotonic time of the newest.
        next_start_s: Earliest monotonic time of the next start.
    """

    in_a_row: int = 0
    last_s: float = 0.0
    next_start_s: float = 0.0

    def after_bad_weather(self, now_s: float, pause_s: float = BAD_WEATHER_PAUSE_S) -> Failures:
        """Return the same count: the start failed, and its release had no part in that."""
        return Failures(self.in_a_row, self.last_s, now_s + pause_s)

    def after_failure(self, now_s: float, *, warm: bool = False) -> Failures:
        """Return the count with one more failure.

        Args:
            now_s: Monotonic time.
            warm: It had been ready: an accident, until it happens again, so that the first one
                is replaced at once.
        """
        recent = now_s - self.last_s < RESTART_WINDOW_S
        in_a_row = (self.in_a_row if recent else 0) + 1
        pause_s = 0.0 if warm and in_a_row == 1 else backoff_s(in_a_row)
        return Failures(in_a_row, now_s, now_s + pause_s)


class Starts(NamedTuple):
    """The newest starts of a worker or of a companion: so many in any window, and no more.

    That is a rate, never an end: when the oldest is out of the window, the next one may begin.

    Attributes:
        times_s: Monotonic times, oldest first; at most `STARTS_MAX`.
    """

    times_s: tuple[float, ...] = ()

    @property
    def next_start_s(self) -> float:
        """The earliest monotonic time of the next start."""
        return self.times_s[0] + RESTART_WINDOW_S if len(self.times_s) == STARTS_MAX else 0.0

    def after_start(self, now_s: float) -> Starts:
        """Return the starts with one more."""
        return Starts((*self.times_s, now_s)[-STARTS_MAX:])

    def without(self, started_s: float) -> Starts:
        """Return the starts without one that is not held against anybody any more."""
        return Starts(tuple(each for each in self.times_s if each != started_s))
