"""The workload around a loop: its function observes, and decides again from what was recorded.

Owns how one function becomes the two halves of a cycle, and what its acts become. Everything else
a worker does with a workload is left at the engine's defaults.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from typing_extensions import override

from handoff.cadence import Schedule
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.loops.cycle import LoopCycle, PlainLoopCycle
from handoff.loops.errors import LoopFaulty, ReadFailed
from handoff.loops.facts import READS, Envelope, Reads, done_of, json_of, kept, require_text_keys
from handoff.loops.functions import is_async
from handoff.loops.guard import drive, install_hook
from handoff.loops.live import CycleOver, LiveReads
from handoff.loops.recorded import RecordedReads
from handoff.loops.threads import Calls
from handoff.loops.turn import Act, Turn, arguments_of
from handoff.outside import words_of
from handoff.workload import Decision, Pending, Unavailable, Workload, receipt
from state.journal_frames import Health
from state.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from handoff.cadence import Cadence
    from handoff.loops.functions import Call
    from handoff.workload import Context, Cycle
    from state.record import Effect, Receipt

READS_PART: Final = 0.8  # of a cycle's budget: a read that is late leaves time for its default
RESULT_BYTES_MAX: Final = 65_536  # of what an act returns: it is kept in the record
_ITSELF: Final = "the loop itself"


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a loop said of itself.

    Attributes:
        function: Takes the cycle and the state.
        name: Its name, for words.
        cadence: When it runs, and how long it may take.
        body: Schema of the envelope.
        acts: What it may do, by name.
        delivery: What an unknown outcome of an act allows.
        outside: What the world's failures look like.
        observe_twice: False where reading uses up what is read.
    """

    function: Any
    name: str
    cadence: Any
    body: Any
    acts: dict[str, Act]
    delivery: Any
    outside: tuple[type[Exception], ...]
    observe_twice: bool


