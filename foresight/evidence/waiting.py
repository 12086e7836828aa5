"""Waiting from outside: for a condition, or for an instant at which a blow is aimed.

Owns the waits for what an installation does by itself; each has a bound. No cycle is decided
here, so a poll does no harm; whoever waits for a boundary to work at it is a worker.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from foresight.evidence.errors import NeverCame

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S: Final = 0.01
NS: Final = 1_000_000_000
FoundT = TypeVar("FoundT")


def wait_for(what: str, look: Callable[[], FoundT | None], limit_s: float) -> FoundT:
    """Return the first answer that is something; what is false is nothing yet.

    Args:
        what: What is waited for, in words.
        look: Asked again and again.
        limit_s: Longest time, seconds.

    Raises:
        NeverCame: There was none in time.
    """
    deadline_s = time.monotonic() + limit_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline_s:
            message = f"{what} did not come within {limit_s:g} s"
            raise NeverCame(message, "`foresight logs` tells what happened")
        time.sleep(POLL_S)  # noqa: TID251 - a look from outside, with a bound


def wait_instant(wall_ns: int) -> None:
    """Return at an instant of wall-clock time, nanoseconds UTC, or at once if it has passed."""
    while (left_ns := wall_ns - time.time_ns()) > 0:
        time.sleep(left_ns / NS)  # noqa: TID251 - the moment of a blow, not of a cycle


def now_ns() -> int:
    """Return wall-clock time, nanoseconds UTC."""
    return time.time_ns()
