"""Being given the orphans below this process, so that they can be reaped.

Owns one system call and its cost: ctypes would stay in the launcher's memory for years, so
the call is made first and the program is executed again without it. The kernel keeps the
attribute across an exec, prctl(2). Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import sys

from handoff.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff.light_typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
MARK: Final = "FORESIGHT_LAUNCHER_SUBREAPER"


def become_subreaper() -> None:
    """Take the attribute and start this program again; where there is none, just go on."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return  # init reaps them instead
    environment = os.environ | {MARK: "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - no shell is wanted