class LoopWorkload(Workload["Envelope[Any]", Reads]):
    """A loop as the engine runs it.

    Args:
        declared: The loop.
        context: Where it runs.

    Attributes:
        asked: Told of each read; None where nobody wants to know.
    """

    inputs = READS

    def __init__(self, declared: Declared, context: Context) -> None:
        """Keep the parts; install the hook that watches decisions."""
        self.body = declared.body
        self.cadence: Cadence = declared.cadence
        self._declared = declared
        self._release = context.release
        budget_ns = Schedule(self.cadence, context.timeline).bounds.budget_ns
        self._seconds = budget_ns / NS * READS_PART
        self._reading = Calls()
        self._doing = Calls()
        self._itself = Calls(1)
        self._is_async = is_async(declared.function)
        self._said_forgotten = 0
        self.asked: Callable[[Call], None] | None = None
        install_hook()

    @override
    async def observe(self, cycle: Cycle, body: Envelope[Any]) -> Reads | Unavailable:
        """Run the function once with the world; return what it read."""
        if cycle.control.halted:
            return Reads(release=self._release, skipped="halted")
        self._say_forgotten(body)
        turn = self._turn(cycle, body, paused=cycle.control.paused)
        live = LiveReads(
            self._reading,
            cycle=cycle.number,
            outside=self._declared.outside,
            seconds=self._seconds,
        )
        try:
            with self._faults(turn):
                self._require_nothing(await self._run(turn, live, body.state))
        except ReadFailed as failed:
            return Unavailable(str(failed))
        finally:
            live.close()
        return Reads(release=self._release, paused=turn.paused, reads=tuple(live.reads))

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Envelope[Any],
        inputs: Reads | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Envelope[Any]]:
        """Run the function again over what was recorded; return its state and its acts."""
        came = [done_of(each) for each in receipts]
        if isinstance(inputs, Unavailable) or inputs.skipped or cycle.control.halted:
            return Decision(body=kept(body, came))
        # A version that does not catch what another one caught has no inputs in that cycle.
        spare = self.body.encode(body) if any(each.error for each in inputs.reads) else None
        turn = self._turn(cycle, body, paused=inputs.paused)
        source = RecordedReads(inputs, is_mine=inputs.release == self._release)
        try:
            with self._faults(turn):
                face = LoopCycle if self._is_async else PlainLoopCycle
                self._require_nothing(
                    drive(self._declared.function, face(turn, source), body.state)
                )
        except ReadFailed:
            assert spare is not None, "a read that failed was recorded as such"
            before = self.body.decode(spare, self.body.schema_id)
            return Decision(body=kept(before, came))
        if isinstance(body.state, dict):
            require_text_keys(body.state)
        return Decision(
            body=Envelope(state=body.state, done=came, due=turn.due), effects=turn.effects
        )

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        """Do an act; what it returns becomes the result."""
        act = self._declared.acts.get(effect.kind)
        if act is None:
            # Another version planned it. One that knows it may own again before it ends.
            return Pending(f"this version of the loop has no act {effect.kind}")
        arguments = arguments_of(act, effect)
        if is_async(act.function):
            result = await act.function(*arguments)
        else:
            # The cycle only orders what runs; a carried effect keeps the number of its own.
            called = partial(act.function, *arguments)
            result = await self._doing.run(effect.effect_id, effect.cycle, called)
            result = await result if inspect.isawaitable(result) else result
        return _confirmed(effect, result)

    @override
    def health(self, inputs: Reads | Unavailable) -> Health:
        """Count the reads, and those that were answered."""
        if isinstance(inputs, Unavailable):
            return Health(asked=1, answered=0)
        answered = sum(not each.error for each in inputs.reads)
        return Health(asked=len(inputs.reads), answered=answered)

    def _turn(self, cycle: Cycle, body: Envelope[Any], *, paused: bool) -> Turn:
        declared = self._declared
        return Turn(
            cycle,
            body,
            acts=declared.acts,
            period=timedelta(microseconds=self.cadence.period_ns / 1000),
            delivery=declared.delivery,
            paused=paused,
            asked=self.asked,
        )

    async def _run(self, turn: Turn, live: LiveReads, state: object) -> object:
        function = self._declared.function
        if self._is_async:
            return await function(LoopCycle(turn, live), state)
        called = partial(function, PlainLoopCycle(turn, live), state)
        return await self._itself.run(_ITSELF, turn.number, called)

    def _require_nothing(self, result: object) -> None:
        if result is not None:
            message = (
                f"{self._declared.name} returned {type(result).__name__}: a loop returns "
                "nothing, it changes its state in place"
            )
            raise LoopFaulty(message)

    @contextmanager
    def _faults(self, turn: Turn) -> Iterator[None]:
        """Tell what a loop raises itself from what the world does, and keep a caught fault."""
        try:
            yield
        except (ReadFailed, WorkloadFaulty) as error:
            if turn.fault is not None and turn.fault is not error:
                raise turn.fault from error
            raise
        except CycleOver:
            message = "the cycle is over"
            raise TimeoutError(message) from None
        except Exception as error:
            raise turn.fault or LoopFaulty(self._words(error)) from error
        if turn.fault is not None:
            raise turn.fault

    def _words(self, error: Exception) -> str:
        words = f"{self._declared.name} raised {words_of(error)}{_place(error)}"
        if isinstance(error, OSError):
            return f"{words}: what the loop asks of the world goes through cycle.read"
        return words

    def _say_forgotten(self, body: Envelope[Any]) -> None:
        if body.forgotten > self._said_forgotten:
            sys.stderr.write(f"{self._declared.name}: {body.forgotten} outcomes were never seen\n")
        self._said_forgotten = body.forgotten


def _place(error: Exception) -> str:
    trace = error.__traceback__
    place = ""
    while trace is not None:
        place = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename})"
        trace = trace.tb_next
    return place


def _confirmed(effect: Effect, result: object) -> Receipt:
    """Return the receipt of what was done. It was, whatever becomes of what it returned."""
    try:
        payload = json_of(result, f"what {effect.kind} returned")
    except LoopFaulty as fault:
        return receipt(effect, Outcome.CONFIRMED, reason=fault.reason)
    if len(memoryview(payload)) > RESULT_BYTES_MAX:
        reason = f"what {effect.kind} returned has over {RESULT_BYTES_MAX} bytes and is not kept"
        return receipt(effect, Outcome.CONFIRMED, reason=reason)
    return receipt(effect, Outcome.CONFIRMED, payload=payload)
