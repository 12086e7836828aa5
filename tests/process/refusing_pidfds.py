"""Run a program under a filter that refuses pidfds, as containers and old kernels do.

`refusing_pidfds.py PROGRAM ARGUMENT…` replaces itself by the program; the filter stays.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
PIDFD_OPEN = 434  # the same number on each architecture
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_pidfds() -> None:
    """Let `pidfd_open` be answered with EPERM from here on."""
    steps = ((LOAD, 0, 0, 0), (EQUAL, 0, 1, PIDFD_OPEN), (RETURN, 0, 0, REFUSED))
    code = b"".join(struct.pack("HBBI", *step) for step in (*steps, (RETURN, 0, 0, ALLOWED)))
    program = Program(len(code) // 8, code)
    library = ctypes.CDLL(None, use_errno=True)
    for words in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if library.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "no filter can be set")


if __name__ == "__main__":
    refuse_pidfds()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted
