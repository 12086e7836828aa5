"""Effects whose outcome stayed unknown when their cycle settled, and when it was proven. Pure.

Owns the reading of the journal's settle lines: the outbox says what is doubtful, the receipts
say what is proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from state.open_struct import decode_open
from state.record import Fate, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.journal_frames import Line


class Doubt(NamedTuple):
    """One doubtful effect.

    Attributes:
        effect_id: Its id.
        since_cycle: The cycle that settled without knowing its outcome.
        proven_cycle: The cycle whose receipts prove it; None where none does.
        outcome: As the receipt says; empty without one.
    """

    effect_id: str
    since_cycle: int
    proven_cycle: int | None = None
    outcome: str = ""

    @property
    def cycles(self) -> int | None:
        """How many cycles it took."""
        return None if self.proven_cycle is None else self.proven_cycle - self.since_cycle


class Fates(NamedTuple):
    """What became of all effects.

    Attributes:
        outcomes: How many ended in each way.
        doubts: Those that were doubtful, in the order in which they became it.
    """

    outcomes: dict[str, int]
    doubts: tuple[Doubt, ...]


def fates_in(lines: Iterable[Line]) -> Fates:
    """Return what a journal's lines say of its effects."""
    outcomes: dict[str, int] = {}
    doubts: dict[str, Doubt] = {}
    for line in lines:
        if line.kind != "settle":
            continue
        record = decode_open(line.header, Record)
        for receipt in record.receipts:
            outcome = receipt.outcome.value
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if receipt.effect_id in doubts:
                doubt = doubts[receipt.effect_id]
                doubts[receipt.effect_id] = doubt._replace(proven_cycle=line.cycle, outcome=outcome)
        for effect in record.outbox:
            if effect.fate is Fate.DOUBTFUL:
                doubts.setdefault(effect.effect_id, Doubt(effect.effect_id, line.cycle))
    return Fates(outcomes, tuple(doubts.values()))
