"""The trader of the demonstration: Foresight's own, and a word to the witness each time it acts.

Owns the reporting side of the witness and nothing of trading. This file is copied into the
demonstration's clone of the project and committed there. Each report is one write to a pipe,
short enough that it is there as a whole or not at all, whatever becomes of this process.
"""

import json
import os
from pathlib import Path

from typing_extensions import override

from foresight import trader
from foresight.book import Book
from foresight.market import Market
from handoff.workload import Absent, Context, Cycle, Pending, Unavailable, Unknown
from state.record import Effect, Receipt

PIPE = "witness.pipe"  # beside the state directory


class WitnessedTrader(trader.Trader):
    """Foresight's trader, watched."""

    _line = -1
    _release = ""

    def report_to(self, pipe: Path, release: str) -> None:
        """Open the line to the witness; without a witness there is no demonstration."""
        self._line = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
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
        who = {"kind": kind, "cycle": cycle, "pid": os.getpid(), "release": self._release}
        os.write(self._line, json.dumps(who | {"effect": effect}).encode() + b"\n")


def create(context: Context) -> trader.Trader:
    """Return the trader of a release of the demonstration."""
    made = trader.create(context, WitnessedTrader)
    assert isinstance(made, WitnessedTrader), "its class was asked for"
    made.report_to(Path(context.home).parent / PIPE, context.release)
    return made
