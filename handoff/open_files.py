"""How many files a process may have open at once: raised where it may be, known where it may not.

Owns the soft limit of this process, which everything that it starts inherits. Who refuses to go
on with too few is the programs' matter: what a bot needs to come up again is less than what a
build needs. Standard library only; the launcher needs none of it.
"""

from __future__ import annotations

import contextlib
import resource

from handoff.errors import OpenFilesLacking
from handoff.limits import OPEN_FILES_MIN, OPEN_FILES_WANTED


def permit() -> int:
    """Raise the soft limit to what is wanted, or as far as the hard one permits; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = soft_limit(soft, hard)
    if wanted == soft:
        return _counted(soft)
    with contextlib.suppress(OSError, ValueError):  # a filter of system calls may refuse it
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return permitted()


def permitted() -> int:
    """Return how many files this process may have open now."""
    return _counted(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def require() -> None:
    """Refuse to go on with fewer than a deploy and its two workers need.

    Raises:
        OpenFilesLacking: The limit is too low, and nobody may raise it here.
    """
    allowed = permit()
    if allowed < OPEN_FILES_MIN:
        raise OpenFilesLacking(allowed, needed=OPEN_FILES_MIN)


def soft_limit(soft: int, hard: int) -> int:
    """Return the soft limit that is wanted beside a soft and a hard one; it is never lowered."""
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_WANTED:
        return soft
    return OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)


def _counted(limit: int) -> int:
    return OPEN_FILES_WANTED if limit == resource.RLIM_INFINITY else limit
