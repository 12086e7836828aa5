"""An application that asks 16 feeds, of which as many answer as a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from handoff.workload import Unavailable
from state.journal_frames import Health
from tests.engine_world import FIRST, Application, Body

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.workload import Cycle

NEXT = FIRST + 1


class Feeds(Application):
    """Asks 16 feeds in each cycle; how many answer is the test's word."""

    observe_twice: ClassVar[bool] = True

    def __init__(self, answered: Callable[[int], int] = lambda _: 16) -> None:
        super().__init__()
        self.answered = answered
        self.seen: list[tuple[int, tuple[int, ...]]] = []  # cycle, and those in the body

    @override
    async def observe(self, cycle: Cycle, body: Body) -> list[str] | Unavailable:
        self.seen.append((cycle.number, tuple(body.cycles)))
        got = self.answered(cycle.number)
        if self.observed is not None:
            return await super().observe(cycle, body)
        if got == 0:
            message = "no answer"
            raise ConnectionRefusedError(message)
        return ["answer"] * got

    @override
    def health(self, inputs: Any) -> Health:
        if isinstance(inputs, Unavailable):
            return Health(asked=16, answered=0)
        return Health(asked=16, answered=len(inputs))


def blind() -> Feeds:
    return Feeds(lambda _: 0)
