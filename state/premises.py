"""The place where a home or a secret lies: that nobody else could replace it, or look in.

Owns the walk from the root directory to it, and the narrowing of modes in a home. What is found
on the way is judged by `access`. Nothing is changed through a link: modes are set on descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import struct
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from state.access import (
    ROOT,
    Fault,
    Found,
    Group,
    Side,
    fault_of_ancestor,
    fault_of_home,
    fault_of_link,
    fault_of_secret,
)
from state.atomic_file import DIRECTORY_MODE, FILE_MODE
from state.errors import HomeUnsuitable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LINKS_MAX: Final = 40  # as in the kernel
SECRET_BYTES_MAX: Final = 4096
NARROWED_MAX: Final = 100_000  # files of one home that are looked at in one start
# Made by others, read-only, and full of programs: they have modes of their own.
_NOT_LOOKED_INTO: Final = frozenset({"releases", "environments"})
_EVERY_ID: Final = ["0", "0", "4294967295"]
_ACCESS_LIST: Final = "system.posix_acl_access"
_NAMED_USER, _NAMED_GROUP, _MAY_WRITE = 2, 8, 2  # of linux/posix_acl_xattr.h
_OTHERS: Final = 0o077


def refuse_shared(home: Path, trusted_group: int | str = "") -> None:
    """Refuse a home that somebody else could replace; it need not be there yet.

    Args:
        home: The state directory, absolute.
        trusted_group: A group, by number or name, whose members are trusted; empty for none.

    Raises:
        HomeUnsuitable: Somebody else could; the hint is the one thing to do.
    """
    _refuse(fault_of(home, _this_side(trusted_group)))


def fault_of(home: Path, side: Side) -> Fault | None:
    """Return why somebody else could replace a home, or None."""
    *above, last = _on_the_way(home)
    for found in above:
        fault = _fault_above(found, side)
        if fault is not None:
            return fault
    if last.path != os.path.realpath(home):
        return _fault_above(last, side)  # it is yet to be made
    return fault_of_home(last, group_of(last.gid), side)


def read_secret(path: Path, places: Collection[str], trusted_group: int | str = "") -> bytes:
    """Return what a file with a secret holds, as far as such a file may reach.

    Args:
        path: The file, absolute.
        places: Directories made for secrets, in which others may be allowed to read.
        trusted_group: As for `refuse_shared`.

    Raises:
        HomeUnsuitable: Somebody else could read or replace it.
        OSError: It cannot be read.
    """
    refuse_open_secret(path, places, trusted_group)
    # Nobody else can change the way to it; a link that it has become since then is not followed.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(os.path.realpath(path), flags)
    try:
        opened = _as_found(str(path), os.fstat(descriptor))
        _refuse(_fault_of_secret(path, opened, places, _this_side(trusted_group)))
        return os.read(descriptor, SECRET_BYTES_MAX)
    finally:
        os.close(descriptor)


def refuse_open_secret(path: Path, places: Collection[str], trusted_group: int | str = "") -> None:
    """Refuse a file with a secret that others could read or replace; it is not read here.

    Raises:
        HomeUnsuitable: Somebody else could; the hint is the one thing to do.
        OSError: It is not there, or cannot be looked at.
    """
    side = _this_side(trusted_group)
    *above, last = _on_the_way(path)
    for found in above:
        _refuse(_fault_above(found, side))
    if last.path != os.path.realpath(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    _refuse(_fault_of_secret(path, last, places, side))


def _fault_of_secret(path: Path, found: Found, places: Collection[str], side: Side) -> Fault | None:
    is_kept = any(path.is_relative_to(place) for place in places)
    return fault_of_secret(found, side, may_be_read=is_kept)


def _refuse(fault: Fault | None) -> None:
    if fault is not None:
        raise HomeUnsuitable(fault.path, fault.reason, fault.remedy)


def _fault_above(found: Found, side: Side) -> Fault | None:
    if stat.S_ISLNK(found.mode):
        return fault_of_link(found, side)
    return fault_of_ancestor(found, group_of(found.gid), side)


def _on_the_way(home: Path) -> Iterator[Found]:
    """Yield every directory and link from the root to a home, as far as they are there."""
    parts, here, links = deque(home.absolute().parts[1:]), Path("/"), 0
    yield _found(here)
    while parts:
        part = parts.popleft()
        if part == "..":
            here = here.parent
            continue
        try:
            found = _found(here / part)
        except FileNotFoundError:
            return
        yield found
        if not stat.S_ISLNK(found.mode):
            here /= part
            continue
        links += 1
        if links > LINKS_MAX:
            reason, hint = "leads through links without an end", "choose another [engine] home"
            raise HomeUnsuitable(str(home), reason, hint)
        target = (here / part).readlink()
        here = Path("/") if target.is_absolute() else here
        parts.extendleft(reversed([each for each in target.parts if each != "/"]))


def _found(path: Path) -> Found:
    seen = path.lstat()
    named = bool(seen.st_mode & stat.S_IWGRP) and _names_others(path)
    return _as_found(str(path), seen)._replace(named=named)


def _as_found(path: str, seen: os.stat_result) -> Found:
    return Found(path, seen.st_uid, seen.st_gid, seen.st_mode)


def _names_others(path: Path) -> bool:
    """Tell whether an access list lets somebody write who is neither owner nor group."""
    try:
        text = os.getxattr(path, _ACCESS_LIST, follow_symlinks=False)
    except (OSError, AttributeError):
        return False  # there is none, or this system has none
    entries = struct.iter_unpack("<HHI", text[4:])
    kinds = (_NAMED_USER, _NAMED_GROUP)
    return any(tag in kinds and rights & _MAY_WRITE and who != ROOT for tag, rights, who in entries)


def group_of(gid: int) -> Group:
    """Return a group with all its members; without a name where the database has none."""
    try:
        entry = grp.getgrgid(gid)
    except KeyError:
        return Group(gid, "")
    numbers = {each.pw_uid for each in pwd.getpwall() if each.pw_gid == gid}
    for name in entry.gr_mem:
        with contextlib.suppress(KeyError):
            numbers.add(pwd.getpwnam(name).pw_uid)
    return Group(gid, entry.gr_name, frozenset(numbers))


def _this_side(trusted_group: int | str) -> Side:
    return Side(os.geteuid(), os.getegid(), _overflow_uid(), gid_of(trusted_group))


def gid_of(group: int | str) -> int | None:
    """Return the number of a group that a configuration names; None for none, or none known."""
    if isinstance(group, int) or group.isdecimal():
        return int(group)
    with contextlib.suppress(KeyError):
        return grp.getgrnam(group).gr_gid if group else None
    return None


def _overflow_uid() -> int | None:
    """Return who stands for owners that this user namespace does not know, if it is one."""
    try:
        knows = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
        stands_for = Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii")
    except OSError:
        return None
    return None if knows == _EVERY_ID else int(stands_for)


def narrow(home: Path) -> list[str]:
    """Take from what lies in a home what others may do with it; return what was changed.

    Links are left, and so is what is not ours or what programs of a release are.
    """
    changed: list[str] = []
    pending, seen = [home], 0
    while pending:
        directory = pending.pop()
        if _narrow_one(directory, DIRECTORY_MODE, os.O_DIRECTORY):
            changed.append(str(directory))
        for entry in _entries(directory):
            seen += 1
            if seen > NARROWED_MAX:
                return changed
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                pending += [] if directory == home and entry.name in _NOT_LOOKED_INTO else [path]
            elif entry.is_file(follow_symlinks=False) and _narrow_one(path, FILE_MODE, 0):
                changed.append(entry.path)
    return changed


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as scan:
            return list(scan)
    except OSError:
        return []  # it went meanwhile


def _narrow_one(path: Path, mode: int, flags: int) -> bool:
    with contextlib.suppress(OSError):
        if not stat.S_IMODE(path.lstat().st_mode) & _OTHERS:
            return False
        # Not to be fooled by a link that is put there meanwhile, nor to wait for a pipe's writer.
        flags |= os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                return False
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
        return True
    return False
