"""Which file systems may carry state.

Owns the list of those that may not: where a lock does not exclude other hosts, or where
what was fsynced is gone after a restart. The kernel is asked for the magic number, since
names and mount points lie.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

from state.errors import HomeUnsuitable

OVERLAY_MAGIC: Final = 0x794C7630
# linux/magic.h and fs/smb/client/cifsfs.c
NETWORK_MAGICS: Final = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x01021997: "9P",
    0x5346414F: "AFS",
}
VOLATILE_MAGICS: Final = {0x01021994: "tmpfs", 0x858458F6: "ramfs"}
_STATFS_BYTES: Final = 256  # struct statfs has 120 bytes on 64-bit Linux; room to spare
_HINT: Final = "choose a home directory on a local disk (--home), or force it for a test"


def refuse_unsuitable(directory: Path) -> None:
    """Refuse a directory that cannot carry state.

    Raises:
        HomeUnsuitable: It is on a network or volatile file system.
    """
    if sys.platform != "linux":
        return  # the magic numbers are Linux's; elsewhere is for development only
    reason = why_unsuitable(file_system_magic(directory), overlay_options(directory))
    if reason:
        raise HomeUnsuitable(str(directory), reason, _HINT)


def why_unsuitable(magic: int, options: str) -> str:
    """Return why a file system cannot carry state, or an empty string.

    Args:
        magic: Its magic number.
        options: Its mount options where it is an overlay, comma-separated.
    """
    if magic in NETWORK_MAGICS:
        return f"is on {NETWORK_MAGICS[magic]}, where a lock may not exclude other hosts"
    if magic in VOLATILE_MAGICS:
        return f"is on {VOLATILE_MAGICS[magic]}, which a restart of the host empties"
    if magic == OVERLAY_MAGIC and "volatile" in options.split(","):
        return "is on a volatile overlay, which ignores fsync"
    return ""


def file_system_magic(directory: Path) -> int:
    """Return the magic number of the file system under a directory (statfs(2), Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if libc.statfs(os.fsencode(directory), answer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(directory))
    # f_type is the first member, as wide as a long; the numbers themselves have 32 bits.
    return int.from_bytes(answer.raw[:4], sys.byteorder)


def overlay_options(directory: Path) -> str:
    """Return the options of the overlay that a directory is on, or an empty string."""
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for row in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, rest = row.partition(" - ")
        kind, _, source_and_options = rest.partition(" ")
        if fields.split(" ")[2] == wanted and kind == "overlay":
            return source_and_options.rpartition(" ")[2]
    return ""
