"""The real clock: waits for an instant of wall-clock time, never returns early.

Owns the only timer that boundaries are waited on. On Linux it is a timerfd on
CLOCK_REALTIME with an absolute time that also fires when the clock is set; elsewhere it is
a chain of short sleeps. Which cycle an instant belongs to is `cadence`'s matter.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import sys
import time
from typing import Final

from handoff.limits import NS

_CLOCK_REALTIME: Final = 0
_TFD_FLAGS: Final = 0o2000000 | 0o4000  # TFD_CLOEXEC | TFD_NONBLOCK, timerfd_create(2)
_TFD_TIMER_ABSTIME: Final = 1
_TFD_TIMER_CANCEL_ON_SET: Final = 2
_SLEEP_S_MAX: Final = 0.5  # without timerfd: a clock step is noticed this late at most


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class SystemClock:
    """Wall-clock and monotonic time of this host."""

    def now_ns(self) -> int:
        """Return wall-clock time, nanoseconds UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return monotonic time, nanoseconds."""
        return time.monotonic_ns()

    async def pause(self, seconds: float) -> None:
        """Return after about so long."""
        await asyncio.sleep(seconds)

    async def wait_until(self, wall_ns: int) -> None:
        """Return once wall-clock time has reached an instant.

        A timer may fire early (uvloop did, by up to 1.3 ms) and the clock may be set
        back while we wait: the time is compared again after every waking.
        """
        while self.now_ns() < wall_ns:
            if sys.platform == "linux":
                await _wait_timer(wall_ns)
            else:
                await asyncio.sleep(min(_SLEEP_S_MAX, (wall_ns - self.now_ns()) / NS))


async def _wait_timer(wall_ns: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.timerfd_create(_CLOCK_REALTIME, _TFD_FLAGS)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    fired = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        seconds, rest = divmod(wall_ns, NS)
        spec = _Spec(0, 0, seconds, rest)
        flags = _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET
        if libc.timerfd_settime(descriptor, flags, ctypes.byref(spec), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        loop.add_reader(descriptor, fired.set)
        await fired.wait()
        _drain(descriptor)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _drain(descriptor: int) -> None:
    try:
        os.read(descriptor, 8)
    except BlockingIOError:
        pass
    except OSError as error:
        # The clock was set: not a failure, the caller looks at the time again.
        if error.errno != errno.ECANCELED:
            raise
