"""Other workers, seen from this host.

Owns the translation of a recorded worker into a watched process. A worker of another host
can be neither watched nor killed from here: nothing is ever proven about it. One of another
container of this host cannot be killed either; its life lock tells whether it is dead.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from handoff import life_lock
from handoff.processes import KILL, Identity, Watched, boot_id, pid_namespace, watch

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.worker.ports import OtherWorker
    from state.record import WorkerId


def process_of(worker: WorkerId) -> Identity:
    """Return the process of a worker that a record names."""
    return Identity(worker.pid, worker.start_ticks, worker.boot_id, worker.pid_namespace)


class _Gone:
    """A process that is proven gone."""

    def gone(self) -> bool:
        return True

    def kill(self) -> bool:
        return True

    def close(self) -> None:
        return


class _Elsewhere:
    """A process of another host: nothing can be proven about it."""

    def gone(self) -> bool:
        return False

    def kill(self) -> bool:
        return False

    def close(self) -> None:
        return


class _OutOfSight:
    """A process of this kernel whose pid says nothing here: another container, or one that was."""

    def __init__(self, home: Path, worker: str) -> None:
        self._home = home
        self._worker = worker

    def gone(self) -> bool:
        return life_lock.is_over(self._home, self._worker)

    def kill(self) -> bool:
        return False

    def close(self) -> None:
        return


class _Here:
    """A process of this host that lived when it was first looked at."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def gone(self) -> bool:
        return self._watched.gone()

    def kill(self) -> bool:
        # Death follows the signal; it is proven by `gone`, not by having sent it.
        self._watched.send(KILL)
        return True

    def close(self) -> None:
        self._watched.close()


class LocalHosts:
    """Watches workers of this host: through pidfds, or their locks where pids say nothing.

    Args:
        home: The state directory that they share.
    """

    def __init__(self, home: Path) -> None:
        """Keep where their locks are."""
        self._home = home

    def watch(self, worker: WorkerId) -> OtherWorker:
        """Watch the process of a worker."""
        # A container has a name of its own, and the kernel of its host.
        if worker.boot_id == boot_id() and worker.pid_namespace != pid_namespace():
            return _OutOfSight(self._home, worker.worker)
        if worker.host != socket.gethostname():
            return _Elsewhere()
        watched = watch(process_of(worker))
        return _Gone() if watched is None else _Here(watched)
