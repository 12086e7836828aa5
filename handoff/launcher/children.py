"""The launcher's children: starting, adopting, watching, ending them.

Owns the table of children and what is written down about them for the next launcher
(`run/launcher.json`). Which child is to be started or ended is `supervision`'s decision.
Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time

from handoff.launcher.adoption import is_named, refuse_copy, why_not
from handoff.launcher.burials import Burials
from handoff.launcher.child_logs import ChildLogs, cut
from handoff.launcher.engine_config import write_json
from handoff.launcher.supervision import Role
from handoff.launcher.written_down import (
    RECORDED,
    Written,
    from_plain,
    is_adoptable,
    read_written,
    to_plain,
)
from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.processes import (
    KILL,
    TERM,
    Exit,
    Identity,
    Watched,
    boot_id,
    ended_here,
    pid_namespace,
    proven_dead,
    spawn,
    start_ticks,
    watch,
)
from handoff.proxies import PROXY_VARIABLES, loopback_direct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from handoff.launcher.supervision import Child
    from handoff.life_signs import FileId

ALLOWED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME"),
    *PROXY_VARIABLES,
)
ALLOWED_PREFIXES: Final = (
    "HANDOFF_",
    "XDG_",
    "SSL_CERT_",
    "PIP_",
    "UV_",
    "REQUESTS_CA_",
    "CURL_CA_",
)
TAIL_BYTES: Final = 4096  # of a dead child's output, for the history
LOGS_KEPT_MAX: Final = 400


class Running:
    """One living child: what the rules see of it, and its process."""

    def __init__(self, child: Child, watched: Watched, log: Path, argv: Sequence[str]) -> None:
        """Keep the parts."""
        self.child = child
        self.watched = watched
        self.log = log
        self.argv = tuple(argv)
        self.attempts_left = 0
        self.leaving = ""
        self.reason = ""
        self.asked = False  # to leave, by this launcher
        self.judged = False  # its end was counted as a failure already

    def end_told(self, how: Exit | None, words: str) -> dict[str, Any]:
        """Return what is told of the child's end; `how` is None where nobody can collect it."""
        return {
            "name": self.child.name,
            "role": self.child.role.value,
            "release": self.child.release,
            "deploy": self.child.deploy_id,
            "how": words,
            "status": how.status if how is not None else None,
            "leaving": self.leaving,
            "reason": self.reason,
            "tail": self.tail(),
        }

    def tail(self) -> str:
        """Return the last words of the child."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


class Children:
    """The table of living children."""

    def __init__(
        self, home: Path, selector: selectors.BaseSelector, held: FileId | None = None
    ) -> None:
        """Start empty; `adopt_recorded` finds those of a launcher before this one.

        Args:
            home: The state directory.
            selector: Where their ends are noticed.
            held: The file of the lock that makes this launcher the only one.
        """
        self._home = home
        self._held = held
        self._selector = selector
        self._table: dict[str, Running] = {}
        self._file = home / "run" / RECORDED
        self._numbered = 0
        self._logs = ChildLogs(home / "logs")
        self._burials = Burials()
        _prune_logs(home / "logs")

    def __iter__(self) -> Iterator[Running]:
        """Iterate over the living children."""
        return iter(list(self._table.values()))

    def get(self, name: str) -> Running | None:
        """Return a child by name."""
        return self._table.get(name)

    def by_pid(self, pid: int) -> Running | None:
        """Return a child by pid."""
        return next((each for each in self if each.watched.identity.pid == pid), None)

    def any_gone(self) -> bool:
        """Tell whether one of them has ended that is not taken out of the table yet."""
        return any(each.watched.gone() for each in self)

    def values(self) -> tuple[Child, ...]:
        """Return what the rules look at."""
        return tuple(each.child for each in self)

    def rename(self, running: Running, name: str) -> None:
        """Give a child the name of one that is gone; its log keeps its own."""
        assert name not in self._table, "the one before it is gone"
        del self._table[running.child.name]
        self._table[name] = running
        self.update(running, name=name)
        self.write_down()

    def update(self, running: Running, **changes: Any) -> None:  # noqa: ANN401 - fields of Child
        """Change what is known of a child."""
        running.child = running.child._replace(**changes)

    def fresh_name(self, stem: str) -> str:
        """Return a name that no living child has, and no log of a dead one."""
        while True:
            self._numbered += 1
            name = f"{stem}-{os.getpid()}-{self._numbered}"
            # A launcher that replaced itself has its pid again, and counts from one again.
            if name not in self._table and not self._logs.path_of(name).exists():
                return name

    def start(
        self,
        child: Child,
        argv: Sequence[str],
        environment: Mapping[str, str],
        keep: Mapping[int, int] | None = None,
    ) -> Running:
        """Start a child.

        Raises:
            OSError: It cannot be started.
        """
        output = self._logs.open(child.name, [each.log for each in self])
        try:
            watched = spawn(argv, environment=environment, output=output, keep=keep)
        finally:
            os.close(output)
        running = Running(child, watched, self._logs.path_of(child.name), argv)
        try:
            return self._add(running)
        except OSError:
            # Nobody would notice its end, or end it: what is not watched does not run.
            self._table.pop(child.name, None)
            watched.send(KILL)
            watched.close()
            raise

    def adopt(self, child: Child, identity: Identity, argv: Sequence[str] = ()) -> Running | None:
        """Watch a process that another launcher started; None if it is gone, or cannot be one."""
        watched = watch(identity) if is_adoptable(identity.pid) else None
        if watched is None:
            return None
        if start_ticks(identity.pid) != identity.start_ticks:
            watched.close()  # what cannot be seen may be anybody
            return None
        log = self._logs.path_of_process(identity.pid, child.name)
        return self._add(Running(child, watched, log, argv))

    def adopt_recorded(self) -> tuple[list[Running], dict[str, str]]:
        """Adopt the children that the launcher before this one wrote down.

        Returns:
            Those, and by name why others are not adopted although they live.

        Raises:
            HomeCopied: It was written by a launcher that lives, in another home.
        """
        plain, left, now_s = read_written(self._home), dict[str, str](), time.monotonic()
        refuse_copy(self._home, plain, self._held)
        named = is_named(plain, self._held)
        written = [from_plain(each, now_s=now_s) for each in plain.get("children", [])]
        adopted = [
            self._adopt_written(each, left, named=named) for each in written if each is not None
        ]
        return [running for running in adopted if running is not None], left

    def _adopt_written(
        self, written: Written, left: dict[str, str], *, named: bool | None
    ) -> Running | None:
        child, identity = written.child, written.identity
        if child.name in self._table:
            return None  # the same one twice, or somebody with another's name
        is_worker = child.role in (Role.STANDBY, Role.CANDIDATE)
        reason = why_not(self._home, identity.pid, is_worker=is_worker, named=named)
        if reason and not proven_dead(identity):
            left[child.name] = reason
        if is_worker and named and written.argv and ended_here(identity):
            self._burials.begin_unseen(identity, written.argv, time.monotonic())
        if reason:
            return None
        running = self.adopt(child, identity, written.argv)
        if running is not None:
            running.attempts_left = written.attempts_left
        return running

    def _add(self, running: Running) -> Running:
        self._table[running.child.name] = running
        if running.watched.pidfd is not None:
            self._selector.register(running.watched, selectors.EVENT_READ, running)
        self.write_down()
        return running

    def look_at_logs(self, now_s: float) -> float:
        """Keep the logs of the living within their bound; return when to look again."""
        self._logs.look([each.log for each in self], now_s)
        return self._logs.next_look_s

    def gone(self) -> list[tuple[Running, Exit | None]]:
        """Take the children out of the table that are gone, with how they ended."""
        ended: list[tuple[Running, Exit | None]] = []
        for running in self:
            if not running.watched.gone():
                continue
            is_worker = running.child.role in (Role.STANDBY, Role.CANDIDATE)
            how = running.watched.reap(leave=is_worker)
            if running.watched.pidfd is not None:
                self._selector.unregister(running.watched)
            if is_worker:
                self._burials.begin(running.watched, time.monotonic())
            else:
                running.watched.close()
            cut(running.log)
            del self._table[running.child.name]
            ended.append((running, how))
        if ended:
            self.write_down()
        return ended

    def bury(self) -> None:
        """Go on with ending what workers left behind."""
        self._burials.go_on(time.monotonic())

    def next_burial_s(self) -> float | None:
        """Return when to go on with it; None where nothing is left."""
        return self._burials.next_look_s(time.monotonic())

    def is_unreaped(self, pid: int) -> bool:
        """Tell whether a pid is that of a child that is this object's to reap."""
        return self.by_pid(pid) is not None or self._burials.is_leader(pid)

    def finish_burials(self) -> None:
        """End all that workers left behind before this process ends."""
        while self.next_burial_s() is not None:  # bounded: each is killed, or given up
            self._burials.wait()
            self.bury()

    def drain(self, running: Running) -> None:
        """Ask a child to leave; it counts from now."""
        running.watched.send(TERM)
        running.asked = True
        self.update(running, stopping_s=time.monotonic())

    def kill(self, running: Running) -> None:
        """End a child."""
        running.watched.send(KILL)

    def write_down(self) -> None:
        """Write the table for the next launcher."""
        children = [
            to_plain(each.child, each.watched.identity, each.argv, each.attempts_left)
            for each in self
        ]
        plain: dict[str, Any] = {"format": 1, "pid": os.getpid(), "boot_id": boot_id()}
        plain["start_ticks"] = start_ticks(os.getpid())
        plain |= {"pid_namespace": pid_namespace(), "children": children}
        if self._held is not None:
            plain |= {"lock": self._held.inode, "device": self._held.device}
        with contextlib.suppress(OSError):
            # On a full disk the next launcher adopts by the record and by who says hello.
            write_json(self._file, plain)


def child_environment(
    extra: Sequence[tuple[str, str]], passed: Sequence[str] = ()
) -> dict[str, str]:
    """Return a child's environment: an allow list of ours, and what the installation adds.

    Args:
        extra: What the installation adds.
        passed: Names of further variables that this child gets as we have them.
    """
    allowed = {
        name: value
        for name, value in os.environ.items()
        if name in ALLOWED or name in passed or name.startswith(ALLOWED_PREFIXES)
    }
    return loopback_direct(allowed | dict(extra))


def _prune_logs(directory: Path) -> None:
    logs = sorted(directory.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for path in logs[:-LOGS_KEPT_MAX]:
        path.unlink(missing_ok=True)
