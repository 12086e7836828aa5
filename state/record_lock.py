"""The lock that makes one change of the record follow another.

Owns one descriptor and the kernel's lock on it. The lock says nothing about who owns the
record: that stands in the record. The file is never deleted. No program that is started inherits
the descriptor, and a process that is forked closes its own: it may outlive one that died while it
held the lock, which would then be held until it ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from filelock import lock_descriptor, unlock_descriptor

from state.atomic_file import FILE_MODE
from state.errors import HomeUnsuitable, LockTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAUSE_FIRST_NS: Final = 200_000  # a holder needs a few fsyncs, so waiting starts short
PAUSE_GROWTH: Final = 1.5
PAUSE_MAX_NS: Final = 5_000_000  # far below any cadence's margin, and little work for the waiter
REOPENS_MAX: Final = 5  # a lock file replaced more often is being fought over
CLOSED: Final = -1  # in the place of a descriptor
LOST: Final = -2  # likewise: it was of no more use; the next holder opens anew
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class RecordLock:
    """An exclusive lock between processes, and between the threads of this one.

    Args:
        path: The lock file; created if it is not there.
        timeout_ns: The longest wait for it, nanoseconds of the monotonic clock.
    """

    def __init__(self, path: Path, *, timeout_ns: int) -> None:
        """Open the lock file.

        Raises:
            HomeUnsuitable: It cannot be opened for writing.
        """
        self._path = path
        self._timeout_ns = timeout_ns
        # The kernel's lock belongs to the descriptor: two threads would both hold it.
        self._threads = threading.Lock()
        self._descriptor = self._open()
        _OPEN.add(self)

    @contextlib.contextmanager
    def held(self, *, timeout_ns: int | None = None) -> Iterator[None]:
        """Hold the lock for the length of a `with` block.

        Args:
            timeout_ns: The longest wait for it, where that is not the lock's own.

        Raises:
            LockTimeout: It was not free within the bound.
            OSError: It could not be asked for; never raised once it was held.
        """
        timeout_ns = self._timeout_ns if timeout_ns is None else timeout_ns
        deadline_ns = time.monotonic_ns() + timeout_ns
        if not self._threads.acquire(timeout=timeout_ns / 1e9):
            raise self._timed_out()
        try:
            try:
                self._wait_acquired(deadline_ns)
                yield
            finally:
                self._unlock()
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close the descriptor, and with it give up a lock that is held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = CLOSED

    def forget(self) -> None:
        """Close the descriptor in a forked process, where the lock is not this one's to give up.

        Closing is all: the lock belongs to what both processes have open, and unlocking here
        would take it from the one that holds it.
        """
        descriptor, self._descriptor = self._descriptor, CLOSED
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # another thread was just closing it
                os.close(descriptor)

    def _wait_acquired(self, deadline_ns: int) -> None:
        if self._descriptor == LOST:
            self._descriptor = self._open()
        for _ in range(REOPENS_MAX):
            self._wait_locked(deadline_ns)
            if self._is_current():
                return
            self._lose()  # somebody put another file there: a lock on ours excludes nobody
            self._descriptor = self._open()
        raise self._timed_out()

    def _unlock(self) -> None:
        if self._descriptor < 0:
            return
        try:
            unlock_descriptor(self._descriptor)
        except OSError:
            self._lose()  # what was done under the lock is done; closing gives it up too

    def _lose(self) -> None:
        descriptor, self._descriptor = self._descriptor, LOST
        os.close(descriptor)

    def _wait_locked(self, deadline_ns: int) -> None:
        assert self._descriptor != CLOSED, "the store is closed"
        pause_ns = PAUSE_FIRST_NS
        while not lock_descriptor(self._descriptor, blocking=False):
            remaining_ns = deadline_ns - time.monotonic_ns()
            if remaining_ns <= 0:
                raise self._timed_out()
            # A blocking lock has no bound, and an alarm would need a signal.
            time.sleep(min(pause_ns, remaining_ns) / 1e9)  # noqa: TID251 - bounded wait for a lock
            pause_ns = min(int(pause_ns * PAUSE_GROWTH), PAUSE_MAX_NS)

    def _is_current(self) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(self._descriptor)
        return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)

    def _open(self) -> int:
        try:
            return os.open(self._path, _FLAGS, FILE_MODE)
        except OSError as error:
            reason = f"cannot be opened for writing: {error.strerror}"
            hint = "check who owns the home directory and whether its disk is read-only"
            raise HomeUnsuitable(str(self._path), reason, hint) from error

    def _timed_out(self) -> LockTimeout:
        return LockTimeout(f"{self._path} was not free within {self._timeout_ns / 1e6:.0f} ms")


def _forget_all() -> None:
    for lock in list(_OPEN):
        lock.forget()


_OPEN: Final[weakref.WeakSet[RecordLock]] = weakref.WeakSet()
os.register_at_fork(after_in_child=_forget_all)
