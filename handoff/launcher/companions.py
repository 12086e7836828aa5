"""Companions: programs that are kept alive beside the workers, in the edition that should serve.

Owns their starts and ends; the rules are `edition_rules`', what they go by is `editions`'. Their
listening sockets are `listeners`' and outlive them. What a companion does is its own matter.
Standard library only.
"""

from __future__ import annotations

import contextlib
import time

from handoff.errors import HandoffError, ReleaseUnusable
from handoff.launcher.children import Children, child_environment
from handoff.launcher.edition_rules import (
    Action,
    End,
    GiveUp,
    Seen,
    Start,
    TakePlace,
    is_edition,
    plan,
)
from handoff.launcher.editions import Editions
from handoff.launcher.engine_config import with_address, write_engine_config
from handoff.launcher.listeners import Listeners
from handoff.launcher.open_sockets import has_open, listeners_of
from handoff.launcher.supervision import Child, Role
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final
from handoff.log_events import LogEvent
from handoff.logs import last_words
from handoff.processes import KILL
from handoff.release_files import read_manifest
from handoff.wire import Kind

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from handoff.launcher.children import Running
    from handoff.launcher.connections import Connection
    from handoff.launcher.engine_config import Companion, EngineConfig
    from handoff.logs import Log
    from handoff.processes import Exit
    from handoff.wire import Message

    Renamed = Callable[[str, str], None]

CHILD_DESCRIPTOR: Final = 3  # first one after the standard three, as systemd passes sockets
USAGE_STATUS: Final = 2  # of a program that does not know the words that it was started with

