"""What clients ask the launcher for, and what it answers.

Owns the requests of the control socket: status, candidates, jobs, stopping. Whatever cannot
be done is answered at once with the reason. Standard library only.
"""

from __future__ import annotations

import os
import sys
import time

from handoff.errors import HandoffError, ReleaseUnusable
from handoff.launcher.supervision import Child, Role
from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.wire import Kind, Message

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from handoff.launcher.children import Children, Running
    from handoff.launcher.connections import Connection, Connections
    from handoff.launcher.engine_config import EngineConfig
    from handoff.launcher.workforce import Workforce

_OWN_MODULES: Final = frozenset({"__main__", "handoff"})


class Desk:
    """Answers clients.

    Attributes:
        stopping: The launcher was asked to stop.
    """

    def __init__(self, children: Children, connections: Connections, workforce: Workforce) -> None:
        """Keep the parts."""
        self._children = children
        self._connections = connections
        self._workforce = workforce
        self.stopping = False

    def answer(
        self,
        connection: Connection,
        message: Message,
        config: EngineConfig,
        listening: Mapping[str, socket.socket],
    ) -> None:
        """Answer one request."""
        self._config, self._listening = config, listening
        try:
            reply = self._obey(connection, message)
        except (HandoffError, OSError, KeyError, ValueError) as error:
            reply = {"ok": False, "error": str(error)}
        connection.tell(Kind.REPLY, **({"ok": True} | reply))

    def tell_role(self, role: Role, kind: Kind, **members: object) -> None:
        """Tell every connected worker of a role."""
        for running in self._children:
            line = self._connections.of_child(running.child.name)
            if running.child.role is role and line is not None:
                line.tell(kind, **members)

    def _obey(self, connection: Connection, message: Message) -> dict[str, Any]:  # noqa: C901, PLR0911 - one case per request
        match message["kind"]:
            case Kind.STATUS.value:
                return self._status()
            case Kind.SUBSCRIBE.value:
                connection.subscribed = True
                return self._status()
            case Kind.START_CANDIDATE.value:
                connection.drives = message["deploy"]
                return self._start_candidate(
                    message["release"],
                    message["deploy"],
                    # A deployer of an older engine says none.
                    tuple(str(each) for each in message.get("options", ())),
                )
            case Kind.APPROVE.value:
                # A deployer of one host, or of an older engine, says no approval.
                approval = int(message.get("approval", 0))
                return self._approve(message["deploy"], int(message["bake"]), approval)
            case Kind.STOP_CANDIDATE.value:
                for running in self._candidates():
                    if running.child.deploy_id == message["deploy"]:
                        self._children.drain(running)
                return {}
            case Kind.GIVE_BACK.value:
                if not self.stopping:
                    self._workforce.start_previous(self._config, message["deploy"])
                self.tell_role(Role.STANDBY, Kind.RETURN, deploy=message["deploy"])
                return {}
            case Kind.RUN_JOB.value:
                return self._run_job(message["name"], tuple(message["argv"]))
            case Kind.STOP.value:
                self.stopping = True
                return {}
            case unknown:
                return {"ok": False, "error": f"this launcher does not know {unknown!r}"}

    def _candidates(self) -> list[Running]:
        return [each for each in self._children if each.child.role is Role.CANDIDATE]

    def _start_candidate(
        self, release: str, deploy_id: str, options: tuple[str, ...]
    ) -> dict[str, Any]:
        for running in self._children:
            child = running.child
            if child.deploy_id == deploy_id and child.role in (Role.CANDIDATE, Role.STANDBY):
                # A deployer that was started again finds its candidate as it left it.
                connected = self._connections.of_child(child.name) is not None
                return {
                    "pid": running.watched.identity.pid,
                    "connected": connected,
                    "warm": child.warm,
                    "owner": child.role is Role.STANDBY,
                }
            if child.role is Role.CANDIDATE and child.stopping_s is None:
                if self._connections.is_driven(child.deploy_id):
                    text = f"deploy {child.deploy_id} is under way"
                    raise ReleaseUnusable(text)
                # Whoever drove it is gone; it must not hold up every later deploy.
                self._children.drain(running)
        if self.stopping:
            text = "the launcher is stopping"
            raise ReleaseUnusable(text)
        running = self._workforce.start_worker(
            self._config, Role.CANDIDATE, release, deploy_id=deploy_id, options=options
        )
        pid = running.watched.identity.pid
        return {"pid": pid, "connected": False, "warm": False, "owner": False}

    def _approve(self, deploy_id: str, bake: int, approval: int) -> dict[str, Any]:
        if any(
            each.child.role is Role.STANDBY and each.child.deploy_id == deploy_id
            for each in self._children
        ):
            return {}  # it was approved before, and took while it was asked for again
        for running in self._candidates():
            line = self._connections.of_child(running.child.name)
            if running.child.deploy_id == deploy_id and line is not None:
                line.tell(Kind.GO, bake=bake, **({"approval": approval} if approval else {}))
                self.tell_role(Role.STANDBY, Kind.WAITING)
                return {}
        text = f"no candidate of deploy {deploy_id} is connected"
        raise ReleaseUnusable(text)

    def _run_job(self, name: str, argv: tuple[str, ...]) -> dict[str, Any]:
        if self._children.get(name) is not None:
            text = f"job {name} is running already"
            raise ReleaseUnusable(text)
        self._workforce.start_job(self._config, Child(name, Role.JOB), argv)
        return {}

    def _status(self) -> dict[str, Any]:
        now_s = time.monotonic()
        return {
            "pid": os.getpid(),
            "app": self._config.app,
            "stopping": self.stopping,
            **self._workforce.barred,
            "not_standby": self._workforce.why_no_standby(),
            "foreign_modules": sorted(_foreign_modules()),
            "children": [
                {
                    **each.child._asdict(),
                    "role": each.child.role.value,
                    "pid": each.watched.identity.pid,
                    "overdue_in_s": _left_s(each.child.overdue_s, now_s),
                }
                for each in self._children
            ],
            "listening": {
                name: "{}:{}".format(*each.getsockname()[:2])
                for name, each in self._listening.items()
            },
        }


def _left_s(moment_s: float | None, now_s: float) -> float | None:
    """Return how long it is until a moment, where there is one: whoever asks has another clock."""
    return None if moment_s is None else moment_s - now_s


def _foreign_modules() -> set[str]:
    """Return what was imported although it is neither the standard library's nor ours."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    return {name for name in loaded - sys.stdlib_module_names if name not in _OWN_MODULES}
