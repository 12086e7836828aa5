"""The worker of the series on a cluster: two orders a cycle, and a body that keeps their ends.

Copied into each release's tree, with its settings beside it. It speaks to the venue without a loop
in between, so that it can be stopped between the permission to send and the sending.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from bench.chained import Body, Chained, Reading, Settings, settings_beside
from handoff import Absent, Context, Cycle, Decision, Unavailable, effect, every, receipt
from state.record import Effect, Outcome, Receipt
from state.schema import Schema
from tests.cluster.exchange import BOOKS, GUARDED, PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUEST_S = 0.4
ANSWER_BYTES_MAX = 4096


class OrderingSettings(Settings, frozen=True, kw_only=True):
    """Where the venue is, and how long an order of the plain book may be carried out.

    Attributes:
        venue: Its address.
        port: Its port.
        valid_s: From the boundary of its cycle on.
        catch_up_s: A cycle that is later than this is missed.
    """

    venue: str = ""
    port: int = 0
    valid_s: float = 15.0
    catch_up_s: float | None = None


class Ends(Body):
    """What must survive: also how each order ended, as the engine says.

    Attributes:
        ends: Outcome of each order, by its id.
    """

    ends: dict[str, str] = {}  # noqa: RUF012 - a struct copies it


class Ordering(Chained):
    """Sends each cycle's orders, and asks for those of which it does not know."""

    body = Schema("tests.cluster.ordering", 1, Ends)

    def __init__(self, context: Context, settings: OrderingSettings) -> None:
        super().__init__(context, settings)
        self._venue = settings
        self.cadence = every(settings.period_s, catch_up_s=settings.catch_up_s)

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Body,
        inputs: Reading | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Body]:
        assert isinstance(body, Ends), "that is its schema"
        base = super().decide(cycle, body, inputs, receipts).body
        ends = body.ends | {each.effect_id: each.outcome.value for each in receipts}
        after = Ends(**{name: getattr(base, name) for name in Body.__struct_fields__}, ends=ends)
        valid_ns = round(self._venue.valid_s * 1e9)
        orders = [
            effect(
                book,
                effect_id=f"{book}-{cycle.number}",
                payload=cycle.number,
                not_after_ns=cycle.now_ns + valid_ns if book == PLAIN else None,
            )
            for book in BOOKS
        ]
        return Decision(body=after, effects=orders)

    @override
    async def perform(self, effect: Effect) -> Receipt:
        if self._ask("may", effect)["stop"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        answer = self._ask("send", effect)
        if answer["stop"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        if answer["said"] == "too late":
            return receipt(effect, Outcome.EXPIRED, reason="it came too late")
        if effect.kind == GUARDED:
            self.tell("perform", effect.cycle)
        return receipt(effect, Outcome.CONFIRMED, reason=str(answer["said"]))

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent:
        answer = self._ask("ask", effect)
        if answer["found"]:
            return receipt(effect, Outcome.CONFIRMED, reason="found")
        return Absent(enforced=bool(answer["over"]), repeatable=effect.kind == GUARDED)

    def _ask(self, act: str, effect: Effect) -> dict[str, Any]:
        """Ask the venue; whatever it does, it is heard within a moment or not at all."""
        asked = {"act": act, "id": effect.effect_id, "until_ns": effect.not_after_ns}
        place = (self._venue.venue, self._venue.port)
        with socket.create_connection(place, REQUEST_S) as venue:
            venue.sendall(json.dumps(asked).encode() + b"\n")
            with venue.makefile("rb") as reader:
                line = reader.readline(ANSWER_BYTES_MAX)
        if not line.endswith(b"\n"):
            message = "the venue said nothing"
            raise OSError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer


def create(context: Context) -> Ordering:
    """Make the one workload of a worker."""
    settings = settings_beside(__file__, OrderingSettings)
    time.sleep(settings.boot_s)
    return Ordering(context, settings)
