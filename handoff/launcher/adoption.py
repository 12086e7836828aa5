"""Whom a launcher adopts: who belongs to the home that it holds, and nobody else.

Owns that judgement. A copied home names the processes of the original, and a launcher that
adopted them would end them. So a worker has to hold this home's lock, and the rest has to be
written down under the very lock that this launcher holds. Standard library only.
"""

from __future__ import annotations

import os

from handoff.errors import HomeCopied
from handoff.launcher.record_at_rest import is_mirrored
from handoff.life_signs import FileId, look, open_file, open_lock, this_side
from handoff.light_typing import TYPE_CHECKING, Any
from handoff.liveness import HOME, Judgement, Side, Verdict, judge
from handoff.processes import Identity, start_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def owner_found(home: Path, owner: Mapping[str, Any]) -> tuple[Identity, Judgement]:
    """Return the owner that a record names, and what is known of it here.

    Raises:
        HomeCopied: It lives, and holds the lock of another home.
    """
    identity = Identity(
        owner["pid"], owner["start_ticks"], owner["boot_id"], owner["pid_namespace"]
    )
    here, inode = this_side(), int(owner.get("lock", 0))
    told = Side(identity.boot_id, identity.pid_namespace, owner.get("machine", ""))
    found = judge(told, inode, here, look(home, owner["worker"], identity, inode, here))
    if found.is_doubtful and is_mirrored(home):
        # Whoever is elsewhere is of another host: its lease says how long it owns.
        return identity, Judgement(Verdict.UNSEEN, found.reason)
    if found.verdict is Verdict.COPY:
        message = f"{os.fspath(home)} is a copy of {found.reason}, whose owner is alive"
        raise HomeCopied(message)
    return identity, found


def why_not(home: Path, pid: int, *, is_worker: bool, named: bool | None) -> str:
    """Return why a process that was written down is not this home's, or an empty string.

    Args:
        home: The state directory.
        pid: The process.
        is_worker: Whether it is a worker: one holds a lock, unless it is just starting.
        named: Whether it was written down under the lock that this launcher holds; None where
            the release before this one wrote, which names no lock.
    """
    holds = open_lock(home, pid) if is_worker else ""
    if holds == HOME or named is None:
        return ""
    if holds:
        return f"it holds the lock of {holds}"
    return "" if named else "it was written down under another lock than this home's"


def refuse_copy(home: Path, plain: Mapping[str, Any], held: FileId | None) -> None:
    """Refuse a home whose table of children was written by a launcher that runs another home.

    A copy names an owner that may have been replaced since, and whoever is dead proves a move. The
    launcher outlives its workers, and it holds the lock that the table names: not this home's.

    Args:
        home: The state directory.
        plain: The table.
        held: The lock that this launcher holds.

    Raises:
        HomeCopied: It lives, and holds that lock.
    """
    pid, ticks = plain.get("pid"), plain.get("start_ticks")
    if is_named(plain, held) is not False or not isinstance(pid, int) or pid == os.getpid():
        return
    if not isinstance(ticks, int) or start_ticks(pid) != ticks:
        return
    path = open_file(pid, FileId(plain.get("device", 0), plain["lock"]))
    if path:
        original = path.removesuffix("/run/launcher.lock")
        message = f"{os.fspath(home)} is a copy of {original}, whose launcher is alive"
        raise HomeCopied(message)


def is_named(plain: Mapping[str, Any], held: FileId | None) -> bool | None:
    """Tell whether a table of children was written under this lock; None if it names none."""
    if "lock" not in plain or held is None:
        return None
    return (plain.get("device"), plain["lock"]) == held