Wanted = tuple["Companion", ...]


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
        self._editions = Editions(home, log)
        self._listeners = Listeners(log, listening)

    @property
    def listening(self) -> dict[str, socket.socket]:
        """The sockets that this launcher holds, by companion."""
        return self._listeners.held

    def begin(self, wanted: Wanted, permanent: str) -> None:
        """Learn what the launcher before this one knew, once its children are adopted.

        Args:
            wanted: The companions of the installation.
            permanent: The permanent release, or an empty string.
        """
        for companion in wanted:
            adopted = [each.child for each in self._of(companion, wanted)]
            self._editions.begin(companion, [(each.release, each.warm) for each in adopted])
        self.permanent(wanted, permanent)

    def permanent(self, wanted: Wanted, release: str) -> None:
        """Note that a release is permanent: companions that it brings run from it."""
        for companion in wanted:
            self._editions.want(companion, release)

    def drain_elsewhere(self, wanted: Wanted) -> None:
        """Drain adopted ones that listen anywhere but where they should: nobody looks there."""
        for companion in wanted:
            if not companion.listen:
                continue
            inodes = listeners_of(companion.listen)
            for running in self._of(companion, wanted):
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
            if companion.listen and not self._of(companion, config.companions):
                moved = self._listeners.hold(companion, workers_live)
                config = with_address(config, companion.name, moved) if moved else config
        if config is not before:
            with contextlib.suppress(OSError):  # a full disk: only the next start misses it
                write_engine_config(self._home, config)
        return config

    def keep(self, wanted: Wanted, renamed: Renamed = lambda *_: None) -> None:
        """Start those that are missing and whose pause is over; drain those not wanted.

        Args:
            wanted: The companions of the installation.
            renamed: Told the name that a child had, and the one that it has from now on.
        """
        for companion in wanted:
            for action in plan(self._seen(companion, wanted)):
                self._act(companion, action, renamed)
        kept = {each.child.name for one in wanted for each in self._of(one, wanted)[:2]}
        for running in self._children:
            child = running.child
            unwanted = child.role is Role.COMPANION and child.name not in kept
            if unwanted and child.stopping_s is None:
                self._children.drain(running)

    def next_start_s(self) -> float | None:
        """Return the next monotonic time at which a pause is over, if there is one."""
        return self._editions.next_start_s()

    # --- what they do ----------------------------------------------------------------

    def note(self, wanted: Wanted, message: Message) -> None:
        """Note a release that owns and bakes no more; one that seized says so when it settles."""
        if message["kind"] in (Kind.TOOK.value, Kind.SETTLED.value) and message["of"] == 0:
            self.permanent(wanted, message["release"])

    def hear(self, wanted: Wanted, connection: Connection) -> None:
        """Hear that an edition serves; it greets nobody, being no worker, and gives its socket."""
        running = self._children.by_pid(connection.pid or 0)
        passed = connection.take_passed()
        if running is None or running.child.role is not Role.COMPANION:
            if passed is not None:
                passed.close()
            text = f"process {connection.pid} is no companion of this launcher"
            connection.tell(Kind.REPLY, ok=False, error=text)
            return
        connection.child = running.child.name
        self._ready(wanted, running, passed)
        connection.tell(Kind.REPLY, ok=True)

    def _ready(self, wanted: Wanted, running: Running, passed: socket.socket | None) -> None:
        child, companion = running.child, self._companion_of(running, wanted)
        if passed is not None and companion is not None:
            self._listeners.take(companion, passed)
        elif passed is not None:
            passed.close()
        if companion is None or child.warm or child.stopping_s is not None:
            return  # said again, e.g. to the next launcher
        self._children.update(running, warm=True)
        self._children.write_down()
        self._log.write(LogEvent.COMPANION_READY, child=child.name, release=child.release)
        self._editions.ready(companion, child.release)

    def ended(self, wanted: Wanted, running: Running, how: Exit | None) -> None:
        """Note that one ended although nobody asked it to.

        Args:
            wanted: The companions of the installation.
            running: Which.
            how: How it ended; None where nobody can tell.
        """
        child, companion = running.child, self._companion_of(running, wanted)
        if companion is None:
            return
        words = how.words() if how is not None else "it is gone"
        last = last_words(running.tail().encode("utf-8", "replace"))
        self._editions.failed(
            companion,
            child.release,
            f"{words}: {last}" if last else words,
            # One that served and was killed has somebody else to thank for it.
            is_fault=not (child.warm and how is not None and how.signal == KILL),
            at_once=not child.warm and how == (USAGE_STATUS, 0),
        )

    # --- what is seen ----------------------------------------------------------------

    def _of(self, companion: Companion, wanted: Wanted) -> list[Running]:
        """Return the living editions of a companion, the one of the first place first."""
        found: list[Running] = []
        for running in self._children:
            owner = self._companion_of(running, wanted)
            is_its = owner is not None and owner.name == companion.name
            if is_its and running.child.role is Role.COMPANION:
                found.append(running)
        return sorted(found, key=lambda each: each.child.name != companion.name)

    @staticmethod
    def _companion_of(running: Running, wanted: Wanted) -> Companion | None:
        """Return whose edition a child is; the longest of names that begin its own is it."""
        named = [each for each in wanted if is_edition(running.child.name, each.name)]
        return max(named, key=lambda each: len(each.name), default=None)

    def _seen(self, companion: Companion, wanted: Wanted) -> Seen:
        found = [each.child for each in self._of(companion, wanted)]
        return Seen(
            first=next((each for each in found if each.name == companion.name), None),
            second=next((each for each in found if each.name != companion.name), None),
            known=self._editions.of(companion),
            now_s=time.monotonic(),
            has_socket=not companion.listen or companion.name in self.listening,
            pauses=self._editions.pauses(companion),
        )

    # --- what is done ----------------------------------------------------------------

    def _act(self, companion: Companion, action: Action, renamed: Renamed) -> None:
        match action:
            case Start(release, beside):
                if not companion.listen or companion.name in self.listening:
                    self._start(companion, release, beside=beside)
            case GiveUp(release, why):
                self._editions.give_up(companion, release, why)
            case End(name):
                running = self._children.get(name)
                if running is not None:
                    self._children.drain(running)
            case TakePlace(name):
                running = self._children.get(name)
                if running is not None:
                    self._children.rename(running, companion.name)
                    renamed(name, companion.name)

    def _start(self, companion: Companion, release: str, *, beside: bool) -> None:
        name = self._children.fresh_name(companion.name) if beside else companion.name
        child = Child(name, Role.COMPANION, release=release, started_s=time.monotonic())
        self._editions.started(companion, release, child.started_s)
        try:
            argv, variables = self._command(companion, release)
            environment = child_environment((*companion.environment, *variables.items()))
            keep: dict[int, int] = {}
            if companion.listen:
                keep[CHILD_DESCRIPTOR] = self.listening[companion.name].fileno()
            self._children.start(child, argv, environment, keep)
        except (HandoffError, OSError) as error:
            why = str(error)
            self._log.write(LogEvent.START_FAILED, child=name, release=release, reason=why)
            self._editions.failed(companion, release, why, is_fault=True)
        else:
            if companion.in_release:
                self._log.write(LogEvent.COMPANION_STARTED, child=name, release=release)

    def _command(self, companion: Companion, release: str) -> tuple[list[str], Mapping[str, str]]:
        """Return how an edition is started, and what it finds in its environment besides.

        Raises:
            ReleaseUnusable: It is not there any more, or what runs it.
        """
        argv, variables = list(companion.argv), dict[str, str]()
        if release:
            manifest = read_manifest(self._home, release)
            if not LightPath(manifest.python).exists():
                message = f"its interpreter {manifest.python} is gone"
                raise ReleaseUnusable(message)
            argv, variables = manifest.module(*companion.in_release), manifest.variables()
        for mark, text in (("{fd}", str(CHILD_DESCRIPTOR)), ("{release}", release)):
            argv = [part.replace(mark, text) for part in argv]
        return argv, variables
