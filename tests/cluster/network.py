"""A network of a test's own: a bridge, and a cable to each place on it that can be pulled.

All of it lives in a network namespace that whoever calls this has entered, with the right to set
it up: see `enter`. What is pulled loses both ways at once; `lose` loses one way alone, below TCP,
so that a request arrives and its answer does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from typing import Final

BRIDGE: Final = "br0"
HERE: Final = "10.77.0.1"  # of whoever set it up
_PREFIX: Final = "10.77.0."
# With processes of its own, too: whatever was started there ends with whoever started it.
_OUTER: Final = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount"),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)
INSIDE: Final = "CLUSTER_NETWORK"  # set where the namespace is entered
LIMIT_S: Final = 20.0
FORBIDDEN: Final = "user namespaces are not permitted"


@cache
def can_be() -> bool:
    """Tell whether this machine gives its users networks of their own."""
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return False
    probe = ["ip", "link", "add", BRIDGE, "type", "bridge"]
    done = subprocess.run([*_OUTER, *probe], check=False, capture_output=True)
    return done.returncode == 0


def enter(module: str, words: list[str]) -> None:
    """Run a module again in a network of its own, in place of this process; once there, return."""
    if INSIDE in os.environ:
        return
    command = [*_OUTER, sys.executable, "-m", module, *words]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "yes"})


def address(number: int) -> str:
    """Return the address of a place."""
    return f"{_PREFIX}{number}"


class Network:
    """The bridge; one a process."""

    def __init__(self) -> None:
        """Set it up."""
        assert INSIDE in os.environ, "nobody's network but our own is touched"
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{HERE}/24", "dev", BRIDGE)
        for name in ("lo", BRIDGE):
            _ip("link", "set", name, "up")

    def join(self, pid: int, number: int) -> None:
        """Lay a cable into the network namespace of a process, as the place of a number."""
        near, far = _cable(number), f"far{number}"
        subprocess.run(["ip", "link", "delete", near], check=False, capture_output=True)
        _ip("link", "add", near, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", str(pid))
        for words in (
            ("link", "set", "lo", "up"),
            ("link", "set", far, "name", "eth0"),
            ("address", "add", f"{address(number)}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
        ):
            _ip(*words, pid=pid)
        _ip("link", "set", near, "master", BRIDGE)
        _ip("link", "set", near, "up")

    def pull(self, number: int) -> None:
        """Pull the cable of a place."""
        _ip("link", "set", _cable(number), "down")

    def plug(self, number: int) -> None:
        """Plug it in again."""
        _ip("link", "set", _cable(number), "up")


def lose(pid: int, number: int) -> None:
    """Lose whatever a place, by a process there, sends to another; what comes back arrives."""
    _ip("route", "add", "blackhole", f"{address(number)}/32", pid=pid)


def find(pid: int, number: int) -> None:
    """Lose it no more."""
    _ip("route", "delete", "blackhole", f"{address(number)}/32", pid=pid)


def _cable(number: int) -> str:
    return f"near{number}"


def within(pid: int) -> tuple[str, ...]:
    """Return the words before a command that runs in the network of a process."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net", "--")


def _ip(*words: str, pid: int | None = None) -> None:
    """Run `ip`, perhaps in the network of a process."""
    before = within(pid) if pid is not None else ()
    done = subprocess.run(
        [*before, "ip", *words], check=False, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"
