"""What one check of `foresight doctor` says.

Owns the shape alone; what is looked at is in `checkup` and `cluster_check`.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Verdict(enum.Enum):
    """What a check says."""

    GOOD = "good"
    ODD = "odd"  # works, but somebody should know
    BAD = "bad"  # does not work, or is not safe


class Finding(NamedTuple):
    """One check: what was looked at, what was found, what to do about it."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether it has to be mended."""
        return self.verdict is Verdict.BAD
