"""Observing a cycle beside its owner: read-only, within the budget, in a task of its own.

Owns the one observation that may be under way. It begins with the cycle's boundary, on the body
that was settled before it: observed a moment later, a feed that remembers would not be asked at
all, and a wrong address would look healthy. Nothing waits for it, so that a seizure is never late.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

from handoff.deciding import cycle_of, health_of
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.worker.glance import Glance
from handoff.worker.observing import observe_once
from handoff.workload import BodyT, InputsT, Unavailable
from state.errors import SchemaMismatch

if TYPE_CHECKING:
    from handoff.worker.ports import Parts
    from state.record import Record


class Beside(Generic[BodyT, InputsT]):
    """Observes one cycle at a time.

    Args:
        parts: The world it lives in.

    Attributes:
        cycle: The cycle that is, or was last, observed; None before the first.
    """

    def __init__(self, parts: Parts[BodyT, InputsT]) -> None:
        """Start without an observation."""
        self._parts = parts
        self._task: asyncio.Task[Glance] | None = None
        self.cycle: int | None = None

    def begin(self, record: Record) -> None:
        """Observe the cycle after a settled one; whatever was under way is given up.

        Args:
            record: The record as this worker would find it as its owner.
        """
        self.stop()
        self.cycle = record.progress.cycle + 1
        self._task = asyncio.create_task(self._observe(record, self.cycle), name="beside")

    def is_under_way(self) -> bool:
        """Tell whether there is an observation whose result nobody took yet."""
        return self._task is not None

    def result(self) -> Glance | None:
        """Return what it got, once; None while it is not there yet."""
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return None if task.cancelled() else task.result()

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _observe(self, record: Record, number: int) -> Glance:
        parts = self._parts
        await parts.clock.wait_until(parts.schedule.boundary_ns(number))
        begun_ns = parts.clock.monotonic_ns()
        health, fault, words = None, "", ""
        try:
            cycle = cycle_of(record, number, parts.schedule, release=parts.me.release)
            body = parts.workload.body.decode(record.body, record.schema)
            observed = await observe_once(parts.workload, parts.schedule, cycle, body, beside=True)
            inputs = observed.inputs
            words = inputs.reason if isinstance(inputs, Unavailable) else ""
            health = health_of(parts.workload, inputs)
        except WorkloadFaulty as error:
            fault = error.reason
        except SchemaMismatch as error:
            fault = str(error)
        return Glance(
            cycle=number,
            health=health,
            fault=fault,
            words=words,
            seconds=(parts.clock.monotonic_ns() - begun_ns) / NS,
            budget_s=parts.schedule.bounds.budget_ns / NS,
        )
