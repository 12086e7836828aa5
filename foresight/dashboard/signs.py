"""Signs of life of the processes that the files name.

Owns the look at them. A record says who owned last, not whether that process still does anything.
"""

from typing import Final

from foresight.dashboard.snapshot import Sign
from handoff.processes import Identity, boot_id, pid_namespace, proven_dead, stat_fields
from state.record import WorkerId

_STOPPED: Final = frozenset({"T", "t"})  # by a signal, by a tracer: proc_pid_stat(5)


def sign_of(identity: Identity | None) -> Sign:
    """Return what a process shows of itself; what cannot be seen is not claimed.

    Args:
        identity: A process of this host, or None where none is named.
    """
    if identity is None:
        return Sign.UNKNOWN
    if proven_dead(identity):
        return Sign.GONE
    fields = stat_fields(identity.pid) if identity.pid_namespace == pid_namespace() else None
    if fields is None:
        return Sign.UNKNOWN
    return Sign.STOPPED if fields[0] in _STOPPED else Sign.RUNS


def identity_in(worker: WorkerId | None) -> Identity | None:
    """Return the process that a worker is."""
    if worker is None:
        return None
    return Identity(worker.pid, worker.start_ticks, worker.boot_id, worker.pid_namespace)


def is_of_this_side(identity: Identity) -> bool:
    """Tell whether a process is of this boot and pid namespace: only such a one can be seen."""
    return (identity.boot_id, identity.pid_namespace) == (boot_id(), pid_namespace())
