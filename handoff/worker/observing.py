"""One call of an application's `observe`: within its budget, and in words where it gave nothing.

Owns the bound and what a failure of it means: the world's failure leaves a cycle without inputs,
any other one is the release's own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

import msgspec

from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.outside import fault_words, is_outside, words_of
from handoff.plain_text import storable
from handoff.workload import BodyT, Cycle, InputsT, Unavailable, Workload

if TYPE_CHECKING:
    from handoff.cadence import Schedule


class Observed(msgspec.Struct, Generic[InputsT], frozen=True):
    """What a cycle got.

    Attributes:
        inputs: The inputs, or why there are none.
        over_ns: The budget, if `observe` ran over it and was cut off; otherwise 0.
    """

    inputs: InputsT | Unavailable
    over_ns: int = 0


async def observe_once(
    workload: Workload[BodyT, InputsT],
    schedule: Schedule,
    cycle: Cycle,
    body: BodyT,
    *,
    beside: bool = False,
) -> Observed[InputsT]:
    """Return the inputs of a cycle, or why there are none.

    Args:
        workload: The application.
        schedule: Says how long it may take.
        cycle: Which cycle.
        body: As it was settled before that.
        beside: Another worker owns it.

    Raises:
        WorkloadFaulty: The release raised what it does not declare as the world's.
    """
    budget_ns = schedule.bounds.budget_ns
    limit = asyncio.timeout(budget_ns / NS)
    try:
        async with limit:
            look = workload.observe_beside if beside else workload.observe
            inputs = await look(cycle, body)
    except WorkloadFaulty:
        raise  # its words are whole
    except Exception as error:
        if limit.expired():
            # No outage, but a budget that this release outgrew.
            reason = (
                f"observe ran over its budget of {budget_ns / NS:g} s; "
                f"a release that needs longer says so: {schedule.budget_remedy()}"
            )
            return Observed(Unavailable(reason), budget_ns)
        if not is_outside(error, workload.outside):
            raise WorkloadFaulty(fault_words("observe", error)) from error
        return Observed(Unavailable(words_of(error)))
    if isinstance(inputs, Unavailable):
        inputs = Unavailable(storable(str(inputs.reason or "no reason given")))
    return Observed(inputs)
