"""Whose a directory is: who else could write to it, and so replace what lies below.

Owns that rule and nothing else: no file is looked at here. A refusal is for what somebody else
could use, never for what merely looks unusual. Root is nobody else.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT: Final = 0


class Found(NamedTuple):
    """What the file system says of a directory or a link.

    Attributes:
        path: Where it is.
        uid: Its owner.
        gid: Its group.
        mode: With the kind of file, as `st_mode` has it.
        named: Whether an access list names further accounts that may write.
    """

    path: str
    uid: int
    gid: int
    mode: int
    named: bool = False


class Group(NamedTuple):
    """A group as the account database has it.

    Attributes:
        gid: Its number.
        name: Its name; empty where the database does not know it.
        members: Numbers of all accounts in it, also of those whose first group it is.
    """

    gid: int
    name: str
    members: Collection[int] = ()

    def words(self) -> str:
        """Return it in words."""
        return f"group {self.name or self.gid}"


class Side(NamedTuple):
    """Who looks.

    Attributes:
        uid: Our account.
        gid: Our group.
        overflow: Stands for every owner that this user namespace does not know; None in a
            namespace that knows all.
        trusted: Group that the installation trusts, or None.
    """

    uid: int
    gid: int
    overflow: int | None = None
    trusted: int | None = None


class Fault(NamedTuple):
    """Why somebody else could replace a home, and the one thing to do."""

    path: str
    reason: str
    remedy: str


def fault_of_link(found: Found, side: Side) -> Fault | None:
    """Return what is wrong with a link on the way to a home: its owner decides where that is."""
    if _owned(found, side):
        return None
    reason = f"is a link that account {found.uid} may change"
    return Fault(found.path, reason, "name the place that it leads to as [engine] home")


def fault_of_ancestor(found: Found, group: Group, side: Side) -> Fault | None:
    """Return who else could replace what lies in a directory above a home."""
    if not _owned(found, side):
        reason = f"belongs to account {found.uid}, who could replace what lies in it"
        return Fault(found.path, reason, "choose an [engine] home below directories of your own")
    if found.mode & stat.S_ISVTX:
        return None  # everybody may make files there, and nobody may replace another's
    return _writable(found, group, side)


def fault_of_home(found: Found, group: Group, side: Side) -> Fault | None:
    """Return who else could write to a home itself; its modes are narrowed where nobody could."""
    if not _owned(found, side):
        reason = f"belongs to account {found.uid}"
        return Fault(found.path, reason, "run as the account that owns it, or choose another home")
    return _writable(found, group, side)


def fault_of_secret(found: Found, side: Side, *, may_be_read: bool) -> Fault | None:
    """Return who else could replace or read a file with a secret.

    Args:
        found: The file.
        side: Who looks.
        may_be_read: Whether it lies in a place made for secrets, which keeps others out itself.
    """
    if not stat.S_ISREG(found.mode):
        return Fault(found.path, "is no plain file", "name the file itself")
    if found.uid not in (ROOT, side.uid):
        reason = f"belongs to account {found.uid}"
        return Fault(
            found.path, reason, "it has to belong to the account that runs this, or to root"
        )
    if found.mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Fault(found.path, "can be changed by others", f"chmod 600 {found.path}")
    if found.mode & (stat.S_IRGRP | stat.S_IROTH) and not may_be_read:
        return Fault(found.path, "can be read by others", f"chmod 600 {found.path}")
    return None


def _owned(found: Found, side: Side) -> bool:
    if found.uid in (ROOT, side.uid):
        return True
    # Who that is cannot be told; nobody can be kept out by it where everybody is let in anyway.
    return found.uid == side.overflow and (
        not found.mode & stat.S_IWOTH or bool(found.mode & stat.S_ISVTX)
    )


def _writable(found: Found, group: Group, side: Side) -> Fault | None:
    if found.mode & stat.S_IWOTH:
        return Fault(found.path, "can be written by everybody", f"chmod o-w {found.path}")
    if not found.mode & stat.S_IWGRP:
        return None  # also an access list gives no more than the bits of the group
    if found.named:
        reason = "has an access list by which others can write"
        return Fault(found.path, reason, f"setfacl -b {found.path}")
    if found.gid == side.trusted or _is_ours_alone(group, side):
        return None
    reason = f"can be written by {group.words()}, in which others may be"
    remedy = f"chmod g-w {found.path}, or [engine] trusted_group = {found.gid} if you trust it"
    return Fault(found.path, reason, remedy)


def _is_ours_alone(group: Group, side: Side) -> bool:
    if group.name:
        return set(group.members) <= {ROOT, side.uid}
    # Without an account database an account's private group has the account's number.
    return group.gid == side.gid == side.uid
