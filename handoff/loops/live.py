"""Reads that ask the world: once per cycle, each recorded as it was answered.

Owns their bound in time and what a failure of one means: the world's own is recorded, any other
exception is a fault of the release.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handoff.loops.errors import LoopFaulty
from handoff.loops.facts import NULL, Read, json_of
from handoff.loops.functions import is_async
from handoff.loops.threads import THREADS_MAX
from handoff.outside import is_outside, said_by, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff.loops.functions import Call
    from handoff.loops.threads import Calls

AT_ONCE: Final = THREADS_MAX  # calls of one `read_all` under way


class CycleOver(BaseException):
    """Ends a plain loop whose cycle is over; no `except Exception` of a loop holds it up."""


class LiveReads:
    """The world as a cycle reads it.

    Args:
        calls: Runs plain functions.
        cycle: The cycle's number.
        outside: What the world's failures look like, beside `OSError` and `TimeoutError`.
        seconds: How long this cycle's reads may take together.

    Attributes:
        reads: What was recorded, in the order in which the loop asked.
    """

    def __init__(
        self, calls: Calls, *, cycle: int, outside: tuple[type[Exception], ...], seconds: float
    ) -> None:
        """Begin now; call it on the event loop."""
        self.reads: list[Read] = []
        self._calls = calls
        self._cycle = cycle
        self._outside = outside
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._deadline_s = self._loop.time() + seconds
        self._waited_for: set[Future[Any]] = set()
        self._over = False

    def close(self) -> None:
        """End what a plain loop still waits for: the cycle is over."""
        self._over = True
        for future in list(self._waited_for):
            future.cancel()

    async def answers(
        self,
        calls: Sequence[Call],
        *,
        has_default: bool,  # noqa: ARG002 - what did not answer is recorded all the same
    ) -> list[Read | None]:
        """Ask the world for each, side by side; record what it says."""
        places = asyncio.Semaphore(AT_ONCE)
        asked = (self._answer(call, places) for call in calls)
        found = await asyncio.gather(*asked, return_exceptions=True)
        reads = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            reads.append(each)
        self.reads += reads
        return list(reads)

    def answers_now(self, calls: Sequence[Call], *, has_default: bool) -> list[Read | None]:
        """Ask from a thread of our own."""
        if self._over:
            raise CycleOver
        asked = self.answers(calls, has_default=has_default)
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        self._waited_for.add(future)
        if self._over:  # it became so before this one could be seen
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            raise CycleOver from None
        finally:
            self._waited_for.discard(future)

    async def _answer(self, call: Call, places: asyncio.Semaphore) -> Read:
        limit = asyncio.timeout_at(self._deadline_s)
        name, arguments, alike = call.known_by
        read = partial(Read, name=name, arguments=arguments, alike=alike, value=NULL)
        try:
            async with limit, places:
                value = await self._called(call)
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                return read(error="TimeoutError", words=f"no answer within {self._seconds:.3g} s")
            if is_outside(error, self._outside):
                return read(error=type(error).__name__, words=said_by(error))
            raise LoopFaulty(_fault_words(call, error)) from error
        return read(value=json_of(value, f"what {name} returned"))

    async def _called(self, call: Call) -> object:
        if is_async(call.function):
            return await call.function(*call.arguments)
        inside = contextvars.copy_context()
        asked = partial(inside.run, call.function, *call.arguments)
        value = await self._calls.run(call.known_by, self._cycle, asked)
        # A plain function may give something to await: a lambda around a request does.
        return await value if inspect.isawaitable(value) else value


def _fault_words(call: Call, error: Exception) -> str:
    return (
        f"{call.name} raised {words_of(error)} (if that is how the outside world fails, "
        f"declare it: @loop(..., outside=({type(error).__qualname__},)))"
    )
