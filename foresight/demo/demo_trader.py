"""The trader of the demonstration: Foresight's own, and a word to the witness each time it acts.

Owns when a report is sent, and nothing of trading. This file is copied into the demonstration's
clone of the project and committed there.
"""

import os
import time
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from foresight import trader
from foresight.book import Book
from foresight.evidence.report import Report, Reporter
from foresight.market import Market
from handoff.workload import Absent, Context, Cycle, Pending, Unavailable, Unknown
from state.record import Effect, Receipt

PIPE = "witness.pipe"  # beside the state directory


class WitnessedTrader(trader.Trader):
    """Foresight's trader, watched."""

    # Each observation is told as the beginning of a cycle: one beside the owner would double it.
    observe_twice: ClassVar[bool] = False
    _reporter: Reporter
    _release = ""

    def report_to(self, pipe: Path, release: str) -> None:
        """Open the line to the witness; without a witness there is no demonstration."""
        self._reporter = Reporter(pipe, must_listen=True)
        self._release = release

    @override
    async def observe(self, cycle: Cycle, body: Book) -> Market | Unavailable:
        self._report("observe", cycle.number)
        return await super().observe(cycle, body)

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        self._report("perform", effect.cycle, effect=effect.effect_id)
        return await super().perform(effect)

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        self._report("resolve", effect.cycle, effect=effect.effect_id)
        return await super().resolve(effect)

    def _report(self, kind: str, cycle: int, effect: str = "") -> None:
        at_ns = time.time_ns()  # the witness puts its own clock's time instead
        self._reporter.report(Report(kind, cycle, os.getpid(), self._release, at_ns, effect))


def create(context: Context) -> trader.Trader:
    """Return the trader of a release of the demonstration."""
    made = trader.create(context, WitnessedTrader)
    assert isinstance(made, WitnessedTrader), "its class was asked for"
    made.report_to(Path(context.home).parent / PIPE, context.release)
    return made
