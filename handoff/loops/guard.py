"""Running a loop's function from its record alone, with an eye on what it touches.

Owns the drive without an event loop, and the audit hook that makes a fault of what a decision
must not do. It is a help and no proof: a connection that is open already is not seen.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
from asyncio import _get_running_loop, _set_running_loop
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from handoff.loops.errors import RULE_AWAIT, RULE_TOUCH, LoopFaulty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_WATCHED: Final = {
    "open": "opens a file for writing",
    "os.exec": "starts a process",
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "os.rmdir": "removes a directory",
    "os.system": "starts a process",
    "pty.spawn": "starts a process",
    "socket.connect": "connects",
    "socket.getaddrinfo": "looks up an address",
    "sqlite3.connect": "opens a database",
    "subprocess.Popen": "starts a process",
}
_CACHE: Final = "__pycache__"  # an import writes there
_NO_LOOP: Final = "no running event loop"

_deciding = threading.local()
_installing = threading.Lock()
_installed: list[bool] = []


class _Watched:
    """The run under way in this thread, and the first fault in it."""

    fault: LoopFaulty | None = None


def install_hook() -> None:
    """Add the audit hook to this process, once; it speaks only in a thread that decides."""
    with _installing:
        if not _installed:
            _installed.append(True)
            sys.addaudithook(_look)


def drive(function: Callable[[Any, Any], Any], cycle: object, state: object) -> object:
    """Run a loop's function without an event loop and return what it returns.

    Raises:
        LoopFaulty: It awaited something else than its cycle, or touched the world.
        Exception: Whatever the function raises.
    """
    with _alone() as watched:
        try:
            result = function(cycle, state)
            return _driven(result) if inspect.iscoroutine(result) else result
        except RuntimeError as error:
            if _NO_LOOP not in str(error):
                raise
            raise LoopFaulty(RULE_AWAIT) from error
        finally:
            # A loop that catches every exception does not get away with it.
            if watched.fault is not None:
                raise watched.fault


def _driven(coroutine: Any) -> object:  # noqa: ANN401 - a coroutine of whatever kind
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    with suppress(RuntimeError):  # it may await again while it is closed
        coroutine.close()
    raise LoopFaulty(RULE_AWAIT)


@contextmanager
def _alone() -> Iterator[_Watched]:
    watched = _Watched()
    running = _get_running_loop()
    _set_running_loop(None)
    _deciding.run = watched
    try:
        yield watched
    finally:
        _deciding.run = None
        _set_running_loop(running)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _WATCHED:
        return
    watched = getattr(_deciding, "run", None)
    if watched is None or _is_allowed(event, arguments):
        return
    subject = f" ({arguments[0]!r})" if event == "open" else ""
    fault = LoopFaulty(f"deciding, the loop {_WATCHED[event]}{subject}: {RULE_TOUCH}")
    watched.fault = watched.fault or fault
    raise fault


def _is_allowed(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        path, _mode, flags = arguments[:3]
        # A descriptor was opened before, and seen then.
        return not flags & _WRITES or isinstance(path, int) or _CACHE in str(path)
    if event in {"os.rename", "os.remove"}:
        return _CACHE in str(arguments[0])
    return False
