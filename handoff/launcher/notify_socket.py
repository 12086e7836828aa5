"""Telling the init system how the launcher is: ready, alive, stopping.

Owns one datagram socket, as sd_notify(3) describes it. Without NOTIFY_SOCKET everything here
does nothing; a message that cannot be delivered is dropped, because an init system that is
busy must not stop a launcher. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import socket

from handoff.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff.light_typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
BEATS: Final = 3  # within the time that the init system waits; sd_watchdog_enabled(3) says 2


class NotifySocket:
    """Talks to the init system that started this process, if one did.

    The variables stay in the environment: an image that replaces this one finds them. Children
    get an environment of their own, without them.
    """

    def __init__(self) -> None:
        """Read what the init system left in the environment."""
        self._address = os.environ.get(SOCKET, "")
        self._period_s = _watchdog_s() / BEATS
        self._next_s = 0.0
        self._said = ""

    def report(self, now_s: float, *, is_owned: bool, is_stopping: bool) -> None:
        """Say what is new, and that the loop turns as often as the init system wants to hear it.

        Args:
            now_s: Monotonic time.
            is_owned: A worker owns: only then is the service up.
            is_stopping: It drains and will end on purpose.
        """
        if self._period_s and now_s >= self._next_s:
            self._next_s = now_s + self._period_s
            self._send("WATCHDOG=1\n")
        if is_stopping:
            self._say("STOPPING=1\nSTATUS=draining\n")
        elif is_owned and not self._said:
            self._say(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=a worker owns\n")

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._send(text)

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        # An abstract socket begins with a null byte, which no variable can hold.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.setblocking(False)  # noqa: FBT003 - the method takes it by position only
            sender.sendto(text.encode(), address)


def _watchdog_s() -> float:
    """Return how long the init system waits for a sign of life, or 0 if it does not."""
    if os.environ.get(WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return max(0, int(os.environ.get(WATCHDOG, "0"))) / 1_000_000
    except ValueError:
        return 0.0
