"""The launcher replaces itself: same pid, new code, nobody notices.

Owns the trial run of the new code, what crosses the exec and how the new image finds it.
Locks and listening sockets cross as descriptors, the table of children as `run/launcher.json`;
children stay children because the pid stays. Signals are blocked from before the trial run until
the new image has its handlers: one that arrives in between waits. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from handoff.errors import HandoffError
from handoff.launcher.children import child_environment
from handoff.launcher.engine_config import read_engine_config
from handoff.launcher.written_down import read_written
from handoff.light_typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from handoff.logs import last_words, open_log
from handoff.processes import KILL, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INHERITED: Final = "FORESIGHT_LAUNCHER_INHERITED"
INHERITED_FORMAT: Final = 1
LEAVES: Final = "FORESIGHT_LAUNCHER_LEAVES"  # tells a trial run in which format it would inherit
PREFLIGHT_S_MAX: Final = 10.0
PREFLIGHT: Final = "--preflight"
LOG_BYTES_MAX: Final = 4096  # of a trial run: it says why, or nothing
BLOCKED: Final = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD}
)


class LeftByNewer(HandoffError):
    """The running launcher is too new to become this one."""

    hint = "stop it and start this one: its workers live on and are adopted"


class Inheritance(NamedTuple):
    """What an image of the launcher leaves to the next one.

    Attributes:
        locks: Descriptors that hold locks, by name.
        listening: Listening sockets, by companion.
    """

    locks: dict[str, int]
    listening: dict[str, socket.socket]


def inherit() -> Inheritance:
    """Return what the image before this one left, or whoever started this one bound for it."""
    text = os.environ.pop(INHERITED, "")
    if not text:
        return Inheritance({}, {})
    plain: dict[str, Any] = json.loads(text)
    for descriptor in (*plain["locks"].values(), *plain["listening"].values()):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - taken by position only
    listening = {name: socket.socket(fileno=each) for name, each in plain["listening"].items()}
    return Inheritance(dict(plain["locks"]), listening)


def try_out(home: Path) -> int:
    """Tell by the exit status whether this code could take over this home right now.

    Raises:
        HandoffError: It cannot read what it would find.
    """
    require_readable()
    read_engine_config(home)
    read_written(home)
    return 0


def require_readable() -> None:
    """In a trial run, refuse to take over from a launcher whose words are too new.

    Raises:
        LeftByNewer: It would leave what this code cannot read.
    """
    leaves = int(os.environ.get(LEAVES, INHERITED_FORMAT))
    if leaves > INHERITED_FORMAT:
        message = f"the running launcher leaves format {leaves}, this one reads {INHERITED_FORMAT}"
        raise LeftByNewer(message)


def preflight(home: Path) -> str:
    """Try the new code on this home; return why it cannot take over, or an empty string."""
    log = open_log(home / "logs" / "preflight.log", os.O_RDWR | os.O_TRUNC)
    try:
        argv = [sys.executable, *sys.orig_argv[1:], PREFLIGHT]
        environment = child_environment([(LEAVES, str(INHERITED_FORMAT))])
        watched = spawn(argv, environment=environment, output=log)
        if not watched.wait(PREFLIGHT_S_MAX):
            watched.send(KILL)
            watched.wait(PREFLIGHT_S_MAX)
        how = watched.reap()
        watched.close()
        if how is not None and (how.status, how.signal) == (0, 0):
            return ""
        words = last_words(os.pread(log, LOG_BYTES_MAX, 0))
        return f"{how.words() if how is not None else 'it vanished'}: {words}"
    finally:
        os.close(log)


def replace_image(locks: Mapping[str, int], listening: Mapping[str, socket.socket]) -> NoReturn:
    """Exec this program again, with signals on hold; returns only by an exception.

    Raises:
        OSError: The interpreter is gone; nothing has changed.
    """
    environment = os.environ | left_to(locks, listening)
    descriptors = [*locks.values(), *(each.fileno() for each in listening.values())]
    try:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - taken by position only
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - no shell is wanted
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - taken by position only


def left_to(locks: Mapping[str, int], listening: Mapping[str, socket.socket]) -> dict[str, str]:
    """Return the variable that tells a launcher which descriptors it finds open.

    Args:
        locks: Descriptors that hold locks; none where it is not the one before it that leaves.
        listening: Listening sockets, by companion.
    """
    listeners = {name: each.fileno() for name, each in listening.items()}
    left = {"format": INHERITED_FORMAT, "locks": dict(locks), "listening": listeners}
    return {INHERITED: json.dumps(left)}


def hold_signals() -> None:
    """Block the signals of a launcher: from here on they wait, also across an exec."""
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)


def let_signals_in() -> None:
    """Unblock the signals that were on hold; handlers are in place."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
