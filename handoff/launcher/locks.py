"""Being the only launcher: of a home directory, and of an account.

Owns the two locks. A lock is held by a descriptor for as long as the process lives, also
across an exec of itself; a file of one is never deleted and says nothing. Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import sys

from handoff.errors import AnotherInCharge, HandoffError
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final

try:
    from _blake2 import blake2b  # the one in hashlib, without OpenSSL: a third of an interpreter
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from pathlib import Path

LOCK: Final = "launcher.lock"


class AccountLockUnusable(HandoffError):
    """The directory for the locks of accounts belongs to somebody else."""

    hint = "set XDG_RUNTIME_DIR to a directory of your own, mode 0700"


def take_home(home: Path) -> int:
    """Lock a home directory; return the descriptor that holds the lock.

    Raises:
        AnotherInCharge: A living launcher has it.
    """
    return take_lock(home / "run" / LOCK, f"a launcher holds {home}")


def take_account(account: str) -> int | None:
    """Lock a named account for this user on this host, whatever the home; None without a name.

    Raises:
        AnotherInCharge: A living launcher has this account.
        AccountLockUnusable: There is no safe place for the lock.
    """
    if not account:
        return None
    digest = blake2b(account.encode()).hexdigest()[:24]  # the account is nobody's to read
    name, taken = f"account-{digest}", "a launcher has this account already"
    if sys.platform == "linux":
        return _take_name(f"foresight-{os.geteuid()}-{name}", taken)
    return take_lock(_account_directory() / f"{name}.lock", taken)


def _take_name(name: str, taken: str) -> int:
    """Bind an abstract socket: no file that a cleaner removes, no directory that may differ."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(f"\0{name}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AnotherInCharge(taken) from error
            raise
        return holder.detach()


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


def _account_directory() -> LightPath:
    """Return a directory that is the same for every home of this user, and private (macOS)."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # Without it, a directory of ours among everybody's: checked, because others can make one.
    directory = LightPath(runtime) if runtime else LightPath("/tmp") / f"foresight-{os.geteuid()}"  # noqa: S108 - checked below
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        text = f"{directory} is not a private directory of this user"
        raise AccountLockUnusable(text)
    return directory
