"""Companions: programs that are kept alive beside the workers.

Owns their restarts; their listening sockets are `listeners`' and outlive them. What a companion
does is its own matter. Standard library only.
"""

from __future__ import annotations

import contextlib
import time

from handoff.launcher.children import Children, child_environment
from handoff.launcher.engine_config import with_address, write_engine_config
from handoff.launcher.listeners import Listeners
from handoff.launcher.open_sockets import has_open, listeners_of
from handoff.launcher.restart_policy import Failures, Starts
from handoff.launcher.supervision import Child, Role
from handoff.light_typing import TYPE_CHECKING, Final
from handoff.log_events import LogEvent

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from handoff.launcher.engine_config import Companion, EngineConfig
    from handoff.logs import Log

CHILD_DESCRIPTOR: Final = 3  # first one after the standard three, as systemd passes sockets


class Companions:
    """Keeps companions alive.

    Args:
        home: The state directory.
        children: The table that they are started in.
        log: Where trouble is reported.
        listening: Sockets that were handed over, by companion.
    """

    def __init__(
        self, home: Path, children: Children, log: Log, listening: Mapping[str, socket.socket]
    ) -> None:
        """Start with what was inherited."""
        self._home = home
        self._children = children
        self._log = log
        self._failures: dict[str, Failures] = {}
        self._starts: dict[str, Starts] = {}
        self._listeners = Listeners(log, listening)

    @property
    def listening(self) -> dict[str, socket.socket]:
        """The sockets that this launcher holds, by companion."""
        return self._listeners.held

    def drain_elsewhere(self, wanted: tuple[Companion, ...]) -> None:
        """Drain adopted ones that listen anywhere but where they should: nobody looks there."""
        for companion in wanted:
            running = self._children.get(companion.name)
            if running is None or not companion.listen:
                continue
            inodes = listeners_of(companion.listen)
            # Where nothing can be seen it is believed to be where it was started.
            if inodes is not None and not has_open(running.watched.identity.pid, inodes):
                self._children.drain(running)

    def hold_ports(self, config: EngineConfig, workers_live: Callable[[], bool]) -> EngineConfig:
        """Bind what companions listen on and is not bound yet.

        The port of one that was adopted and lives is its own: nothing is done about it.

        Args:
            config: The installation.
            workers_live: Tells whether somebody relies on an address; asked where it is taken.

        Returns:
            The configuration, in which workers are told where a companion had to go instead.
        """
        before = config
        for companion in config.companions:
            if companion.listen and self._children.get(companion.name) is None:
                moved = self._listeners.hold(companion, workers_live)
                config = with_address(config, companion.name, moved) if moved else config
        if config is not before:
            with contextlib.suppress(OSError):  # a full disk: only the next start misses it
                write_engine_config(self._home, config)
        return config

    def keep(self, wanted: tuple[Companion, ...]) -> None:
        """Start those that are missing and whose pause is over; drain those not wanted."""
        now_s = time.monotonic()
        for companion in wanted:
            alive = self._children.get(companion.name) is not None
            portless = bool(companion.listen) and companion.name not in self.listening
            if not alive and not portless and now_s >= self._next_start_s(companion.name):
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
                keep[CHILD_DESCRIPTOR] = self.listening[companion.name].fileno()
            self._children.start(child, argv, child_environment(companion.environment), keep)
        except OSError as error:
            self._log.write(LogEvent.START_FAILED, child=companion.name, reason=str(error))
            self.failed(companion.name)
