"""The simulated launcher: the real rules of supervision over simulated processes.

What to do next is `handoff.launcher.supervision.plan`, which release is started
`handoff.launcher.restart_policy.choose_release`; this file only does it, and keeps of each child
what the real launcher keeps. It may be killed; the next one adopts what lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff.launcher.restart_policy import DRAINED, Failures, choose_release, was_asked_for
from handoff.launcher.supervision import (
    Child,
    Drain,
    Exit,
    Kill,
    Role,
    Situation,
    StartStandby,
    due_s,
    plan,
    wake_at_s,
)
from handoff.limits import MS, NS
from handoff.wire import Kind, Message
from tests.sim.homes import GROUP_ENDS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.clockwork import Clockwork
    from tests.sim.ports import SimulatedLine
    from tests.sim.worker_process import WorkerProcess

_FAULTY_STATUS = 4
_OUTSIDE_STATUS = 5
_TICK_S = 1.0


class Running:
    """One living child: what the rules see of it, its process, its line."""

    def __init__(self, child: Child, process: WorkerProcess) -> None:
        self.child = child
        self.process = process
        self.line: SimulatedLine | None = None
        self.leaving = ""
        self.reason = ""
        self.asked = False
        self.judged = False


class RequestRefused(Exception):
    """The launcher did not do what it was asked for; the text is its reason."""


class SimulatedLauncher:
    """One launcher's life.

    Args:
        clockwork: Time.
        spawn: Starts a worker process of a release, for a deploy or as a standby.
        record: Reads the record as plain JSON.
        first_release: What is started where nobody ever owned.
        standby: A standby is wanted at all times.
        trace: Where it tells what it does.

    Attributes:
        subscriber: Is told every message, as a client of the real one is.
        children: The living children by name.
    """

    def __init__(
        self,
        clockwork: Clockwork,
        *,
        spawn: Callable[[str, str], WorkerProcess],
        record: Callable[[], dict[str, Any]],
        first_release: str,
        standby: bool,
        trace: Callable[..., None],
    ) -> None:
        self.alive = True
        self.children: dict[str, Running] = {}
        self.subscriber: Callable[[Message], None] = lambda _: None
        self._clockwork = clockwork
        self._spawn = spawn
        self._record = record
        self._first_release = first_release
        self._standby = standby
        self._trace = trace
        self._failures = Failures()
        self._bad_cycle = False
        self._tick_due = False
        self._wakings = 0
        self._unowned_s: float | None = None
        self._ready_s = 0.0
        self.look()

    # --- the loop ----------------------------------------------------------------------

    def look(self) -> None:
        """Act on what is known soon, once, however often this is asked for."""
        if not self._tick_due and self.alive:
            self._tick_due = True
            self._clockwork.after(self._clockwork.rng.randrange(2 * MS), self._tick)

    def _tick(self) -> None:
        self._tick_due = False
        if not self.alive:
            return
        self._bury()
        situation = self._situation()
        for action in plan(situation):
            self._act(action)
        wake_s = wake_at_s(self._situation())
        wait_s = _TICK_S if wake_s is None else min(_TICK_S, wake_s - self._now_s())
        self._wakings += 1
        waking = self._wakings

        def wake() -> None:
            if waking == self._wakings:
                self.look()

        self._clockwork.after(wait_s * NS + 1, wake)

    def _situation(self) -> Situation:
        children = tuple(running.child for running in self.children.values())
        if any(child.owner for child in children):
            self._unowned_s = None
        elif self._unowned_s is None:
            self._unowned_s = self._now_s()
        return Situation(
            children=children,
            stopping=False,
            standby=self._standby,
            next_start_s=self._failures.next_start_s,
            now_s=self._now_s(),
            unowned_s=self._unowned_s,
            ready_s=self._ready_s,
        )

    def _act(self, action: StartStandby | Drain | Kill | Exit) -> None:
        match action:
            case StartStandby(reason, owner_hangs, beside_owner):
                self._start_standby(reason, owner_hangs=owner_hangs, beside_owner=beside_owner)
            case Drain(name, hangs):
                if hangs:
                    self._standby_failed(self.children[name], None)
                self.drain(name)
            case Kill(name):
                self.children[name].process.kill_soon(MS)
            case Exit():
                self.alive = False

    def _now_s(self) -> float:
        return self._clockwork.now_ns / NS

    # --- children ----------------------------------------------------------------------

    def _start_standby(self, reason: str, *, owner_hangs: bool, beside_owner: bool) -> None:
        choice = choose_release(
            self._record(),
            first=self._first_release,
            failed_starts=self._failures.in_a_row,
            bad_cycle=self._bad_cycle or owner_hangs,
            beside_owner=beside_owner,
        )
        self._trace("launcher", "start standby", reason=reason, release=choice.release)
        self._start(Role.STANDBY, choice.release, "")

    def _start(self, role: Role, release: str, deploy_id: str) -> Running:
        process = self._spawn(release, deploy_id)
        child = Child(
            process.name, role, release=release, deploy_id=deploy_id, started_s=self._now_s()
        )
        return self.adopt(child, process)

    def adopt(self, child: Child, process: WorkerProcess) -> Running:
        """Watch a child that was started here, or by the launcher before this one."""
        running = self.children[child.name] = Running(child, process)
        process.on_death = self.look
        return running

    def drain(self, name: str) -> None:
        running = self.children[name]
        running.process.ask_to_leave()
        running.asked = True
        self._update(running, stopping_s=self._now_s())

    def _update(self, running: Running, **changes: Any) -> None:  # noqa: ANN401 - fields of Child
        running.child = running.child._replace(**changes)

    def _bury(self) -> None:
        for name, running in list(self.children.items()):
            if running.process.alive:
                continue
            del self.children[name]
            self._end_group(running)
            status = running.process.status
            self._trace("launcher", "buried", child=name, status=status, leaving=running.leaving)
            self._broadcast(
                {
                    "kind": Kind.EXITED.value,
                    "name": name,
                    "release": running.child.release,
                    "deploy": running.child.deploy_id,
                    "how": f"status {status}",
                    "reason": running.reason,
                }
            )
            role, asked, leaving = running.child.role, running.asked, running.leaving
            wanted = was_asked_for(role, asked=asked, leaving=leaving, status=status)
            if role is Role.STANDBY and not wanted:
                self._standby_failed(running, status)

    def _end_group(self, running: Running) -> None:
        for helper in running.process.helpers:
            if helper.in_group:
                self._clockwork.after(GROUP_ENDS_S * NS, helper.die)

    def _standby_failed(self, running: Running, status: int | None) -> None:
        if running.judged:
            return
        running.judged = True
        if status == _OUTSIDE_STATUS or running.leaving == "OUTSIDE":
            self._failures = self._failures.after_bad_weather(self._now_s())
            return
        self._bad_cycle = status == _FAULTY_STATUS or running.leaving == "FAULTY"
        self._failures = self._failures.after_failure(self._now_s(), warm=running.child.warm)

    # --- messages ----------------------------------------------------------------------

    def hear(self, line: SimulatedLine, message: Message) -> None:
        """Take a message from a worker's line."""
        if not self.alive:
            return
        if message["kind"] == Kind.HELLO.value:
            self._greet(line, message)
        running = next((each for each in self.children.values() if each.line is line), None)
        if running is None:
            return
        self._note(running, message)
        self._broadcast(message)
        self.look()

    def _note(self, running: Running, message: Message) -> None:
        match message["kind"]:
            case Kind.READY.value:
                self._update(running, warm=True)
                self._ready_s = self._now_s()
            case Kind.TOOK.value | Kind.SEIZED.value:
                self._own(running)
                self._update(running, overdue_s=self._due_s(message))
            case Kind.SETTLED.value:
                self._failures = Failures()
                self._update(running, owner=True, warm=True, overdue_s=self._due_s(message))
            case Kind.DUE.value if running.child.owner:
                self._update(running, overdue_s=self._due_s(message))
            case Kind.LOST.value:
                self._update(running, owner=False, overdue_s=None)
            case Kind.YIELDING.value:
                self._tell_waiting(message["until_ns"])
            case Kind.LEAVING.value:
                running.leaving, running.reason = message["leaving"], message["reason"]
                self._leaves(running)
            case _:
                pass  # told to whoever listens all the same

    def _leaves(self, running: Running) -> None:
        if running.child.stopping_s is not None:
            return
        if running.child.role is Role.STANDBY and running.leaving != DRAINED:
            self._standby_failed(running, None)
        self._update(running, owner=False, overdue_s=None, stopping_s=self._now_s())

    def _due_s(self, message: Message) -> float | None:
        # The boot clock of the simulated host is its monotonic clock: nothing suspends it.
        now_s, wall_s = self._now_s(), self._clockwork.wall_ns() / NS
        return due_s(message, now_s=now_s, boot_s=now_s, wall_s=wall_s)

    def line_closed(self, line: SimulatedLine) -> None:
        for running in self.children.values():
            if running.line is line:
                running.line = None

    def _tell_waiting(self, until_ns: int) -> None:
        for role in (Role.CANDIDATE, Role.STANDBY):
            self.tell_role(role, Kind.YIELDING, until_ns=until_ns)

    def _greet(self, line: SimulatedLine, message: Message) -> None:
        running = next(
            (each for each in self.children.values() if each.process.pid == message["pid"]), None
        )
        if running is None:
            line.hang_up()
            return
        running.line = line

    def _own(self, running: Running) -> None:
        self._bad_cycle = False
        for other in self.children.values():
            if other.child.owner:
                self._update(other, owner=False, overdue_s=None)
        self._update(running, owner=True, warm=True, role=Role.STANDBY)
        running.process.role = Role.STANDBY  # written down for the next launcher

    def _broadcast(self, message: Message) -> None:
        subscriber = self.subscriber

        def arrive() -> None:
            if self.alive:
                subscriber(message)

        self._clockwork.after(MS, arrive)

    def tell_role(self, role: Role, kind: Kind, **members: object) -> None:
        for running in self.children.values():
            if running.child.role is role and running.line is not None:
                running.line.deliver(kind, **members)

    # --- what a deployer asks for ------------------------------------------------------

    def start_candidate(self, release: str, deploy_id: str) -> dict[str, bool]:
        """Start a candidate, or say how far the one of this deploy is."""
        for running in self.children.values():
            child = running.child
            if child.deploy_id == deploy_id and child.role in {Role.CANDIDATE, Role.STANDBY}:
                owner, connected = child.role is Role.STANDBY, running.line is not None
                return {"connected": connected, "warm": child.warm, "owner": owner}
            if child.role is Role.CANDIDATE and child.stopping_s is None:
                message = f"deploy {child.deploy_id} is under way"
                raise RequestRefused(message)
        self._start(Role.CANDIDATE, release, deploy_id)
        self.look()
        return {"connected": False, "warm": False, "owner": False}

    def approve(self, deploy_id: str, bake: int) -> None:
        for running in self.children.values():
            child = running.child
            mine = child.role is Role.CANDIDATE and child.deploy_id == deploy_id
            if mine and running.line is not None:
                running.line.deliver(Kind.GO, bake=bake)
                self.tell_role(Role.STANDBY, Kind.WAITING)
                return
        message = f"no candidate of deploy {deploy_id} is connected"
        raise RequestRefused(message)

    def stop_candidate(self, deploy_id: str) -> None:
        for name, running in list(self.children.items()):
            child = running.child
            if child.role is Role.CANDIDATE and child.deploy_id == deploy_id:
                self.drain(name)

    def give_back(self, deploy_id: str) -> None:
        self.tell_role(Role.STANDBY, Kind.RETURN, deploy=deploy_id)
