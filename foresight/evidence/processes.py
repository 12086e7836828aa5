"""The processes of an installation, found and signalled from outside.

Owns who is meant: a process is signalled by its identity only, so that nobody who got the same
pid later is hit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from handoff.processes import KILL, Identity, identity_of, watch

END_S_MAX: Final = 60.0  # a killed process is gone at once, unless disk or machine hangs


def workers_of(home: Path) -> list[Identity]:
    """Return every living worker of a home by its command line, whoever started it."""
    wanted = f"\0worker\0--home\0{home}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_one = wanted in (path / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        identity = identity_of(int(path.name)) if is_one else None
        found += [identity] if identity is not None else []
    return sorted(found, key=lambda each: each.pid)


def send(who: Identity, number: int) -> bool:
    """Send a signal to a process; return False if it is gone already."""
    watched = watch(who)
    if watched is None:
        return False
    try:
        return watched.send(number)
    finally:
        watched.close()


def end(who: Identity, number: int = KILL) -> bool:
    """End a process by a signal and wait until it is gone; return False if it was already.

    A process that outlives the wait is left: the next one who looks for it finds it.
    """
    watched = watch(who)
    if watched is None:
        return False
    try:
        was_there = watched.send(number)
        watched.wait(END_S_MAX)
        return was_there
    finally:
        watched.close()
