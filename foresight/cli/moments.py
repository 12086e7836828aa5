"""The clock of a command: what it shows, how long it waits between two looks.

Owns every reading of time in this package. Nothing here is a boundary: whoever waits for a
cycle is a worker, with `handoff.worker.boundary_clock`.
"""

from __future__ import annotations

import time


def now_ns() -> int:
    """Return wall-clock time, nanoseconds UTC."""
    return time.time_ns()


def now_s() -> float:
    """Return wall-clock time, seconds UTC, for display."""
    return time.time()  # noqa: TID251 - a display; decisions get their time as an argument


def pause(seconds: float) -> None:
    """Wait before the next look at a file or at the launcher."""
    time.sleep(seconds)  # noqa: TID251 - a poll with a bound; no boundary is waited for
