"""What a loop sees: the cycle with its reads, its acts, its moment and its chance.

Owns the two faces of it, for a loop that is a coroutine and for one that is a plain function. All
that they do is to ask the turn and the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from handoff.errors import WorkloadFaulty
from handoff.loops.turn import NOTHING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime
    from random import Random

    from handoff.loops.facts import Done, Read
    from handoff.loops.functions import Call
    from handoff.loops.turn import Source, Turn
    from state.record import Delivery

T = TypeVar("T")
D = TypeVar("D")


class _AnyCycle:
    """What both faces have.

    Attributes:
        number: The cycle's number; it rises by one each period.
        now: Its first moment, UTC: stands in for a clock.
        random: Draws the same each time this cycle is decided: stands in for chance.
        paused: The operator wants nothing new to be begun.
        done: How the acts came out of which it was known before this cycle began. What is done in
            a cycle is known when that cycle is settled and seen by the second cycle after it.
        forgotten: How many outcomes are missing before those of `done`: more than are kept came
            while no cycle ran to its end.
    """

    number: int
    now: datetime
    random: Random
    paused: bool
    done: tuple[Done, ...]
    forgotten: int

    def __init__(self, turn: Turn, source: Source) -> None:
        self.number, self.now, self.random = turn.number, turn.now, turn.random
        self.paused, self.done, self.forgotten = turn.paused, turn.done, turn.forgotten
        self._turn = turn
        self._source = source

    def due(self, at: str, zone: str = "UTC") -> bool:
        """Tell whether a time of day has come since it was last due: true once a day.

        It was not due yet in a loop that asks for the first time later on that day. What came
        while nothing ran is due once afterwards. Within one cycle each asking has one answer.

        Args:
            at: "09:00" or "09:00:30".
            zone: IANA name, e.g. "Europe/Berlin".
        """
        return self._turn.is_due(at, zone)

    def do(
        self,
        act: Callable[..., Any],
        payload: object = NOTHING,
        *,
        key: str = "",
        delivery: Delivery | str | None = None,
    ) -> None:
        """Have something done once this cycle is committed, in the order of the loop.

        Args:
            act: One of the loop's `acts`.
            payload: What it is called with, anything that JSON has a word for; left out where it
                takes nothing.
            key: Its id, unique for ever; by default made of the cycle, the act and its place.
            delivery: "at_least_once" or "at_most_once"; by default what the loop declared.
        """
        self._turn.do(act, payload, key=key, delivery=delivery)

    def _calls(
        self, function: Callable[..., Any], arguments: tuple[Iterable[Any], ...]
    ) -> list[Call]:
        try:
            rows = list(zip(*arguments, strict=True))
        except (TypeError, ValueError) as error:
            message = f"cycle.read_all takes a function and lists of one length: {error}"
            raise self._turn.broken(message) from error
        return [self._turn.call(function, row) for row in rows]

    def _values(self, calls: list[Call], reads: list[Read | None], default: object) -> list[Any]:
        pairs = zip(calls, reads, strict=True)
        return [self._turn.value(call, read, default) for call, read in pairs]


class LoopCycle(_AnyCycle):
    """One cycle, as a loop sees it that is a coroutine."""

    @overload
    async def read(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T: ...
    @overload
    async def read(self, function: Callable[..., T], *arguments: object) -> T: ...
    @overload
    async def read(
        self, function: Callable[..., Awaitable[T]], *arguments: object, default: D
    ) -> T | D: ...
    @overload
    async def read(self, function: Callable[..., T], *arguments: object, default: D) -> T | D: ...
    async def read(
        self, function: Callable[..., Any], *arguments: object, default: object = NOTHING
    ) -> Any:
        """Call a function once in this cycle, record what it returns, and return that.

        Args:
            function: Reads something outside; a plain one is called in a thread.
            arguments: For it.
            default: What is returned where the outside world does not answer.

        Raises:
            ReadFailed: It does not answer, and there is no default.
        """
        calls = [self._turn.call(function, arguments)]
        found = await self._asked(calls, default)
        return self._values(calls, found, default)[0]

    async def read_all(
        self, function: Callable[..., Any], *arguments: Iterable[Any], default: object = NOTHING
    ) -> list[Any]:
        """Call a function side by side for each row of arguments, as `map` pairs them.

        Args:
            function: Reads something outside; sixteen calls are under way at once.
            arguments: Lists of one length: the first argument of each call, the second, and so on.
            default: What stands in the place of an answer that did not come.

        Returns:
            The answers in the order of the arguments.

        Raises:
            ReadFailed: One does not answer, and there is no default; the first in order.
        """
        calls = self._calls(function, arguments)
        return self._values(calls, await self._asked(calls, default), default)

    async def _asked(self, calls: list[Call], default: object) -> list[Read | None]:
        try:
            return await self._source.answers(calls, has_default=default is not NOTHING)
        except WorkloadFaulty as fault:
            self._turn.fault = self._turn.fault or fault
            raise


class PlainLoopCycle(_AnyCycle):
    """One cycle, as a loop sees it that is a plain function; as `LoopCycle`, without `await`."""

    @overload
    def read(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T: ...
    @overload
    def read(self, function: Callable[..., T], *arguments: object) -> T: ...
    @overload
    def read(
        self, function: Callable[..., Awaitable[T]], *arguments: object, default: D
    ) -> T | D: ...
    @overload
    def read(self, function: Callable[..., T], *arguments: object, default: D) -> T | D: ...
    def read(
        self, function: Callable[..., Any], *arguments: object, default: object = NOTHING
    ) -> Any:
        """See `LoopCycle.read`."""
        calls = [self._turn.call(function, arguments)]
        return self._values(calls, self._asked(calls, default), default)[0]

    def read_all(
        self, function: Callable[..., Any], *arguments: Iterable[Any], default: object = NOTHING
    ) -> list[Any]:
        """See `LoopCycle.read_all`."""
        calls = self._calls(function, arguments)
        return self._values(calls, self._asked(calls, default), default)

    def _asked(self, calls: list[Call], default: object) -> list[Read | None]:
        try:
            return self._source.answers_now(calls, has_default=default is not NOTHING)
        except WorkloadFaulty as fault:
            self._turn.fault = self._turn.fault or fault
            raise
