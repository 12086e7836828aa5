"""Being the only launcher of this user that acts for an account, whatever the home.

Owns a lock file below the home directory that the account database gives, where nothing that
a shell sets can lead and nobody else can write; or in a directory that the installation names,
because containers share neither. The name that the release before this one binds is taken
too, as long as it runs: anybody can bind it, so only a holder of our own refuses. Standard
library only.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
import sys

from handoff.errors import AnotherInCharge, HandoffError
from handoff.launcher.locks import take_home, take_lock
from handoff.launcher.open_sockets import has_open
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

try:
    from _blake2 import blake2b  # the one in hashlib, without OpenSSL: a third of an interpreter
except ImportError:
    from hashlib import blake2b

FILE: Final = "account-file"  # what the locks are called where they are handed on
NAME: Final = "account"
BELOW_HOME: Final = ".local/state/foresight/accounts"
FIRST_NAMESPACE: Final = "pid:[4026531836]"  # PROC_PID_INIT_INO of linux/proc_ns.h
PROCESSES_MAX: Final = 100_000
_TAKEN: Final = "a launcher has this account already"


class AccountLockUnusable(HandoffError):
    """There is no safe place for the locks of accounts."""

    hint = (
        "name a directory of your own with [engine] accounts; "
        "containers that may act for one account share it as a volume"
    )


class Taken(NamedTuple):
    """The locks of an account that are held, and why that may not be enough."""

    locks: dict[str, int]
    doubt: str = ""


def accounts_directory(configured: str = "") -> str:
    """Return where the locks of accounts are, or an empty string where there is no such place.

    Args:
        configured: What the installation names, absolute, or an empty string.
    """
    if configured:
        return configured
    try:
        if os.readlink("/proc/self/ns/pid") != FIRST_NAMESPACE:  # noqa: PTH115 - no pathlib here
            return ""  # a container: another one has another home for the same account
    except OSError:
        if sys.platform == "linux":
            return ""
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
    return f"{home}/{BELOW_HOME}" if home.startswith("/") and home != "/" else ""


def require_directory(configured: str = "") -> str:
    """Return where the locks of accounts are; they can be written there.

    Raises:
        AccountLockUnusable: There is no such place, or it is not ours alone.
    """
    directory = accounts_directory(configured)
    if not directory:
        text = "no place for the lock of this account outlives this container"
        raise AccountLockUnusable(text)
    try:
        _make(directory)
    except OSError as error:
        text = f"{directory} cannot hold the lock of this account: {error.strerror}"
        raise AccountLockUnusable(text) from error
    return directory


def take_locks(
    home: Path, account: str, configured: str, inherited: dict[str, int]
) -> tuple[dict[str, int], str]:
    """Take what a launcher holds of its home and its account.

    Args:
        home: The state directory.
        account: As for `take_account`.
        configured: As for `accounts_directory`.
        inherited: What the image of this process before this one held; empty for a new launcher.

    Returns:
        The locks by their names, and why they may not keep another launcher out.

    Raises:
        AnotherInCharge: A living launcher has the home, or the account.
        AccountLockUnusable: As for `take_account`.
    """
    if not inherited:
        locks = {"home": take_home(home)}
        taken = take_account(account, configured)
        return {**locks, **taken.locks}, taken.doubt
    if not account or FILE in inherited:
        return inherited, ""
    try:  # in the place of an older launcher, which knew no file
        held = take_file(account, configured)
    except HandoffError as error:
        return inherited, str(error)  # what runs goes on; the next `up` refuses
    return (inherited, "") if held is None else ({**inherited, FILE: held}, "")


def take_account(account: str, configured: str = "") -> Taken:
    """Lock a named account for this user, whatever the home.

    Args:
        account: Its name; nothing is locked without one.
        configured: As for `accounts_directory`.

    Raises:
        AnotherInCharge: A living launcher has this account.
        AccountLockUnusable: The place for the lock is somebody else's.
    """
    if not account:
        return Taken({})
    locks: dict[str, int] = {}
    try:
        held = take_file(account, configured)
        doubts = [] if held is not None else ["no lock file can be written for this account"]
        locks |= {} if held is None else {FILE: held}
        name = _take_name(account)
    except HandoffError:
        for each in locks.values():
            os.close(each)
        raise
    if name is None:
        doubts.append("somebody else holds the name that an older release binds")
    return Taken(locks if name is None else {**locks, NAME: name}, "; ".join(doubts))


def take_file(account: str, configured: str = "") -> int | None:
    """Take the lock file of an account; None where there is no place for one.

    Raises:
        AnotherInCharge: A living launcher has it.
        AccountLockUnusable: The place is somebody else's.
    """
    directory = accounts_directory(configured)
    if not directory:
        return None
    try:
        _make(directory)
        return take_lock(LightPath(directory) / f"{digest_of(account)}.lock", _TAKEN)
    except OSError:
        return None  # read-only, or full: `up` has asked where it matters


def digest_of(account: str) -> str:
    """Return a name for an account that says nothing of it."""
    digest = blake2b(account.encode()).hexdigest()[:24]  # the account is nobody's to read
    return f"account-{digest}"


def _make(directory: str) -> None:
    LightPath(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    found = LightPath(directory).lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        text = f"{directory} is not a private directory of this user"
        raise AccountLockUnusable(text)
    if not os.access(directory, os.W_OK):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), directory)


def _take_name(account: str) -> int | None:
    """Bind the abstract socket of the release before this one; None if somebody squats it.

    Raises:
        AnotherInCharge: A process of ours holds it.
    """
    if sys.platform != "linux":
        return None
    name = f"foresight-{os.geteuid()}-{digest_of(account)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(f"\0{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if is_held_by_us(name):
                raise AnotherInCharge(_TAKEN) from error
            return None
        return holder.detach()


def is_held_by_us(name: str) -> bool:
    """Tell whether a process of this user has an abstract socket open."""
    inode = _inode_of(name)
    if not inode:
        return False
    processes = [each for each in os.listdir("/proc") if each.isdecimal()]  # noqa: PTH208 - as above
    return any(has_open(pid, frozenset({inode})) for pid in processes[:PROCESSES_MAX])


def _inode_of(name: str) -> str:
    rows = LightPath("/proc/net/unix").read_text(errors="replace").splitlines()
    return next((row.split()[6] for row in rows if row.endswith(f" @{name}")), "")
