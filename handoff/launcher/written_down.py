"""What a launcher writes down of its children for the next one, and what that one believes of it.

Owns the shape of `run/launcher.json`. The file is advice, written by another process at another
time: what is not as it should be is passed over, entry by entry. Whoever is passed over stands in
the record, or says hello. Standard library only.
"""

from __future__ import annotations

import json
import os
import time

from handoff import wire
from handoff.boot_clock import boot_ns
from handoff.launcher.supervision import Child, Role, due_s
from handoff.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from handoff.limits import ADOPTED_GRACE_S, NS
from handoff.processes import Identity, boot_id, pid_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDED: Final = "launcher.json"
_INIT: Final = 1  # never a child of ours, even where a file says so


class Written(NamedTuple):
    """One child as it was written down.

    Attributes:
        child: What the rules of supervision know of it.
        identity: Its process.
        argv: How a job is started again.
        attempts_left: How often.
    """

    child: Child
    identity: Identity
    argv: tuple[str, ...]
    attempts_left: int


def to_plain(
    child: Child, identity: Identity, argv: Sequence[str], attempts_left: int
) -> dict[str, Any]:
    """Return what is written down of one child.

    Of an owner it is when its next cycle is overdue, on the boot clock: one that hangs while
    there is no launcher tells the next one nothing.
    """
    plain: dict[str, Any] = {"owner": True} if child.owner else {}
    if child.owner and child.overdue_s is not None:
        overdue_boot_s = child.overdue_s - time.monotonic() + boot_ns() / NS
        plain["overdue_boot_ms"] = overdue_boot_s * 1000
    if child.role is Role.COMPANION and child.warm:
        plain["ready"] = True
    return plain | {
        "name": child.name,
        "role": child.role.value,
        "release": child.release,
        "deploy": child.deploy_id,
        "pid": identity.pid,
        "start_ticks": identity.start_ticks,
        "argv": list(argv),
        "attempts_left": attempts_left,
    }


def read_written(home: Path) -> dict[str, Any]:
    """Return the table of the launcher before this one, its entries unjudged; empty if none holds.

    One of another boot or pid namespace is none: what ran there is gone, whatever its pid.
    """
    try:
        plain = json.loads((home / "run" / RECORDED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(plain, dict) or not isinstance(plain.get("children"), list):
        return {}
    here = (boot_id(), pid_namespace())
    told = (plain.get("boot_id", here[0]), plain.get("pid_namespace", here[1]))
    return plain if told == here else {}


def from_plain(plain: Any, *, now_s: float) -> Written | None:  # noqa: ANN401 - whatever was there
    """Return the child that an entry describes, or None if it describes none that could be ours.

    Args:
        plain: The entry.
        now_s: Monotonic time, from which a child's limits count anew.
    """
    if not isinstance(plain, dict) or not _is_sound(plain):
        return None
    identity = Identity(plain["pid"], plain["start_ticks"], boot_id(), pid_namespace())
    child = Child(
        name=plain["name"],
        role=Role(plain["role"]),
        release=plain.get("release", ""),
        deploy_id=plain.get("deploy", ""),
        started_s=now_s,
    )
    if child.role is Role.COMPANION and plain.get("ready") is True:
        child = child._replace(warm=True)
    child = _as_owner(child, plain, now_s)
    return Written(child, identity, tuple(plain.get("argv", ())), plain.get("attempts_left", 0))


def _as_owner(child: Child, plain: dict[str, Any], now_s: float) -> Child:
    """Return a child with what is written of its ownership.

    It may have run many cycles since that was written, so it gets a moment to say so.
    """
    if plain.get("owner") is not True or child.role is not Role.STANDBY:
        return child
    told_s = due_s(plain, now_s=now_s, boot_s=boot_ns() / NS, wall_s=0.0)
    if told_s is None:
        return child._replace(owner=True)
    return child._replace(owner=True, warm=True, overdue_s=max(told_s, now_s + ADOPTED_GRACE_S))


def is_adoptable(pid: int) -> bool:
    """Tell whether a process may be a child at all: neither init nor the launcher itself is."""
    return pid > _INIT and pid != os.getpid()


def _is_sound(plain: dict[str, Any]) -> bool:
    needed = ("name", "role", "pid", "start_ticks")
    return (
        all(name in plain for name in needed)
        and not wire.wrong_members(plain)
        and plain["role"] in {role.value for role in Role}
        and is_adoptable(plain["pid"])
        and plain["start_ticks"] > 0
    )
