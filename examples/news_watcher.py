"""A news watcher on the handoff engine: reads headlines, remembers them, reports new ones.

It trades nothing and knows no git. Run it, edit it, replace it while it runs:

    python -m handoff run news_watcher:create --tree examples --app news
    python -m handoff replace --tree examples --app news
"""

import msgspec

from handoff import Context, Decision, Unavailable, Workload, effect, every, receipt
from state import Schema
from state.record import Outcome

VERSION = "1"


class Seen(msgspec.Struct):
    """The body: what must survive a restart and a new version."""

    headlines: list[str] = []
    reported: int = 0


class Watcher(Workload[Seen, list[str]]):
    """Looks every second, reports each headline once."""

    body = Schema("news.seen", 1, Seen)
    inputs = Schema("news.headlines", 1, list[str])
    cadence = every(1)

    async def observe(self, cycle, body):
        """All input comes from here; the engine records it."""
        return [f"headline {cycle.number // 3}"]

    def decide(self, cycle, body, inputs, receipts):
        """Pure: the next body and what should be done."""
        if isinstance(inputs, Unavailable):
            return Decision(body=body)
        fresh = [line for line in inputs if line not in body.headlines]
        seen = Seen((body.headlines + fresh)[-100:], body.reported + len(receipts))
        reports = [effect("report", effect_id=line, payload=line) for line in fresh]
        return Decision(body=seen, effects=reports)

    async def perform(self, effect):
        """Do it; whatever is raised here means that the outcome is unknown."""
        print(f"[{VERSION}] {effect.effect_id}", flush=True)
        return receipt(effect, Outcome.CONFIRMED)


def create(context: Context) -> Watcher:
    """Make the one workload of a worker."""
    return Watcher()
