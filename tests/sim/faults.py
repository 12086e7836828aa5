"""What goes wrong in one simulation, and how often: drawn once from the seed.

Most simulations have a few kinds of trouble only, so that each kind is also seen alone.
"""

from __future__ import annotations

import random
from typing import Final

from handoff.limits import MS, NS

KINDS: Final = (
    "kill",
    "kill_in_call",
    "stop",
    "stall",
    "lock_stall",
    "disk",
    "put_back",  # an operator puts an older record back, or the one before
    "venue_late",
    "venue_lost",
    "venue_down",
    "slow",
    "clock",
    "misread",  # one reading of the wall clock is wrong
    "fresh_boot",  # the clock of a host that has just booted is set right later
    "line",
    "launcher",
    "deployer",
    "operator",
    "poison",  # a cycle kills whoever comes to it
    "reboot",  # the host starts anew, under another name as a container does
    "inputs",
    "false_death",  # a proof of death is wrong, as if somebody lied about a pid
)
KINDS_APART: Final = (
    "copy",  # the home is copied: the copy of a living one is started, or the original ends first
    "fork",  # a worker forks a helper that outlives it, and dies inside a commit
)
"""Drawn by themselves: what else a seed holds stays what it was."""


class Faults:
    """The kinds of trouble of one simulation.

    Attributes:
        on: Trouble is made at all; switched off for the last part of each simulation.
        lied: A proof of death was wrong: what was executed twice is nobody's fault here, but
            who lost ownership must not write all the same.
        kinds: For each kind the factor of its frequency; 0 where it does not happen.
    """

    def __init__(self, rng: random.Random, seed: int) -> None:
        self.on = True
        self.lied = False
        self._rng = rng
        share = rng.choice((0.0, 0.15, 0.3, 0.6))
        self.kinds = {
            kind: rng.choice((0.3, 1.0, 3.0)) if rng.random() < share else 0.0 for kind in KINDS
        }
        apart = random.Random(f"apart {seed}")  # noqa: S311 - reproducible on purpose
        for kind in KINDS_APART:
            self.kinds[kind] = apart.choice((0.3, 1.0, 3.0)) if apart.random() < 0.15 else 0.0
        if self.kinds["false_death"]:
            # Who lost ownership without knowing it shows only while it is at work.
            self.kinds["slow"] = max(3.0, self.kinds["slow"])
        if rng.random() < 0.5:
            # Trouble that a protocol finds hardest comes together more often than by chance.
            for kind in rng.sample(KINDS, 2):
                self.kinds[kind] = max(1.0, self.kinds[kind])

    def strikes(self, kind: str, chance: float) -> bool:
        """Draw whether something of this kind happens now."""
        factor = self.kinds[kind]
        return self.on and factor > 0.0 and self._rng.random() < chance * factor

    def mean_ns(self, kind: str, seconds: float) -> int | None:
        """Draw the time to the next event of a kind that happens every so many seconds."""
        factor = self.kinds[kind]
        return round(self._rng.expovariate(factor / seconds) * NS) if factor else None

    def duration_ns(self, *, short_ms: float, long_s: float) -> int:
        """Draw a duration: mostly short, sometimes long."""
        if self._rng.random() < 0.6:
            return round(self._rng.uniform(0, short_ms) * MS)
        return round(self._rng.uniform(0, long_s) * NS)
