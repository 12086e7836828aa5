"""Other workers, seen from this host.

Owns the translation of a recorded worker into a watched process, and what is refused where it
belongs to another home. What a look shows is told by `life_signs`, what that means by `liveness`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from handoff.errors import HomeCopied, OwnerUnproven
from handoff.life_signs import look, this_side
from handoff.liveness import Judgement, Side, Verdict, Word, judge, judge_shared
from handoff.processes import KILL, Identity, Watched, watch
from state.medium import NETWORK_MAGICS, file_system_magic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from handoff.worker.ports import OtherWorker
    from state.record import WorkerId

MOVED: Final = "HANDOFF_MOVED"  # names the one worker that an operator says is dead
VOLUME: Final = "HANDOFF_VOLUME"
EXCLUSIVE: Final = "exclusive"


def process_of(worker: WorkerId) -> Identity:
    """Return the process of a worker that a record names."""
    return Identity(worker.pid, worker.start_ticks, worker.boot_id, worker.pid_namespace)


def is_on_network(home: Path) -> bool:
    """Tell whether a home is on a file system whose locks may not reach other hosts."""
    return sys.platform == "linux" and file_system_magic(home) in NETWORK_MAGICS


class _Owner:
    """Another worker: watched where it lives in this home, looked at again where that is open."""

    def __init__(self, hosts: LocalHosts, worker: WorkerId) -> None:
        self._hosts = hosts
        self._worker = worker
        self._watched: Watched | None = None
        self._found = self._look()

    def _look(self) -> Judgement:
        watched = watch(process_of(self._worker))
        found = self._hosts.judge(self._worker)
        if found.verdict is Verdict.HERE:
            self._watched = watched
        elif watched is not None:
            watched.close()
        if found.verdict is Verdict.COPY:
            raise copied(self._hosts.home, found)
        return found

    def gone(self) -> bool:
        if self._watched is not None:
            return self._watched.gone()
        if not self._found.is_dead:
            self._found = self._look()
        return self._found.is_dead

    def kill(self) -> bool:
        # Death follows the signal; it is proven by `gone`, not by having sent it.
        if self._watched is None:
            return False
        self._watched.send(KILL)
        return True

    def doubt(self) -> str:
        return self._found.reason if self._found.is_doubtful else ""

    def evidence(self) -> dict[str, str]:
        return {"moved": self._found.reason} if self._found.verdict is Verdict.MOVED else {}

    def close(self) -> None:
        if self._watched is not None:
            self._watched.close()


class LocalHosts:
    """Watches workers of one home: through pidfds, or their locks where pids say nothing.

    Args:
        home: The state directory that they share.
        environment: Where somebody vouches for something; by default nobody does.
        side: Returns where this process runs.
        on_network: Tells whether a home is on a network file system.
    """

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] | None = None,
        *,
        side: Callable[[], Side] = this_side,
        on_network: Callable[[Path], bool] = is_on_network,
    ) -> None:
        """Look once at what does not change while a process lives."""
        self.home = home
        self._environment = environment or {}
        self._side = side()
        self._network = on_network(home)

    def watch(self, worker: WorkerId) -> OtherWorker:
        """Watch the process of a worker.

        Raises:
            HomeCopied: It lives, and has another home.
        """
        return _Owner(self, worker)

    def judge(self, worker: WorkerId) -> Judgement:
        """Return what is known of a worker right now."""
        identity = process_of(worker)
        seen = look(
            self.home, worker.worker, identity, worker.lock, self._side, network=self._network
        )
        told = Side(worker.boot_id, worker.pid_namespace, worker.machine)
        word = Word(
            moved=self._environment.get(MOVED) == worker.worker,
            exclusive=self._environment.get(VOLUME) == EXCLUSIVE,
        )
        return judge(told, worker.lock, self._side, seen, word)


class SharedHosts(LocalHosts):
    """Watches workers where hosts share the record: what is not of this host is simply elsewhere.

    A pid proves something in its own namespace of its own boot. A file that lies in this home
    proves nothing of another boot: a home may be a clone of another host's.
    """

    @override
    def judge(self, worker: WorkerId) -> Judgement:
        """Return what is known of a worker right now; who cannot be seen here is alive."""
        seen = look(
            self.home,
            worker.worker,
            process_of(worker),
            worker.lock,
            self._side,
            network=self._network,
        )
        return judge_shared(Side(worker.boot_id, worker.pid_namespace), self._side, seen)


def hosts_of(home: Path, *, shared: bool) -> LocalHosts:
    """Return who watches workers of a home, whose record may be elsewhere."""
    return (SharedHosts if shared else LocalHosts)(home, os.environ)


def copied(home: Path | str | os.PathLike[str], found: Judgement) -> HomeCopied:
    """Return the refusal of a home whose owner lives in another one."""
    message = f"{os.fspath(home)} is a copy of {found.reason}, whose owner is alive"
    return HomeCopied(message)


def refuse_doubtful(hosts: LocalHosts, owner: WorkerId | None) -> None:
    """Refuse a home before anything is started if its owner may live in another one.

    Raises:
        HomeCopied: It does.
        OwnerUnproven: It may: on another machine, or where nobody can look.
    """
    found = hosts.judge(owner) if owner is not None else Judgement(Verdict.DEAD)
    if found.verdict is Verdict.COPY:
        raise copied(hosts.home, found)
    if found.is_doubtful and owner is not None:
        message = f"worker {owner.worker} owns {hosts.home} and may be alive: {found.reason}"
        raise OwnerUnproven(message)
