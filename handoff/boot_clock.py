"""The clock that runs since the host booted: nobody sets it, and suspension counts.

Owns the choice of it. Every process of a host reads the same, so that one can tell another
when something is due, whatever happens to the wall clock. Standard library only: the launcher
loads it.
"""

from __future__ import annotations

import sys
import time

# macOS has no CLOCK_BOOTTIME; there CLOCK_MONOTONIC goes on while the host sleeps.
_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


def boot_ns() -> int:
    """Return nanoseconds since boot."""
    return time.clock_gettime_ns(_CLOCK)
