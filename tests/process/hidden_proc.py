"""Asks who lives, as an ordinary account, with `/proc` mounted so that it hides others.

`python hidden_proc.py HIDEPID UID` mounts such a `/proc` for itself, becomes that account, and
answers each line of its input (an identity as a JSON list) by what it knows of that process.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

from handoff.processes import Identity, identity_of, proven_dead, start_ticks, watch

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
PRIVATE = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC


def hide(hidepid: int) -> None:
    """Mount a `/proc` of our own, which nobody else sees.

    Raises:
        OSError: This kernel does not, or we are not root.
    """
    calls = ctypes.CDLL(None, use_errno=True)
    done = [
        calls.unshare(NEW_MOUNTS),
        calls.mount(b"none", b"/", None, PRIVATE, None),
        calls.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=%d" % hidepid),
    ]
    if any(done):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def become(uid: int) -> None:
    """Give all rights of root up."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def known(identity: Identity) -> dict[str, bool]:
    """Return what this process knows of another one."""
    watched = watch(identity)
    if watched is not None:
        watched.close()
    return {
        "hidden": start_ticks(identity.pid) is None,
        "watched": watched is not None,
        "dead": proven_dead(identity),
    }


def main() -> None:
    """Answer until the input ends."""
    me = identity_of(os.getpid())
    assert me is not None
    known(me)  # loads what the interpreter loads late, from where that account may not look
    hide(int(sys.argv[1]))
    become(int(sys.argv[2]))
    assert Path("/proc/self/stat").exists(), "we see ourselves"
    for line in sys.stdin:
        sys.stdout.write(json.dumps(known(Identity(*json.loads(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
