"""Reads that are answered from a record: nothing is asked of the world.

Owns what a read means that the record lacks. For the release that observed, it decides otherwise
than it observed, which is a fault. Another version may ask for what nobody read: it gets its
default, or the cycle cannot be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff.errors import NotComparable
from handoff.loops.errors import RULE_CHANCE, LoopFaulty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff.loops.facts import Read, Reads
    from handoff.loops.functions import Call


class RecordedReads:
    """What a cycle read.

    Args:
        reads: As it was recorded.
        is_mine: Whether this very release observed it.
    """

    def __init__(self, reads: Reads, *, is_mine: bool) -> None:
        """Keep them by what they are known by."""
        self._reads = {each.known_by: each for each in reads.reads}
        self._is_mine = is_mine

    async def answers(self, calls: Sequence[Call], *, has_default: bool) -> list[Read | None]:
        """Return what was recorded; it never waits."""
        return self.answers_now(calls, has_default=has_default)

    def answers_now(self, calls: Sequence[Call], *, has_default: bool) -> list[Read | None]:
        """Return what was recorded."""
        return [self._answer(call, has_default=has_default) for call in calls]

    def _answer(self, call: Call, *, has_default: bool) -> Read | None:
        found = self._reads.get(call.known_by)
        if found is None and self._is_mine:
            message = (
                f"deciding, the loop reads {call.name} as it did not when it observed: "
                f"{RULE_CHANCE}"
            )
            raise LoopFaulty(message)
        if found is None and not has_default:
            message = f"it reads {call.name}, which was not read then, and has no default for it"
            raise NotComparable(message)
        return found
