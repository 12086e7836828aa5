"""A worker that asks 16 feeds, and does wrong what its settings say.

Copied into a release's tree by the tests, with its settings beside it. A feed is a file that is
there: the world outside is the same for every release, what a release makes of it is its own.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from bench.chained import Body, Chained, Reading, settings_beside
from handoff import Context, Cycle, Decision, Unavailable, every
from state.journal_frames import Health
from tests.process.feeds import FeedSettings, feed_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.record import Effect, Receipt

SETTINGS = settings_beside(__file__, FeedSettings)


class Feeds(Chained):
    """Counts its feeds; strikes where it is told to."""

    def __init__(self, context: Context, settings: FeedSettings) -> None:
        super().__init__(context, settings)
        self.cadence = every(settings.period_s, budget_s=settings.budget_s)
        self._answered = 0

    @override
    async def observe(self, cycle: Cycle, body: Body) -> Reading | Unavailable:
        self._answered = 0
        match SETTINGS.fault:
            case "refused":
                await asyncio.open_connection("127.0.0.1", 1)
            case "missing":
                Path(__file__).with_name("not-there.txt").read_bytes()
            case "over budget":
                await asyncio.sleep(2 * SETTINGS.period_s)
            case "slow":
                await asyncio.sleep(0.46 * SETTINGS.period_s)
            case _:
                await asyncio.sleep(SETTINGS.work_s)
        files = feed_files(Path(SETTINGS.feeds))
        self._answered = sum(path.exists() for path in files)
        if not self._answered:
            text = "no feed answers"
            raise ConnectionRefusedError(text)
        return await super().observe(cycle, body)

    @override
    def health(self, inputs: Reading | Unavailable) -> Health:
        answered = 0 if isinstance(inputs, Unavailable) else self._answered
        return Health(asked=16, answered=answered)

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Body,
        inputs: Reading | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Body]:
        if SETTINGS.fault == "slow":
            time.sleep(0.42 * SETTINGS.period_s)
        return super().decide(cycle, body, inputs, receipts)

    @override
    async def perform(self, effect: Effect) -> Receipt:
        if SETTINGS.fault == "name":
            missing_name(effect)  # type: ignore[name-defined] # noqa: F821 - the fault
        if SETTINGS.fault == "slow":
            await asyncio.sleep(0.2 * SETTINGS.period_s)
        return await super().perform(effect)


def create(context: Context) -> Feeds:
    """Make the one workload of a worker."""
    return Feeds(context, SETTINGS)
