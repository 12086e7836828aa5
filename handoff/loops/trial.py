"""One cycle of a loop as it stands in a file: it reads the world, nothing is sent, nothing kept.

Owns finding the loop of a module, and what there is to say of one cycle of it.
"""

from __future__ import annotations

import asyncio
import typing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handoff.cadence import Schedule, seed_of
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.loops.decorator import NOWHERE, Loop
from handoff.loops.errors import LoopMisused
from handoff.loops.facts import READS, Reads
from handoff.loops.functions import decoder_of
from handoff.loops.workload import LoopWorkload
from handoff.outside import is_outside, said_by, words_of
from handoff.workload import Cycle, Unavailable

if TYPE_CHECKING:
    from types import ModuleType

    from handoff.loops.facts import Envelope
    from handoff.loops.functions import Call
    from handoff.workload import Decision

WORDS_MAX: Final = 100  # of one value


def loop_in(module: ModuleType) -> str:
    """Return the name of the one loop of a module, as `module:name` wants it.

    Raises:
        LoopMisused: It has none, or several.
    """
    # An import of the same loop under another name is the same loop.
    found = {id(each): name for name, each in vars(module).items() if isinstance(each, Loop)}
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        message = f"{module.__name__} has no loop"
        raise LoopMisused(message, "decorate its function with @loop(every=60)")
    names = ", ".join(sorted(found.values()))
    message = f"{module.__name__} has {len(found)} loops ({names})"
    raise LoopMisused(message, "one home has one loop: put each into a file and a home of its own")


async def try_once(loop: Loop, now_ns: int) -> str:
    """Run the newest cycle of a loop once, on a state as it begins, and tell what came of it.

    Its reads are really made, within its budget. No act is done.

    Args:
        loop: The loop.
        now_ns: Wall-clock time, nanoseconds UTC.

    Returns:
        Lines for people: each read with the type that it is seen as, each act, the state.

    Raises:
        WorkloadFaulty: The loop broke a rule, or its state cannot be stored.
    """
    workload = loop(NOWHERE)
    assert isinstance(workload, LoopWorkload), "what a loop makes"
    schedule = Schedule(workload.cadence, NOWHERE.timeline)
    number = schedule.cycle_at(now_ns)
    cycle = Cycle(
        number=number,
        now_ns=schedule.app_boundary_ns(number),
        seed=seed_of(loop.declared.name, NOWHERE.timeline, number),
    )
    kinds: dict[str, str] = {}

    def asked(call: Call) -> None:
        kinds[call.name] = _kind(call)

    workload.asked = asked
    inputs = await _observed(workload, cycle, schedule.bounds.budget_ns / NS)
    decision = workload.decide(cycle, workload.body.initial(), inputs, ())
    lines = [f"cycle {number} of {loop.declared.name}", *_reads(inputs, kinds), *_decided(decision)]
    lines.append(f"state: {_cut(_plain(workload, decision.body))}")
    return "\n".join([*lines, "nothing was sent, nothing was kept"])


async def _observed(workload: LoopWorkload, cycle: Cycle, seconds: float) -> Reads | Unavailable:
    try:
        async with asyncio.timeout(seconds):
            inputs = await workload.observe(cycle, workload.body.initial())
    except Exception as error:
        if not is_outside(error, workload.outside):
            raise
        return Unavailable(words_of(error) if said_by(error) else "it took too long")
    if isinstance(inputs, Unavailable):
        return inputs
    return READS.decode(READS.encode(inputs), READS.schema_id)


def _kind(call: Call) -> str:
    decoder = decoder_of(call.function)
    if decoder is None:
        return "plain JSON"
    kind = decoder.type
    return str(kind) if typing.get_args(kind) else str(getattr(kind, "__name__", kind))


def _reads(inputs: Reads | Unavailable, kinds: dict[str, str]) -> list[str]:
    if isinstance(inputs, Unavailable):
        return [f"no inputs: {inputs.reason}"]
    return [
        f"read {each.name}: no answer ({each.error}: {each.words})"
        if each.error
        else f"read {each.name}, seen as {kinds[each.name]}: {_cut(bytes(each.value).decode())}"
        for each in inputs.reads
    ]


def _decided(decision: Decision[Envelope[Any]]) -> list[str]:
    return [
        f"would do {each.kind} {_cut(bytes(each.payload).decode())}" for each in decision.effects
    ]


def _plain(workload: LoopWorkload, body: Envelope[Any]) -> str:
    try:
        workload.body.decode(workload.body.encode(body), workload.body.schema_id)
    except Exception as error:
        message = f"the state cannot be stored: {error}"
        raise WorkloadFaulty(message) from error
    return msgspec.json.encode(body.state).decode()


def _cut(words: str) -> str:
    return words if len(words) <= WORDS_MAX else f"{words[:WORDS_MAX]}…"
