"""Signals of the launcher: noted where they come, read by the loop at its own pace.

Owns which signals are noted, and the pipe that wakes the loop. What one means is the loop's matter.
Standard library only.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket

NOTED_MAX = 65536  # signals at one look, more than a socket pair holds
_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR2,
    signal.SIGCHLD,
)


class SignalPipe:
    """Notes signals from now on.

    Args:
        selector: Wakes with this object as its data when one came.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        """Install the handlers."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)  # noqa: FBT003 - the method takes it by position only
        self._writer.setblocking(False)  # noqa: FBT003 - as above
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, _noted_by_wakeup_descriptor)
        selector.register(self._reader, selectors.EVENT_READ, self)

    def noted(self) -> bytes:
        """Return the numbers of the signals since the last call."""
        with contextlib.suppress(BlockingIOError):
            return self._reader.recv(NOTED_MAX)
        return b""


def _noted_by_wakeup_descriptor(_number: int, _frame: object) -> None:
    """Do nothing: the number is in the wake-up descriptor, the loop acts on it."""
