"""One run of a loop's function: what it is told, and what it asked for and wanted.

Owns the facts of the run and its bookkeeping, the same when a cycle is observed and when it is
decided. Where answers come from is a `Source`'s matter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from handoff.loops.daily import TIMES_MAX, due
from handoff.loops.errors import LoopFaulty, ReadFailed
from handoff.loops.facts import json_of
from handoff.loops.functions import (
    Call,
    digest_of_arguments,
    name_of,
    payload_decoder_of,
    value_of,
)
from handoff.workload import effect
from state.record import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handoff.errors import WorkloadFaulty
    from handoff.loops.facts import Done, Envelope, Read
    from handoff.workload import Cycle
    from state.record import Effect

READS_MAX: Final = 4096  # of one cycle: a loop that reads without end is a mistake
LANE: Final = "loop"  # acts happen in the order of the loop
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING: Final = object()  # no default, no payload


class Source(Protocol):
    """Where the answers to reads come from."""

    async def answers(self, calls: Sequence[Call], *, has_default: bool) -> list[Read | None]:
        """Return the answer to each call; None where there is none and the default serves.

        Raises:
            WorkloadFaulty: A call is a fault, or this cycle is not comparable.
        """
        ...

    def answers_now(self, calls: Sequence[Call], *, has_default: bool) -> list[Read | None]:
        """Return the same to a loop that is no coroutine."""
        ...


class Act(NamedTuple):
    """Something that a loop may do.

    Attributes:
        name: By which it is known in the record.
        function: Does it.
        takes_payload: Whether it is called with one.
    """

    name: str
    function: Callable[..., Any]
    takes_payload: bool


class Turn:
    """One run of the function.

    Args:
        cycle: As the engine tells it.
        envelope: The body before the cycle.
        acts: What the loop declared, by name.
        period: Length of a cycle.
        delivery: What an unknown outcome of an act allows, unless the loop says otherwise.
        paused: Whether the loop is told that it is paused.
        asked: Told of each read.

    Attributes:
        effects: What it wanted done, in order.
        due: For each time of day asked for, the newest date on which it came.
        fault: The first rule that it broke; raised at the end, even if the loop caught it.
    """

    def __init__(
        self,
        cycle: Cycle,
        envelope: Envelope[Any],
        *,
        acts: Mapping[str, Act],
        period: timedelta,
        delivery: Delivery,
        paused: bool,
        asked: Callable[[Call], None] | None = None,
    ) -> None:
        """Begin with nothing asked and nothing wanted."""
        self.number = cycle.number
        self.now = _EPOCH + timedelta(microseconds=cycle.now_ns // 1000)
        self.random = Random(cycle.seed)  # noqa: S311 - it is to come out alike twice
        self.paused = paused
        self.done: tuple[Done, ...] = tuple(envelope.done)
        self.forgotten = envelope.forgotten
        self.effects: list[Effect] = []
        self.due = dict(envelope.due)
        self.fault: WorkloadFaulty | None = None
        self._were_due = dict(envelope.due)
        self._acts = acts
        self._period = period
        self._delivery = delivery
        self._tell = asked
        self._asked = 0
        self._alike: dict[tuple[str, str], int] = {}
        self._done_alike: dict[str, int] = {}

    def broken(self, words: str) -> LoopFaulty:
        """Note that a rule was broken; return what to raise."""
        found = LoopFaulty(words)
        self.fault = self.fault or found
        return found

    def call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Call:
        """Return a read with what tells it from the others of this cycle.

        Raises:
            LoopFaulty: It is no function, or there are too many.
        """
        if not callable(function):
            message = (
                f"cycle.read was given {function!r}: give it the function, not what it returns, "
                "and its arguments after it"
            )
            raise self.broken(message)
        self._asked += 1
        if self._asked > READS_MAX:
            message = f"more than {READS_MAX} reads in one cycle"
            raise self.broken(message)
        name = name_of(function)
        digest = digest_of_arguments(function, arguments) or f"@{self._asked}"
        alike = self._alike.get((name, digest), 0)
        self._alike[name, digest] = alike + 1
        call = Call(function=function, arguments=tuple(arguments), known_by=(name, digest, alike))
        if self._tell is not None:
            self._tell(call)
        return call

    def value(self, call: Call, read: Read | None, default: object) -> Any:  # noqa: ANN401 - what it returned
        """Return what the loop sees of an answer.

        Raises:
            ReadFailed: The world did not answer, and there is no default.
            LoopFaulty: The answer is not what the function's annotation says.
        """
        if read is not None and not read.error:
            try:
                return value_of(call.function, read.value)
            except LoopFaulty as error:
                raise self.broken(error.reason) from error
        if default is not NOTHING:
            return default
        assert read is not None, "a source that has no answer says so itself"
        raise ReadFailed(call.name, error=read.error, words=read.words)

    def is_due(self, at: str, zone: str) -> bool:
        """Tell whether a time of day has come since it was last due; alike within one cycle.

        Raises:
            LoopFaulty: There is no such time or zone, or too many are asked for.
        """
        name = f"{at} {zone}"
        last = self._were_due.get(name, "")
        try:
            found = due(at, zone, now=self.now, period=self._period, last=last)
        except LoopFaulty as error:
            raise self.broken(error.reason) from error
        self.due[name] = found.date
        if len(self.due) > TIMES_MAX:
            message = f"more than {TIMES_MAX} times of day in one loop"
            raise self.broken(message)
        return found.is_due

    def do(
        self, function: object, payload: object, *, key: str, delivery: Delivery | str | None
    ) -> None:
        """Plan an act.

        Raises:
            LoopFaulty: It was not declared, or cannot be done with that payload.
        """
        try:
            self._do(function, payload, key=key, delivery=delivery)
        except LoopFaulty as error:
            raise self.broken(error.reason) from error

    def _do(
        self, function: object, payload: object, *, key: str, delivery: Delivery | str | None
    ) -> None:
        act = self._declared(function)
        place = self._done_alike.get(act.name, 0)
        self._done_alike[act.name] = place + 1
        planned = effect(
            act.name,
            effect_id=f"{act.name}={key}" if key else f"{act.name}/{self.number}/{place}",
            payload=_payload_for(act, payload),
            delivery=self._delivery if delivery is None else delivery_of(delivery),
            lane=LANE,
        )
        if any(each.effect_id == planned.effect_id for each in self.effects):
            message = f"cycle.do({act.name}) twice with key {key!r} in one cycle: a key is unique"
            raise LoopFaulty(message)
        self.effects.append(planned)

    def _declared(self, function: object) -> Act:
        for act in self._acts.values():
            # Two bound methods of one object are equal, not the same.
            if act.function is function or act.function == function:
                return act
        name = getattr(function, "__name__", repr(function))
        message = f"cycle.do({name}): it is not among the loop's acts=[{', '.join(self._acts)}]"
        raise LoopFaulty(message)


def delivery_of(word: Delivery | str) -> Delivery:
    """Return a way of delivery from its name.

    Raises:
        LoopFaulty: A loop has no such way.
    """
    try:
        found = Delivery(word)
    except ValueError:
        found = Delivery.BY_ID
    if found is Delivery.BY_ID:
        message = (
            f'delivery={word!r}: say "at_least_once" or "at_most_once"; what can be asked about '
            "by its id needs a Workload"
        )
        raise LoopFaulty(message)
    return found


def _payload_for(act: Act, payload: object) -> msgspec.Raw:
    what = f"the payload of cycle.do({act.name})"
    if act.takes_payload is (payload is NOTHING):
        words = "takes one" if act.takes_payload else "takes none"
        message = f"{what}: the act {words}"
        raise LoopFaulty(message)
    data = json_of(None if payload is NOTHING else payload, what)
    try:
        _given(act, data)
    except msgspec.ValidationError as error:
        message = f"{what} is not what the act's annotation says: {error}"
        raise LoopFaulty(message) from error
    return data


def _given(act: Act, data: msgspec.Raw) -> Any:  # noqa: ANN401 - what the act takes
    decoder = payload_decoder_of(act.function)
    return msgspec.json.decode(data) if decoder is None else decoder.decode(data)


def arguments_of(act: Act, planned: Effect) -> tuple[Any, ...]:
    """Return with what an act is called.

    Raises:
        msgspec.ValidationError: Another version planned it with what this act does not take.
    """
    return (_given(act, planned.payload),) if act.takes_payload else ()
