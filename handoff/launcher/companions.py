"""Companions: programs that are kept alive beside the workers, and their listening sockets.

Owns their restarts and the sockets, which outlive them: whoever connects while a companion
is being started again waits in the queue. What a companion does is its own matter.
Standard library only.
"""

from __future__ import annotations

import socket
import time

from handoff.launcher.children import Children, child_environment
from handoff.launcher.restart_policy import Failures, Starts
from handoff.launcher.supervision import Child, Role
from handoff.light_typing import TYPE_CHECKING, Final
from handoff.log_events import LogEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff.launcher.engine_config import Companion
    from handoff.logs import Log

BACKLOG: Final = 64
CHILD_DESCRIPTOR: Final = 3  # first one after the standard three, as systemd passes sockets


class Companions:
    """Keeps companions alive.

    Args:
        children: The table that they are started in.
        log: Where trouble is reported.
        listening: Sockets that a launcher before this one held, by companion.
    """

    def __init__(
        self, children: Children, log: Log, listening: Mapping[str, socket.socket]
    ) -> None:
        """Start with what was inherited."""
        self._children = children
        self._log = log
        self._failures: dict[str, Failures] = {}
        self._starts: dict[str, Starts] = {}
        self.listening = dict(listening)

    def keep(self, wanted: tuple[Companion, ...]) -> None:
        """Start those that are missing and whose pause is over; drain those not wanted."""
        now_s = time.monotonic()
        for companion in wanted:
            alive = self._children.get(companion.name) is not None
            if not alive and now_s >= self._next_start_s(companion.name):
                self._start(companion)
        names = {companion.name for companion in wanted}
        for running in self._children:
            child = running.child
            unwanted = child.role is Role.COMPANION and child.name not in names
            if unwanted and child.stopping_s is None:
                self._children.drain(running)

    def next_start_s(self) -> float | None:
        """Return the next monotonic time at which a pause is over, if there is one."""
        times = [self._next_start_s(name) for name in (*self._failures, *self._starts)]
        return min((each for each in times if each > time.monotonic()), default=None)

    def _next_start_s(self, name: str) -> float:
        failures, starts = self._failures.get(name, Failures()), self._starts.get(name, Starts())
        return max(failures.next_start_s, starts.next_start_s)

    def failed(self, name: str) -> None:
        """Note that one ended although nobody asked it to."""
        known = self._failures.get(name, Failures())
        self._failures[name] = known.after_failure(time.monotonic())

    def _start(self, companion: Companion) -> None:
        argv = [part.replace("{fd}", str(CHILD_DESCRIPTOR)) for part in companion.argv]
        child = Child(companion.name, Role.COMPANION, started_s=time.monotonic())
        starts = self._starts.get(companion.name, Starts())
        self._starts[companion.name] = starts.after_start(child.started_s)
        try:
            keep: dict[int, int] = {}
            if companion.listen:
                keep[CHILD_DESCRIPTOR] = self._listener(companion).fileno()
            self._children.start(child, argv, child_environment(companion.environment), keep)
        except OSError as error:
            self._log.write(LogEvent.START_FAILED, child=companion.name, reason=str(error))
            self.failed(companion.name)

    def _listener(self, companion: Companion) -> socket.socket:
        if companion.name not in self.listening:
            host, _, port = companion.listen.rpartition(":")
            self.listening[companion.name] = socket.create_server(
                (host, int(port)), backlog=BACKLOG
            )
        return self.listening[companion.name]
