"""The launcher: starts, watches and adopts; it never decides who owns.

Owns the process that a user or an init system starts: its loop, what its children say, its
signals. Standard library only, and nothing of the application: it outlives every version of
it. The rules of supervision are in `supervision`, starting is in `workforce` and
`companions`, what clients ask for in `desk`; who owns is in the record, which the
launcher reads and never writes.

Handlers of signals only set a flag; the loop acts at its own pace.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time

from handoff.boot_clock import boot_ns
from handoff.errors import HandoffError, WireBroken
from handoff.launcher import self_replacement
from handoff.launcher.account_lock import take_locks
from handoff.launcher.children import Children, Running
from handoff.launcher.companions import Companions
from handoff.launcher.connections import Connection, Connections
from handoff.launcher.desk import Desk
from handoff.launcher.engine_config import read_engine_config
from handoff.launcher.notify_socket import NotifySocket
from handoff.launcher.restart_policy import DRAINED, was_asked_for
from handoff.launcher.signal_pipe import SignalPipe
from handoff.launcher.supervision import (
    Action,
    Drain,
    Exit,
    Kill,
    Role,
    Situation,
    StartStandby,
    due_s,
    is_owned,
    plan,
    unowned_since,
    wake_at_s,
)
from handoff.launcher.waiting import all_within_reach, note_drivers
from handoff.launcher.workforce import Workforce
from handoff.life_signs import file_id_of
from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.limits import NS
from handoff.log_events import LogEvent
from handoff.logs import Log
from handoff.processes import Exit as ProcessExit
from handoff.processes import reap_strangers
from handoff.wire import WIRE, Kind, Message

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.launcher.first_start import FirstReleaseBroken

SOCKET: Final = "control.sock"
LAST_LOOKS: Final = 3
TICK_S_MAX: Final = 1.0  # also the poll where a system has no pidfd
_NEUTRAL: Final = "/"


class Launcher:
    """One launcher of one home directory."""

    def __init__(self, home: Path) -> None:
        """Take charge of a home directory.

        Raises:
            AnotherInCharge: A living launcher has it, or the account.
            EngineConfigInvalid: There is no usable configuration.
        """
        self._home = home
        inherited = self_replacement.inherit()
        self._config = read_engine_config(home)
        self._locks, doubt = take_locks(
            home, self._config.account, self._config.accounts, inherited.locks
        )
        self._selector = selectors.DefaultSelector()
        self._log = Log(process="launcher", app=self._config.app)
        if doubt:
            self._log.write(LogEvent.ACCOUNT_UNLOCKED, reason=doubt)
        self._children = Children(home, self._selector, file_id_of(self._locks["home"]))
        self._workforce = Workforce(home, self._children, self._log)
        self._companions = Companions(home, self._children, self._log, inherited.listening)
        self._connections = Connections(home / "run" / SOCKET, self._selector)
        self._desk = Desk(self._children, self._connections, self._workforce)
        self._init = NotifySocket()
        self._is_new_image = bool(inherited.locks)
        self._unowned_s: float | None = None
        self._elsewhere_s: float | None = None  # when it was said that another host owns
        self._ready_s = 0.0
        self._done = False
        self._broken: FirstReleaseBroken | None = None

    def run(self) -> int:
        """Run until stopped; return the exit status.

        Raises:
            FirstReleaseBroken: No cycle was ever decided here, and none will be.
        """
        self._signals = SignalPipe(self._selector)
        os.chdir(_NEUTRAL)  # children begin here, and import nothing from here
        event = LogEvent.LAUNCHER_REPLACED if self._is_new_image else LogEvent.LAUNCHER_STARTED
        self._log.write(event, home=str(self._home))
        self._workforce.adopt()
        self._companions.begin(self._config.companions, self._workforce.permanent_release())
        if not self._is_new_image:  # those of an image before this one are its children still
            self._companions.drain_elsewhere(self._config.companions)
            self._hold_ports()  # before anybody is told an address
            self._workforce.resume_jobs(self._config)
        self_replacement.let_signals_in()
        while not self._done:
            self._supervise()
            self._connections.flush()
            self._tell_init()
            if not self._done:
                self._wait()
                self._bury()
        self._connections.close()
        self._children.finish_burials()
        self._log.write(LogEvent.LAUNCHER_STOPPED)
        for lock in self._locks.values():
            os.close(lock)
        if self._broken is not None:
            raise self._broken
        return 0

    # --- the loop ------------------------------------------------------------------

    def _wait(self) -> None:
        now_s = time.monotonic()
        times = [wake_at_s(self._situation()), self._companions.next_start_s()]
        times += [now_s + TICK_S_MAX, self._children.look_at_logs(now_s)]
        times.append(self._children.next_burial_s())
        wake_s = min(each for each in times if each is not None)
        for key, _ in self._selector.select(max(wake_s - now_s, 0.0)):
            match key.data:
                case Connections():
                    if not self._connections.accept(self._is_child):
                        self._log.write(LogEvent.PEER_REFUSED)
                case Connection() as connection:
                    self._hear(connection)
                case Running():
                    continue  # a child is gone; `_bury` looks at all of them
                case _:
                    self._read_signals()

    def _situation(self) -> Situation:
        note_drivers(self._children, self._connections)
        now_s, children = time.monotonic(), self._children.values()
        self._unowned_s = unowned_since(children, self._unowned_s, self._elsewhere_s, now_s)
        return Situation(
            children=children,
            stopping=self._desk.stopping,
            standby=self._config.standby,
            next_start_s=self._workforce.next_start_s(),
            now_s=now_s,
            unowned_s=self._unowned_s,
            ready_s=self._ready_s,
        )

    def _tell_init(self) -> None:
        owned = is_owned(self._children.values(), self._elsewhere_s, time.monotonic())
        self._init.report(time.monotonic(), is_owned=owned, is_stopping=self._desk.stopping)

    def _supervise(self) -> None:
        self._give_up_first()
        self._hold_ports()
        for action in plan(self._situation()):
            self._act(action)
        if not self._desk.stopping:
            self._companions.keep(self._config.companions, self._connections.rename)

    def _hold_ports(self) -> None:
        if not self._desk.stopping:
            self._config = self._companions.hold_ports(self._config, self._workforce.any_lives)

    def _give_up_first(self) -> None:
        """Stop where the first release of this home does not come up."""
        if self._desk.stopping:
            return
        waiting = [each for each in self._children if each.child.role is Role.STANDBY]
        self._broken = self._workforce.why_given_up(waiting[0] if waiting else None)
        if self._broken is not None:
            self._log.write(LogEvent.FIRST_START_GIVEN_UP, reason=str(self._broken))
            self._desk.stopping = True

    def _act(self, action: Action) -> None:
        match action:
            case StartStandby(reason, owner_hangs, beside_owner):
                self._workforce.start_standby(
                    self._config, reason, owner_hangs=owner_hangs, beside_owner=beside_owner
                )
            case Drain(name, hangs):
                running = self._children.get(name)
                if running is not None:
                    if hangs:
                        self._judge(running, None)
                    self._children.drain(running)
            case Kill(name):
                running = self._children.get(name)
                if running is not None:
                    self._log.write(LogEvent.CHILD_KILLED, child=name)
                    self._children.kill(running)
            case Exit():
                self._done = True

    def _bury(self) -> None:
        if self._children.any_gone():
            self._hear_last_words()
        for running, how in self._children.gone():
            child = running.child
            words = how.words() if how is not None else running.leaving or "gone"
            self._log.write(LogEvent.CHILD_EXITED, child=child.name, how=words)
            self._connections.broadcast(Kind.EXITED, **running.end_told(how, words))
            self._after_exit(running, how)
        self._children.bury()
        reap_strangers(self._children.is_unreaped)

    def _hear_last_words(self) -> None:
        """Hear what children said before they ended: it tells whether somebody wanted that."""
        for _ in range(LAST_LOOKS):  # to accept, to greet, to listen
            for key, _events in self._selector.select(0):
                match key.data:
                    case Connections():
                        self._connections.accept(self._is_child)
                    case Connection() as connection:
                        self._hear(connection)
                    case _:
                        continue

    def _after_exit(self, running: Running, how: ProcessExit | None) -> None:
        line, role = self._connections.of_child(running.child.name), running.child.role
        if line is not None:
            self._connections.drop(line)  # a process that it forked may hold the other end
        if role is Role.STANDBY:
            self._workforce.ended(running, how)
        if role is Role.JOB and self._workforce.has_ended(running, how):
            return
        status = how.status if how is not None and not how.signal else None
        asked, leaving = running.asked, running.leaving
        if not was_asked_for(role, asked=asked, leaving=leaving, status=status):
            self._judge(running, how)

    def _judge(self, running: Running, how: ProcessExit | None) -> None:
        """Count an end that nobody asked for, once."""
        if running.judged:
            return
        running.judged = True
        if running.child.away:
            self._workforce.ended_away()
            return  # whatever it died of, it could not have done its work
        match running.child.role:
            case Role.STANDBY:
                self._workforce.standby_failed(running, how)
            case Role.COMPANION:
                self._companions.ended(self._config.companions, running, how)
            case Role.JOB:
                self._workforce.start_job_again(self._config, running)
            case Role.CANDIDATE:
                return  # whoever asked for it is told, and decides

    # --- messages ------------------------------------------------------------------

    def _is_child(self, pid: int) -> bool:
        return self._children.by_pid(pid) is not None

    def _hear(self, connection: Connection) -> None:
        """Act on what a peer said; whatever is wrong with it costs this peer its line only."""
        try:
            messages = connection.receive()
            for message in messages or ():
                self._act_on(connection, message)
        except Exception as error:  # noqa: BLE001 - nothing that a peer says may end the launcher
            messages = None
            reason = f"{type(error).__name__}: {error}"
            self._log.write(LogEvent.PEER_REFUSED, pid_of_peer=connection.pid, reason=reason)
        if messages is None:
            self._connections.drop(connection)

    def _act_on(self, connection: Connection, message: Message) -> None:
        if connection.child:
            self._hear_worker(connection, message)
        elif message["kind"] == Kind.HELLO.value:
            self._greet(connection, message)
        elif message["kind"] == Kind.READY.value:
            self._companions.hear(self._config.companions, connection)
        else:
            self._desk.answer(connection, message, self._config, self._companions.listening)

    def _greet(self, connection: Connection, message: Message) -> None:
        pid = message["pid"]
        if connection.pid not in (None, pid):
            text = f"it calls itself {pid}"
            raise WireBroken(text)
        if message.get("wire", 0) > WIRE:
            text = f"process {pid} speaks a newer protocol"
            raise WireBroken(text)
        running = self._children.by_pid(pid) or self._workforce.adopt_peer(message)
        if running is None:
            text = f"process {pid} cannot be a worker of this launcher"
            raise WireBroken(text)
        connection.child = running.child.name
        self._connections.broadcast(Kind.HELLO, **_members(message))

    def _hear_worker(self, connection: Connection, message: Message) -> None:  # noqa: C901 - one case per kind
        running = self._children.get(connection.child)
        if running is None or running.child.role is Role.COMPANION:
            return
        members = _members(message)
        self._companions.note(self._config.companions, message)
        match message["kind"]:
            case Kind.READY.value:
                self._children.update(running, warm=True)
                self._ready_s = time.monotonic()
                self._workforce.ready()
            case Kind.TOOK.value | Kind.SEIZED.value:
                self._own(running)
                # A release may hang in its very first cycle.
                self._due(running, message)
            case Kind.SETTLED.value:
                self._workforce.settled()
                self._children.update(running, owner=True, warm=True)
                self._due(running, message)
            case Kind.DUE.value if running.child.owner:
                self._due(running, message)
            case Kind.LOST.value:
                self._children.update(running, owner=False, overdue_s=None)
            case Kind.ELSEWHERE.value:
                self._elsewhere_s = time.monotonic()
            case Kind.AWAY.value | Kind.BACK.value:
                self._reach(running, message)
            case Kind.YIELDING.value:
                for role in (Role.CANDIDATE, Role.STANDBY):  # the way back is one
                    self._desk.tell_role(role, Kind.YIELDING, until_ns=message["until_ns"])
            case Kind.LEAVING.value:
                running.leaving, running.reason = message["leaving"], message["reason"]
                self._leaves(running)
            case _:
                pass  # forwarded all the same: a subscriber may know it
        self._forward(message["kind"], {**members, "child": connection.child})

    def _reach(self, running: Running, message: Message) -> None:
        """A worker reaches the record no more, or again; once all do, everybody's time is new."""
        if message["kind"] == Kind.AWAY.value:
            self._workforce.away()
            self._children.update(running, away_since_ms=float(message["since_ms"]))
            return
        if all_within_reach(self._children, running, _due_s(message)):
            self._unowned_s, self._ready_s = None, time.monotonic()

    def _leaves(self, running: Running) -> None:
        """A worker that said so owns nothing any more, and has to be gone in a while.

        It may never be: a thread of its own that does not end keeps the process.
        """
        if running.child.stopping_s is not None:
            return
        if running.child.role is Role.STANDBY and running.leaving != DRAINED:
            self._judge(running, None)
        self._children.update(running, owner=False, overdue_s=None, stopping_s=time.monotonic())

    def _forward(self, kind: str, members: dict[str, Any]) -> None:
        with contextlib.suppress(ValueError):  # a kind of a newer engine
            self._connections.broadcast(Kind(kind), **members)

    def _due(self, running: Running, message: Message) -> None:
        """Note when an owner's next cycle is overdue, also for a launcher after this one."""
        self._children.update(running, overdue_s=_due_s(message))
        self._children.write_down()

    def _own(self, running: Running) -> None:
        self._workforce.owned()
        self._workforce.note_owner(running)
        self._children.update(running, warm=True)

    # --- signals -------------------------------------------------------------------

    def _read_signals(self) -> None:
        numbers = self._signals.noted()
        replacing = signal.SIGUSR2 in numbers
        if replacing:
            # An exec forgets what was noted and not acted upon; what is blocked waits for it.
            self_replacement.hold_signals()
            numbers += self._signals.noted()
        for number in numbers:
            self._on_signal(number)
        if replacing:
            if not self._desk.stopping:
                self._replace_self()
            self_replacement.let_signals_in()

    def _on_signal(self, number: int) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT if self._desk.stopping:
                for running in self._children:
                    self._children.kill(running)
            case signal.SIGTERM | signal.SIGINT:
                self._log.write(LogEvent.LAUNCHER_STOPPING)
                self._desk.stopping = True
            case signal.SIGHUP:
                self._reload()
            case _:
                return

    def _reload(self) -> None:
        try:
            self._config = read_engine_config(self._home)
        except HandoffError as error:
            self._log.write(LogEvent.RELOAD_REFUSED, reason=str(error))
        else:
            self._log.write(LogEvent.LAUNCHER_RELOADED)

    def _replace_self(self) -> None:
        """Become the newest code in this process, if a trial run of it succeeds."""
        reason = self_replacement.preflight(self._home)
        if not reason:
            self._children.write_down()
            self._connections.flush()
            try:
                self_replacement.replace_image(self._locks, self._companions.listening)
            except OSError as error:
                reason = str(error)
        self._log.write(LogEvent.REPLACEMENT_REFUSED, reason=reason)


def _due_s(message: Message) -> float | None:
    wall_s = time.time()  # noqa: TID251 - an older worker says it in wall-clock time
    return due_s(message, now_s=time.monotonic(), boot_s=boot_ns() / NS, wall_s=wall_s)


def _members(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "kind"}


def main(home: Path) -> int:
    """Run a launcher; return its exit status."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return 2
    return Launcher(home).run()
