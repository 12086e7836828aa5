"""The gates that only a release's own code can answer: schema, warm, reconcile.

Owns their order, their bounds and what each one proves. They run in the candidate, before
it may own anything; gates that need the world outside a worker belong to the deployer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handoff.limits import NS
from state.errors import StateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from handoff.ports import Clock
    from handoff.workload import Workload
    from state.record import Record

WARM_S_MAX: Final = 60.0  # connections and rules of a slow venue
RECONCILE_S_MAX: Final = 30.0


class Verdict(NamedTuple):
    """What one gate says: passed with evidence, or not with a reason."""

    gate: str
    passed: bool
    reason: str
    seconds: float


async def examine(
    workload: Workload[Any, Any], record: Record, clock: Clock
) -> AsyncIterator[Verdict]:
    """Yield the verdict of each gate in turn; nothing follows a failed one."""
    for gate, check in (("schema", _schema), ("warm", _warm), ("reconcile", _reconcile)):
        begun_ns = clock.monotonic_ns()
        try:
            reason, passed = await check(workload, record), True
        except TimeoutError:
            reason, passed = "it took too long", False
        except StateError as error:
            reason, passed = str(error), False
        except Exception as error:  # noqa: BLE001 - whatever a release raises refuses it
            reason, passed = f"{type(error).__name__}: {error}", False
        seconds = round((clock.monotonic_ns() - begun_ns) / NS, 3)
        yield Verdict(gate, passed, reason, seconds)
        if not passed:
            return


class _Disagrees(StateError):
    """What is stored or what the world says does not fit; the text is the reason."""


async def _schema(workload: Workload[Any, Any], record: Record) -> str:
    """The live body can be read, and written back for the release that may return."""
    stored, known = record.schema, workload.body.schema_id
    if stored is None:
        return f"no body yet, schema version {known.version}"
    if stored.version == known.version and stored.fingerprint != known.fingerprint:
        message = (
            f"the shape of {known.name} changed without a new version: "
            f"raise version {known.version} and add steps up and down"
        )
        raise _Disagrees(message)
    body = workload.body.decode(record.body, stored)
    if stored.version != known.version:
        workload.body.encode_down(body, stored)
        return f"version {stored.version} goes up to {known.version} and down again"
    return f"version {known.version}"


async def _warm(workload: Workload[Any, Any], record: Record) -> str:
    async with asyncio.timeout(WARM_S_MAX):
        await workload.warm(workload.body.decode(record.body, record.schema))
    return "warm"


async def _reconcile(workload: Workload[Any, Any], record: Record) -> str:
    body = workload.body.decode(record.body, record.schema)
    async with asyncio.timeout(RECONCILE_S_MAX):
        answer = await workload.reconcile(body, record.outbox)
    if answer.differences:
        raise _Disagrees("; ".join(answer.differences))
    return "the outside world agrees"
