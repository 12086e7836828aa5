"""A news watcher on the handoff engine: reads headlines, remembers them, reports new ones.

It trades nothing and knows no git. Run it, edit it, replace it while it runs:

    python -m handoff run news_watcher:create --tree examples --app news
    python -m handoff replace --tree examples --app news
"""

from collections.abc import Sequence

import msgspec

from handoff import (
    Context,
    Cycle,
    Decision,
    Unavailable,
    Workload,
    effect,
    every,
    payload_of,
    receipt,
)
from state import Delivery, Effect, Outcome, Receipt, Schema

VERSION = "1"


class Seen(msgspec.Struct):
    """The body: what must survive a restart and a new version."""

    headlines: list[str] = []
    reported: int = 0


class Watcher(Workload[Seen, list[str]]):
    """Looks every second, reports each headline."""

    body = Schema("news.seen", 1, Seen)
    inputs = Schema("news.headlines", 1, list[str])
    cadence = every(1)

    async def observe(self, cycle: Cycle, body: Seen) -> list[str] | Unavailable:
        """All input comes from here; the engine records it."""
        return [f"headline {cycle.number // 3}"]

    def decide(
        self,
        cycle: Cycle,
        body: Seen,
        inputs: list[str] | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Seen]:
        """Pure: the next body and what should be done."""
        lines = [] if isinstance(inputs, Unavailable) or cycle.control.halted else inputs
        fresh = [line for line in lines if line not in body.headlines]
        seen = Seen((body.headlines + fresh)[-100:], body.reported + len(receipts))
        return Decision(body=seen, effects=[self.report(cycle, line) for line in fresh])

    def report(self, cycle: Cycle, line: str) -> Effect:
        """The id is made of what was decided upon: decided again, it is the same."""
        name = f"{cycle.number}:{line}"
        return effect("report", effect_id=name, payload=line, delivery=Delivery.AT_LEAST_ONCE)

    async def perform(self, effect: Effect) -> Receipt:
        """Do it; whatever is raised here means that the outcome is unknown."""
        print(f"[{VERSION}] {payload_of(effect, str)}", flush=True)
        return receipt(effect, Outcome.CONFIRMED)


def create(context: Context) -> Watcher:
    """Make the one workload of a worker."""
    return Watcher()
