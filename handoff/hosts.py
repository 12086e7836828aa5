"""Other workers, seen from this host.

Owns the translation of a recorded worker into a watched process. A worker of another host
can be neither watched nor killed from here: nothing is ever proven about it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from handoff.processes import KILL, Identity, Watched, watch

if TYPE_CHECKING:
    from handoff.ports import OtherWorker
    from state.record import WorkerId


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
    """Watches workers of this host through pidfds."""

    def watch(self, worker: WorkerId) -> OtherWorker:
        """Watch the process of a worker."""
        if worker.host != socket.gethostname():
            return _Elsewhere()
        identity = Identity(worker.pid, worker.start_ticks, worker.boot_id, worker.pid_namespace)
        watched = watch(identity)
        return _Gone() if watched is None else _Here(watched)
