"""Run a program under the filter of a systemd unit, without systemd running.

`under_unit_filter.py UNIT PROGRAM ARGUMENT…` reads the unit's lines, lets `systemd-analyze` say
what its groups hold, loads the filter and replaces itself by the program; the filter stays.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

LIBRARY: Final = "libseccomp.so.2"
ALLOWED: Final = 0x7FFF0000  # SCMP_ACT_ALLOW
ANSWERED: Final = 0x00050000  # SCMP_ACT_ERRNO, with the number in its lower half
UNKNOWN: Final = -1  # of a call that this kernel's library has no number for


@functools.cache
def members(group: str) -> frozenset[str]:
    """Return the calls of one of systemd's groups, groups within it unfolded."""
    command = ["systemd-analyze", "syscall-filter", group]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    words = [line.strip() for line in done.stdout.splitlines() if line.startswith(" ")]
    return frozenset[str]().union(*(unfolded(word) for word in words if not word.startswith("#")))


def unfolded(word: str) -> frozenset[str]:
    return members(word) if word.startswith("@") else frozenset({word})


def allowed_calls(unit: str) -> frozenset[str]:
    """Return what the unit's lines allow, read one after another as systemd does."""
    allowed: frozenset[str] = frozenset()
    for line in unit.splitlines():
        name, _, value = line.partition("=")
        if name == "SystemCallFilter":
            calls = frozenset[str]().union(*map(unfolded, value.removeprefix("~").split()))
            allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed | members("@default")


def load(unit: str) -> None:
    """Let the kernel answer from here on as it does in the unit."""
    assert "SystemCallErrorNumber=EPERM" in unit.splitlines(), "a refused call would kill"
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    # What systemd has never heard of is missing, so that libraries use what was there before.
    context = ctypes.c_void_p(library.seccomp_init(ANSWERED | errno.ENOSYS))
    allowed = allowed_calls(unit)
    for call in sorted(members("@known") | allowed):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number == UNKNOWN:
            continue
        action = ALLOWED if call in allowed else ANSWERED | errno.EPERM
        # A call that this architecture does not have cannot be ruled on exactly, and need not.
        library.seccomp_rule_add(context, action, number, 0)
    if library.seccomp_load(context) != 0:
        raise OSError(ctypes.get_errno(), "no filter can be set")


if __name__ == "__main__":
    load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted
