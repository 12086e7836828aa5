"""Plain functions called beside the event loop, in a few daemon threads.

Owns these threads and who is still running in one. A thread cannot be cancelled: what overran
goes on, keeps its thread and is not called again until it returned. Daemon threads, so that a
worker that leaves does not wait for them.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

THREADS_MAX: Final = 16
_Job = tuple["Future[Any]", "Callable[[], Any]"]


class DaemonThreads(Executor):
    """At most so many threads, each begun when it is first needed."""

    def __init__(self, at_most: int = THREADS_MAX) -> None:
        """Begin nothing yet."""
        self._at_most = at_most
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unended = 0  # jobs that were submitted and have not ended
        self._lock = threading.Lock()

    @override
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in one of the threads, as soon as one is free."""
        future: Future[T] = Future()
        with self._lock:
            self._unended += 1
            if len(self._threads) < min(self._unended, self._at_most):
                thread = threading.Thread(target=self._serve, name="loop-read", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def _serve(self) -> None:
        while True:
            future, call = self._jobs.get()
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                    future.set_exception(error)
                else:
                    future.set_result(result)
            with self._lock:
                self._unended -= 1
            del future, call  # an idle thread holds nothing of the last call


class Calls:
    """Calls of plain functions, each known by something, at most one of a kind at a time."""

    def __init__(self, at_most: int = THREADS_MAX) -> None:
        """Nothing runs yet."""
        self._at_most = at_most
        self._threads = DaemonThreads(at_most)
        self._running: dict[Hashable, int] = {}  # to the cycle in which it began
        self._lock = threading.Lock()

    async def run(self, known_by: Hashable, cycle: int, call: Callable[[], T]) -> T:
        """Call a function in a thread and return what it returns.

        Args:
            known_by: What tells it from other calls.
            cycle: The cycle that asks.
            call: The function.

        Raises:
            TimeoutError: The same one still runs, or every thread is held by older ones.
        """
        self._refuse(known_by, cycle)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, partial(self._called, known_by, cycle, call)
        )

    def _refuse(self, known_by: Hashable, cycle: int) -> None:
        with self._lock:
            since = self._running.get(known_by)
            older = sum(1 for number in self._running.values() if number < cycle)
        if since is not None:
            message = f"still running since cycle {since}"
            raise TimeoutError(message)
        if older >= self._at_most:
            message = f"all {self._at_most} threads are still busy with reads of earlier cycles"
            raise TimeoutError(message)

    def _called(self, known_by: Hashable, cycle: int, call: Callable[[], T]) -> T:
        with self._lock:
            self._running[known_by] = cycle
        try:
            return call()
        finally:
            with self._lock:
                del self._running[known_by]
