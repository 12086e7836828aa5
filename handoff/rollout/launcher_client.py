"""Talking to a launcher from a command or a deployer.

Owns one connection to the control socket, blocking and bounded. What is asked for and what
the answers mean is the caller's matter. Standard library only.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from handoff import wire
from handoff.errors import HandoffError, NotRunning, WireBroken
from handoff.limits import LAUNCHER_REPLY_S_MAX
from handoff.sockets import connect_unix
from handoff.wire import Kind, Message

if TYPE_CHECKING:
    import socket
    from pathlib import Path

_NOBODY: Final = (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)
_QUEUE_POLL_S: Final = 0.05


class RequestRefused(HandoffError):
    """The launcher answered that it will not do this; the text is its reason."""


class LauncherClient:
    """One line to the launcher of a home directory; use it as a context manager.

    Raises:
        NotRunning: Nobody listens there.
        WireBroken: Whether somebody does cannot be told, or it lets nobody in.
    """

    def __init__(self, home: Path) -> None:
        """Connect."""
        try:
            self._socket = _connected(home / "run" / "control.sock")
        except _NOBODY as error:
            text = f"no launcher answers under {home}"
            raise NotRunning(text) from error
        except OSError as error:  # a failed question is no answer: one that hangs runs
            text = f"the launcher under {home} cannot be asked: {error.strerror or error}"
            raise WireBroken(text) from error
        self._buffer = wire.LineBuffer()
        self._events: deque[Message] = deque()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, kind: Kind, **members: Any) -> Message:  # noqa: ANN401 - JSON members
        """Send a request and return its reply; events that come in between are kept.

        Raises:
            RequestRefused: The launcher said no.
            WireBroken: It hung up or did not answer in time.
        """
        try:
            self._socket.sendall(wire.encode(kind, **members))
        except OSError as error:
            text = f"the launcher hung up: {error}"
            raise WireBroken(text) from error
        deadline_s = time.monotonic() + LAUNCHER_REPLY_S_MAX
        waiting: deque[Message] = deque()
        while True:
            message = self._next(deadline_s)
            if message is None:
                text = "the launcher did not answer"
                raise WireBroken(text)
            if message["kind"] == Kind.REPLY.value:
                self._events.extendleft(reversed(waiting))
                return _checked(message)
            waiting.append(message)

    def event(self, timeout_s: float) -> Message | None:
        """Return the next event of a subscription, or None if none came in time.

        Raises:
            WireBroken: The launcher hung up.
        """
        return self._next(time.monotonic() + timeout_s)

    def _next(self, deadline_s: float) -> Message | None:
        while not self._events:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return None
            except OSError as error:
                text = f"the launcher hung up: {error}"
                raise WireBroken(text) from error
            if not data:
                text = "the launcher hung up"
                raise WireBroken(text)
            self._events.extend(self._buffer.feed(data))
        return self._events.popleft()


def _connected(path: Path) -> socket.socket:
    """Connect; where its queue is full, wait for it as long as for an answer."""
    deadline_s = time.monotonic() + LAUNCHER_REPLY_S_MAX
    while True:
        try:
            return connect_unix(path, LAUNCHER_REPLY_S_MAX)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise
        time.sleep(_QUEUE_POLL_S)  # noqa: TID251 - nothing tells when a place is free


def _checked(reply: Message) -> Message:
    if not reply.get("ok", False):
        raise RequestRefused(str(reply.get("error", "no reason given")))
    return reply
