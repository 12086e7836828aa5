"""The real clock: reads the host's clocks, waits for an instant, never returns early.

Owns the readings from which `believed_clock` makes a belief, and the only timer that
boundaries are waited on. On Linux it is a timerfd on CLOCK_REALTIME with an absolute time that
also fires when the clock is set; elsewhere, and while the clock is in doubt, it is a chain of
short sleeps. Which cycle an instant belongs to is `cadence`'s matter.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import sys
import time
from functools import cache
from typing import Final

from handoff.believed_clock import Belief, Reading, believe, first_belief
from handoff.boot_clock import boot_ns
from handoff.limits import CLOCK_AGREE_READINGS, CLOCK_DOUBT_POLL_S, NS

_CLOCK_REALTIME: Final = 0
_TFD_FLAGS: Final = 0o2000000 | 0o4000  # TFD_CLOEXEC | TFD_NONBLOCK, timerfd_create(2)
_TFD_TIMER_ABSTIME: Final = 1
_TFD_TIMER_CANCEL_ON_SET: Final = 2
_STATUS_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC, adjtimex(2)
_SLEEP_S_MAX: Final = 0.5  # without timerfd: a clock step is noticed this late at most


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class _Timex(ctypes.Structure):
    """As much of `struct timex` as is read; the kernel writes the rest of its 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("error_max", ctypes.c_long),
        ("error_estimate", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


@cache
def system_clock() -> SystemClock:
    """Return this process's clock: one belief for all who ask, made of the readings of all."""
    return SystemClock()


class SystemClock:
    """The clocks of this host, and what this process believes of them."""

    def __init__(self) -> None:
        """Take the first readings."""
        self._belief = first_belief([_read() for _ in range(CLOCK_AGREE_READINGS)])

    def now_ns(self) -> int:
        """Return the wall-clock time that is believed, nanoseconds UTC."""
        reading = _read()
        self._belief = believe(self._belief, reading)
        return self._belief.wall_ns(reading.boot_ns)

    def belief(self) -> Belief:
        """Read the clocks once more and return what is believed of the wall clock."""
        self._belief = believe(self._belief, _read())
        return self._belief

    def boot_ns(self) -> int:
        """Return nanoseconds since boot, suspension included."""
        return boot_ns()

    def monotonic_ns(self) -> int:
        """Return monotonic time, nanoseconds."""
        return time.monotonic_ns()

    def is_synchronised(self) -> bool:
        """Return False if the kernel says that nothing has set the wall clock right yet.

        Where it says nothing (macOS, a sandbox that forbids the question) nothing is known
        against the clock.
        """
        if sys.platform != "linux":
            return True
        timex = _Timex()
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
            return True
        return not timex.status & _STATUS_UNSYNCHRONISED

    async def pause(self, seconds: float) -> None:
        """Return after about so long."""
        await asyncio.sleep(seconds)

    async def wait_until(self, wall_ns: int) -> None:
        """Return once the believed time has reached an instant.

        A timer may fire early (uvloop did, by up to 1.3 ms) and the clock may be set
        back while we wait: the time is compared again after every waking.
        """
        while (left_ns := wall_ns - self.now_ns()) > 0:
            if self._belief.doubt is not None:
                # A timer on the clock in doubt would fire at once, or hours late.
                await asyncio.sleep(min(CLOCK_DOUBT_POLL_S, left_ns / NS))
            elif sys.platform == "linux":
                await _wait_timer(wall_ns)
            else:
                await asyncio.sleep(min(_SLEEP_S_MAX, left_ns / NS))


def _read() -> Reading:
    return Reading(wall_ns=time.time_ns(), boot_ns=boot_ns())


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
