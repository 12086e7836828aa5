"""The launcher: starts, watches and adopts; it never decides who owns.

Owns the process that a user or an init system starts, its loop and its signals. Standard
library only, and nothing of the application: it outlives every version of it. The rules of
supervision are in `supervision`, those of restarts in `restart_policy`; who owns is in the
record, which the launcher reads and never writes.

Handlers of signals only set a flag; the loop acts at its own pace.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from handoff.children import Children, Running, child_environment
from handoff.connections import Connection, Connections
from handoff.engine_config import Companion, read_engine_config
from handoff.errors import AnotherInCharge, HandoffError, ReleaseUnusable
from handoff.log_events import LogEvent
from handoff.logs import Log
from handoff.processes import Exit as ProcessExit
from handoff.processes import Identity, identity_of, watch
from handoff.release_files import read_manifest
from handoff.restart_policy import Failures, choose_release
from handoff.supervision import (
    Action,
    Child,
    Drain,
    Exit,
    Kill,
    Role,
    Situation,
    StartHeir,
    plan,
    wake_at_s,
)
from handoff.wire import WIRE, Kind, Message

if TYPE_CHECKING:
    from pathlib import Path

SOCKET: Final = "control.sock"
LOCK: Final = "launcher.lock"
TICK_S_MAX: Final = 1.0  # also the poll where a system has no pidfd
JOB_ATTEMPTS: Final = 3  # a deployer that is killed goes on where it was
_OWN_MODULES: Final = frozenset({"__main__", "handoff"})
_FAULTY_STATUS: Final = 4  # `Leaving.FAULTY` of a worker


class Launcher:
    """One launcher of one home directory."""

    def __init__(self, home: Path) -> None:
        """Take charge of a home directory.

        Raises:
            AnotherInCharge: A living launcher has it.
            EngineConfigInvalid: There is no usable configuration.
        """
        self._home = home
        self._lock = take_charge(home / "run" / LOCK)
        self._config = read_engine_config(home)
        self._selector = selectors.DefaultSelector()
        self._log = Log(process="launcher", app=self._config.app)
        self._children = Children(home, self._selector)
        self._connections = Connections(home / "run" / SOCKET, self._selector)
        self._listening: dict[str, socket.socket] = {}
        self._heirs = Failures()
        self._companions: dict[str, Failures] = {}
        self._bad_cycle = False
        self._stopping = False
        self._signals: list[int] = []
        self._done = False

    def run(self) -> int:
        """Run until stopped; return the exit status."""
        self._catch_signals()
        self._log.write(LogEvent.LAUNCHER_STARTED, home=str(self._home))
        self._adopt()
        while not self._done:
            self._supervise()
            self._connections.flush()
            if self._done:
                break
            self._wait()
            self._bury()
        self._connections.close()
        self._log.write(LogEvent.LAUNCHER_STOPPED)
        os.close(self._lock)
        return 0

    # --- the loop ------------------------------------------------------------------

    def _wait(self) -> None:
        wake = wake_at_s(self._situation())
        timeout_s = TICK_S_MAX if wake is None else min(TICK_S_MAX, wake - time.monotonic())
        for key, _ in self._selector.select(max(timeout_s, 0.0)):
            match key.data:
                case Connections():
                    if not self._connections.accept():
                        self._log.write(LogEvent.PEER_REFUSED)
                case Connection() as connection:
                    self._hear(connection)
                case Running():
                    continue  # a child is gone; `_bury` looks at all of them
                case _:
                    self._read_signals()

    def _situation(self) -> Situation:
        return Situation(
            children=self._children.values(),
            stopping=self._stopping,
            standby=self._config.standby,
            next_start_s=self._heirs.next_start_s(),
            now_s=time.monotonic(),
        )

    def _supervise(self) -> None:
        for action in plan(self._situation()):
            self._act(action)
        if not self._stopping:
            self._keep_companions()

    def _act(self, action: Action) -> None:
        match action:
            case StartHeir(reason):
                self._start_heir(reason)
            case Drain(name):
                running = self._children.get(name)
                if running is not None:
                    self._children.drain(running)
            case Kill(name):
                running = self._children.get(name)
                if running is not None:
                    self._log.write(LogEvent.CHILD_KILLED, child=name)
                    self._children.kill(running)
            case Exit():
                self._done = True

    def _bury(self) -> None:
        for running, how in self._children.gone():
            child = running.child
            words = how.words() if how is not None else running.leaving or "gone"
            self._log.write(LogEvent.CHILD_EXITED, child=child.name, how=words)
            self._connections.broadcast(
                Kind.EXITED,
                name=child.name,
                role=child.role.value,
                release=child.release,
                deploy=child.deploy_id,
                how=words,
                status=how.status if how is not None else None,
                leaving=running.leaving,
                reason=running.reason,
                tail=running.tail(),
            )
            self._after_exit(running, how)

    def _after_exit(self, running: Running, how: ProcessExit | None) -> None:
        child, now_s = running.child, time.monotonic()
        # The status of an adopted worker is nobody's to collect; its last message says as much.
        drained = how == ProcessExit(0, 0) or (how is None and running.leaving == "DRAINED")
        failed = child.stopping_s is None and not drained
        match child.role:
            case Role.HEIR if failed:
                faulty = how is not None and how.status == _FAULTY_STATUS
                self._bad_cycle = faulty or running.leaving == "FAULTY"
                self._heirs = self._heirs.after_failure(now_s)
                if child.warm and self._heirs.in_a_row == 1:
                    self._heirs = self._heirs._replace(last_s=0.0)  # the first one at once
            case Role.COMPANION if failed:
                known = self._companions.get(child.name, Failures())
                self._companions[child.name] = known.after_failure(now_s)
            case Role.JOB if failed and running.attempts_left > 0:
                self._start_job(child, running.argv, attempts_left=running.attempts_left - 1)
            case _:
                return

    # --- children ------------------------------------------------------------------

    def _adopt(self) -> None:
        for running in self._children.adopt_recorded():
            self._log.write(LogEvent.CHILD_ADOPTED, child=running.child.name)
        owner = ((self._read_record() or {}).get("ownership") or {}).get("owner")
        if owner is None or self._children.by_pid(owner["pid"]) is not None:
            return
        identity = Identity(
            owner["pid"], owner["start_ticks"], owner["boot_id"], owner["pid_namespace"]
        )
        watched = watch(identity)
        if watched is not None and owner["host"] == socket.gethostname():
            watched.close()
            child = Child(
                self._children.fresh_name("adopted"),
                Role.HEIR,
                release=owner["release"],
                owner=True,
                started_s=time.monotonic(),
            )
            self._children.adopt(child, identity)
            self._log.write(LogEvent.CHILD_ADOPTED, child=child.name)

    def _start_heir(self, reason: str) -> None:
        record = self._read_record()
        choice = choose_release(
            record,
            first=self._config.first_release,
            failed_starts=self._heirs.in_a_row,
            bad_cycle=self._bad_cycle,
        )
        self._log.write(LogEvent.CHILD_STARTED, reason=reason, release=choice.release)
        try:
            self._start_worker(Role.HEIR, choice.release, create=record is None)
        except (HandoffError, OSError) as error:
            self._start_failed(choice.release, error)

    def _start_failed(self, release: str, error: Exception) -> None:
        self._log.write(LogEvent.START_FAILED, release=release, reason=str(error))
        self._heirs = self._heirs.after_failure(time.monotonic())

    def _start_worker(
        self, role: Role, release: str, *, deploy_id: str = "", create: bool = False
    ) -> Running:
        manifest = read_manifest(self._home, release)
        config = self._config
        argv = [manifest.python, "-I" if not manifest.paths else "-s"]
        argv += ["-m", "handoff", "worker", "--home", str(self._home), "--app", config.app]
        argv += ["--release", release, "--origin-ns", str(config.origin_ns)]
        argv += ["--speed", str(config.speed), "--deploy", deploy_id]
        argv += ["--create"] if create else []
        argv += ["--force-filesystem"] if config.force_filesystem else []
        extra = list(config.environment)
        if manifest.paths:
            extra.append(("PYTHONPATH", os.pathsep.join(manifest.paths)))
        child = Child(
            self._children.fresh_name("worker"),
            role,
            release=release,
            deploy_id=deploy_id,
            started_s=time.monotonic(),
        )
        return self._children.start(child, argv, child_environment(extra))

    def _start_job(self, child: Child, argv: tuple[str, ...], *, attempts_left: int) -> None:
        child = child._replace(started_s=time.monotonic(), stopping_s=None)
        running = self._children.start(child, argv, child_environment(self._config.environment))
        running.attempts_left = attempts_left

    def _keep_companions(self) -> None:
        now_s = time.monotonic()
        for companion in self._config.companions:
            failures = self._companions.get(companion.name, Failures())
            alive = self._children.get(companion.name) is not None
            if not alive and now_s >= failures.next_start_s():
                self._start_companion(companion)

    def _start_companion(self, companion: Companion) -> None:
        keep: dict[int, int] = {}
        if companion.listen:
            keep[3] = self._listener(companion).fileno()
        argv = [part.replace("{fd}", "3") for part in companion.argv]
        child = Child(companion.name, Role.COMPANION, started_s=time.monotonic())
        environment = child_environment(companion.environment)
        try:
            self._children.start(child, argv, environment, keep)
        except OSError as error:
            self._log.write(LogEvent.START_FAILED, child=companion.name, reason=str(error))
            known = self._companions.get(companion.name, Failures())
            self._companions[companion.name] = known.after_failure(time.monotonic())

    def _listener(self, companion: Companion) -> socket.socket:
        """Return the companion's listening socket; it outlives the companion."""
        if companion.name not in self._listening:
            host, _, port = companion.listen.rpartition(":")
            listener = socket.create_server((host, int(port)), backlog=64)
            self._listening[companion.name] = listener
        return self._listening[companion.name]

    def _read_record(self) -> dict[str, Any] | None:
        """Return the record as plain JSON; None only if there is none.

        A damaged one is not this process's to judge: the worker that is started refuses
        or repairs it.
        """
        try:
            data = (self._home / "state" / "record.json").read_bytes()
        except FileNotFoundError:
            return None
        with contextlib.suppress(ValueError):
            plain: dict[str, Any] = json.loads(data)
            return plain
        return {}

    # --- messages ------------------------------------------------------------------

    def _hear(self, connection: Connection) -> None:
        messages = connection.receive()
        if messages is None:
            self._connections.drop(connection)
            return
        for message in messages:
            if connection.child:
                self._hear_worker(connection, message)
            elif message["kind"] == Kind.HELLO.value:
                self._greet(connection, message)
            else:
                self._answer(connection, message)

    def _greet(self, connection: Connection, message: Message) -> None:
        pid = int(message["pid"])
        running = self._children.by_pid(pid)
        identity = identity_of(pid)
        if int(message.get("wire", 0)) > WIRE or identity is None:
            self._connections.drop(connection)
            return
        if running is None:
            role = Role.CANDIDATE if message.get("deploy") else Role.HEIR
            child = Child(
                self._children.fresh_name("adopted"),
                role,
                release=message["release"],
                deploy_id=message.get("deploy", ""),
                started_s=time.monotonic(),
            )
            running = self._children.adopt(child, identity)
        if running is None:
            self._connections.drop(connection)
            return
        connection.child = running.child.name
        self._connections.broadcast(Kind.HELLO, **_members(message))

    def _hear_worker(self, connection: Connection, message: Message) -> None:
        running = self._children.get(connection.child)
        if running is None:
            return
        members = _members(message)
        match message["kind"]:
            case Kind.READY.value:
                self._children.update(running, warm=True)
            case Kind.TOOK.value | Kind.SEIZED.value:
                self._own(running)
            case Kind.SETTLED.value:
                self._heirs = Failures()
                due_s = time.monotonic() + message["overdue_at_ms"] / 1000 - time.time()  # noqa: TID251 - the worker says it in wall-clock time
                self._children.update(running, owner=True, warm=True, overdue_s=due_s)
            case Kind.LOST.value:
                self._children.update(running, owner=False, overdue_s=None)
            case Kind.YIELDING.value:
                self._tell_role(Role.CANDIDATE, Kind.YIELDING, until_ns=message["until_ns"])
            case Kind.LEAVING.value:
                running.leaving, running.reason = message["leaving"], message["reason"]
            case _:
                pass  # forwarded all the same: a subscriber may know it
        self._forward(message["kind"], {**members, "child": connection.child})

    def _forward(self, kind: str, members: dict[str, Any]) -> None:
        with contextlib.suppress(ValueError):  # a kind of a newer engine
            self._connections.broadcast(Kind(kind), **members)

    def _own(self, running: Running) -> None:
        self._bad_cycle = False
        for other in self._children:
            if other.child.owner:
                self._children.update(other, owner=False, overdue_s=None)
        self._children.update(running, owner=True, warm=True, role=Role.HEIR)
        self._children.write_down()

    def _tell_role(self, role: Role, kind: Kind, **members: object) -> None:
        for running in self._children:
            line = self._connections.of_child(running.child.name)
            if running.child.role is role and line is not None:
                line.tell(kind, **members)

    def _answer(self, connection: Connection, message: Message) -> None:
        try:
            reply = self._obey(connection, message)
        except (HandoffError, OSError, KeyError, ValueError) as error:
            reply = {"ok": False, "error": str(error)}
        connection.tell(Kind.REPLY, **({"ok": True} | reply))

    def _obey(self, connection: Connection, message: Message) -> dict[str, Any]:  # noqa: C901, PLR0911 - one case per request
        match message["kind"]:
            case Kind.STATUS.value:
                return self._status()
            case Kind.SUBSCRIBE.value:
                connection.subscribed = True
                return self._status()
            case Kind.START_CANDIDATE.value:
                return self._start_candidate(message["release"], message["deploy"])
            case Kind.APPROVE.value:
                return self._approve(message["deploy"], int(message["bake"]))
            case Kind.STOP_CANDIDATE.value:
                for running in self._candidates():
                    if running.child.deploy_id == message["deploy"]:
                        self._children.drain(running)
                return {}
            case Kind.GIVE_BACK.value:
                self._tell_role(Role.HEIR, Kind.RETURN, deploy=message["deploy"])
                return {}
            case Kind.RUN_JOB.value:
                return self._run_job(message["name"], tuple(message["argv"]))
            case Kind.STOP.value:
                self._stopping = True
                return {}
            case unknown:
                return {"ok": False, "error": f"this launcher does not know {unknown!r}"}

    def _candidates(self) -> list[Running]:
        return [each for each in self._children if each.child.role is Role.CANDIDATE]

    def _start_candidate(self, release: str, deploy_id: str) -> dict[str, Any]:
        for running in self._children:
            child = running.child
            if child.deploy_id == deploy_id and child.role in (Role.CANDIDATE, Role.HEIR):
                # A deployer that was started again finds its candidate as it left it.
                connected = self._connections.of_child(child.name) is not None
                return {
                    "pid": running.watched.identity.pid,
                    "connected": connected,
                    "warm": child.warm,
                    "owner": child.role is Role.HEIR,
                }
            if child.role is Role.CANDIDATE and child.stopping_s is None:
                text = f"deploy {running.child.deploy_id} is under way"
                raise ReleaseUnusable(text)
        if self._stopping:
            text = "the launcher is stopping"
            raise ReleaseUnusable(text)
        running = self._start_worker(Role.CANDIDATE, release, deploy_id=deploy_id)
        pid = running.watched.identity.pid
        return {"pid": pid, "connected": False, "warm": False, "owner": False}

    def _approve(self, deploy_id: str, bake: int) -> dict[str, Any]:
        for running in self._candidates():
            line = self._connections.of_child(running.child.name)
            if running.child.deploy_id == deploy_id and line is not None:
                line.tell(Kind.GO, bake=bake)
                self._tell_role(Role.HEIR, Kind.WAITING)
                return {}
        text = f"no candidate of deploy {deploy_id} is connected"
        raise ReleaseUnusable(text)

    def _run_job(self, name: str, argv: tuple[str, ...]) -> dict[str, Any]:
        if self._children.get(name) is not None:
            text = f"job {name} is running already"
            raise ReleaseUnusable(text)
        self._start_job(Child(name, Role.JOB), argv, attempts_left=JOB_ATTEMPTS - 1)
        return {}

    def _status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "app": self._config.app,
            "stopping": self._stopping,
            "foreign_modules": sorted(_foreign_modules()),
            "children": [
                {
                    **each.child._asdict(),
                    "role": each.child.role.value,
                    "pid": each.watched.identity.pid,
                }
                for each in self._children
            ],
            "listening": {
                name: "{}:{}".format(*each.getsockname()[:2])
                for name, each in self._listening.items()
            },
        }

    # --- signals -------------------------------------------------------------------

    def _catch_signals(self) -> None:
        reader, writer = socket.socketpair()
        reader.setblocking(False)  # noqa: FBT003 - the method takes it by position only
        writer.setblocking(False)  # noqa: FBT003 - as above
        self._signal_pipe = (reader, writer)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _noted_by_wakeup_descriptor)
        self._selector.register(reader, selectors.EVENT_READ, "signal")

    def _read_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in self._signal_pipe[0].recv(64):
                self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT if self._stopping:
                for running in self._children:
                    self._children.kill(running)
            case signal.SIGTERM | signal.SIGINT:
                self._log.write(LogEvent.LAUNCHER_STOPPING)
                self._stopping = True
            case signal.SIGHUP:
                self._reload()
            case _:
                return

    def _reload(self) -> None:
        try:
            self._config = read_engine_config(self._home)
        except HandoffError as error:
            self._log.write(LogEvent.START_FAILED, reason=str(error))
        else:
            self._log.write(LogEvent.LAUNCHER_RELOADED)


def _noted_by_wakeup_descriptor(_number: int, _frame: object) -> None:
    """Do nothing: the number is in the wake-up descriptor, the loop acts on it."""


def _foreign_modules() -> set[str]:
    """Return what was imported although it is neither the standard library's nor ours."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    return {name for name in loaded - sys.stdlib_module_names if name not in _OWN_MODULES}


def _members(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "kind"}


def take_charge(path: Path) -> int:
    """Lock this home; the lock goes with the process and is never deleted."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        text = f"a launcher holds {path.parent.parent}"
        raise AnotherInCharge(text) from error
    return descriptor


def main(home: Path) -> int:
    """Run a launcher; return its exit status."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return 2
    return Launcher(home).run()
