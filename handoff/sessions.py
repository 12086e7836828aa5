"""What a process left behind in its session: who that is, proven one by one.

Owns the look into `/proc` for it. A worker leads a session of its own, so whatever it forked is
in there unless it left on purpose. The number of a session is not given to anybody else as long
as one member lives or its leader is not reaped. Standard library only.
"""

from __future__ import annotations

import os

from handoff.light_typing import TYPE_CHECKING, Final
from handoff.processes import Identity, Watched, start_ticks, stat_fields, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS_MAX: Final = 256  # looked at at once; the rest are found at the next look
_SESSION_FIELD: Final = 3  # of /proc/pid/stat after the command name; proc(5) field 6


def members_left(leader: Identity) -> list[Watched]:
    """Return the living processes of a session whose leader is gone.

    Each is held by its pidfd before its session and start are compared, so that no stranger who
    got its pid is among them. Where the system has no `/proc`, none is found.

    Args:
        leader: The process that began the session, proven gone.
    """
    if start_ticks(leader.pid) is not None:
        return []  # its number is somebody else's by now, and so is the session of that number
    return [each for each in _members(leader) if _belongs(each, leader)]


def command_of(pid: int) -> list[str]:
    """Return the words that a process was started with; none if they cannot be read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:  # noqa: PTH123 - no pathlib here
            return os.fsdecode(words.read()).split("\0")[:-1]
    except OSError:
        return []


def _members(leader: Identity) -> Iterator[Watched]:
    found = 0
    for name in _numbers():
        if found == MEMBERS_MAX:
            return
        fields = stat_fields(int(name))
        ticks = start_ticks(int(name))
        if fields is None or ticks is None or int(fields[_SESSION_FIELD]) != leader.pid:
            continue
        watched = watch(leader._replace(pid=int(name), start_ticks=ticks))
        if watched is not None:
            found += 1
            yield watched


def _belongs(member: Watched, leader: Identity) -> bool:
    identity = member.identity
    fields = stat_fields(identity.pid)
    if (
        fields is not None
        and int(fields[_SESSION_FIELD]) == leader.pid
        and start_ticks(identity.pid) == identity.start_ticks >= leader.start_ticks
    ):
        return True
    member.close()
    return False


def _numbers() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - no pathlib here
    except OSError:
        return []
