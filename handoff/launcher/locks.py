"""Being the only launcher of a home directory.

Owns how a lock is taken. One is held by a descriptor for as long as the process lives, also
across an exec of itself; a file of one is never deleted and says nothing. Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os

from handoff.errors import AnotherInCharge
from handoff.light_typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.light_path import LightPath

LOCK: Final = "launcher.lock"


def take_home(home: Path) -> int:
    """Lock a home directory; return the descriptor that holds the lock.

    Raises:
        AnotherInCharge: A living launcher has it.
    """
    return take_lock(home / "run" / LOCK, f"a launcher holds {home}")


def take_lock(path: Path | LightPath, taken: str) -> int:
    """Take a lock without waiting; return the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise AnotherInCharge(taken) from error
        raise
    return descriptor
