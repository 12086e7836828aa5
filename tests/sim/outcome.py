"""What became of one simulation."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of one simulation.

    Attributes:
        seed: Its seed.
        violation: The broken guarantee, or an empty string.
        cycles: Cycles that were decided.
        owners: Changes of owner.
        effects: Effects that were planned.
        seconds: Simulated seconds.
        chain: Digest over everything that was written.
    """

    seed: int
    violation: str
    cycles: int
    owners: int
    effects: int
    seconds: float
    chain: str
