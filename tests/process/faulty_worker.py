"""A worker that fails where and how its settings say; otherwise it is the soak's worker.

Copied into a release's tree by the tests, with its settings beside it.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from bench.chained import Body, Chained, Reading, settings_beside
from handoff import Context, Cycle, Decision, Unavailable, Violation, every
from handoff.log_events import LogEvent
from handoff.logs import Log
from tests.process.faults import FaultySettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.record import Effect, Receipt

ROOM_BYTES = 64 << 20  # address space that is left when memory is limited


SETTINGS = settings_beside(__file__, FaultySettings)


class Faulty(Chained):
    """Strikes where it is told to."""

    def __init__(self, context: Context, settings: FaultySettings) -> None:
        super().__init__(context, settings)
        self.cadence = every(
            settings.period_s, budget_s=settings.budget_s, catch_up_s=settings.catch_up_s
        )

    @override
    async def warm(self, body: Body) -> None:
        strike("warm")

    @override
    async def observe(self, cycle: Cycle, body: Body) -> Reading | Unavailable:
        inputs = await super().observe(cycle, body)
        strike("observe", cycle.number)
        return inputs

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Body,
        inputs: Reading | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Body]:
        struck = strike("decide", cycle.number)
        decision = super().decide(cycle, body, inputs, receipts)
        if struck == "impure":
            decision.body.ballast = secrets.token_hex(16)
        return decision

    @override
    def invariants(self, body: Body) -> Sequence[Violation]:
        # The last thing before the commit.
        violated = strike("commit") == "violate"
        return [Violation("told to violate")] if violated else []

    @override
    async def perform(self, effect: Effect) -> Receipt:
        strike("perform", effect.cycle)
        receipt = await super().perform(effect)
        strike("performed", effect.cycle)
        return receipt


def strike(place: str, cycle: int = 0) -> str:
    """Do what the settings say about this place; return the fault if nothing else happened."""
    if SETTINGS.every and cycle % SETTINGS.every:
        return ""
    if place != SETTINGS.place or (SETTINGS.once and not _first()):
        return ""
    match SETTINGS.fault:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(0)
        case "hang":
            time.sleep(3600)
        case "slow":
            time.sleep(SETTINGS.period_s * 0.7)  # the budget is half a period
        case "raise":
            text = "told to fail"
            raise ImportError(text)
        case "memory":
            _exhaust_memory()
        case "clock":
            _misread_clock()
        case _:
            pass  # the caller does it
    return SETTINGS.fault


def _first() -> bool:
    try:
        os.close(os.open(SETTINGS.once, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _exhaust_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM_BYTES, used + ROOM_BYTES))
    hoard: list[Any] = []
    while True:
        hoard.append(bytearray(1 << 20))


def _misread_clock() -> None:
    """Let the wall clock of this process be 100 s ahead for a second."""
    right, until_ns = time.time_ns, time.monotonic_ns() + 1_000_000_000

    def wrong() -> int:
        is_over = time.monotonic_ns() >= until_ns
        return right() + (0 if is_over else 100_000_000_000)

    setattr(time, "time_ns", wrong)  # noqa: B010 - in this process alone


def create(context: Context) -> Faulty:
    """Make the one workload of a worker."""
    time.sleep(SETTINGS.boot_s)
    return Faulty(context, SETTINGS)


def strike_when_taken() -> None:
    """Let the fault strike between the record's take and the word about it."""
    write = Log.write

    def struck(log: Log, event: LogEvent, **facts: Any) -> None:  # noqa: ANN401 - passed on as they are
        if event is LogEvent.OWNERSHIP_TAKEN:
            strike("took")
        write(log, event, **facts)

    setattr(Log, "write", struck)  # noqa: B010 - in this process alone


strike("import")
if SETTINGS.place == "took":
    strike_when_taken()
