"""Whether a release may go on, by what it earned beside the one that runs: a verdict.

Owns the rule and its words. Evidence refuses nobody: only where a limit is set, and only what is
shown to lie below it, not what luck may have brought.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foresight.backtest.difference import ALIKE
from handoff.gate_verdict import GateName, failed, passed
from handoff.plurals import counted

if TYPE_CHECKING:
    from foresight.backtest.difference import Difference
    from handoff.gate_verdict import GateVerdict

RUNNING: Final = "the running release"
CANDIDATE: Final = "the new one"


def verdict_of(found: Difference, *, days: int, limit_cents: float | None) -> GateVerdict:
    """Return what a difference allows.

    Args:
        found: What the candidate earned above the running release.
        days: Over how many days.
        limit_cents: It is refused if the whole interval says that it earns more than so many
            cents a window less; None refuses nobody.
    """
    evidence = words_of(found, days=days)
    if limit_cents is not None and 100 * found.interval.high < -limit_cents:
        reason = f"it is shown to earn more than {limit_cents:g} c a window less: {evidence}"
        return failed(GateName.BACKTEST, reason, evidence=evidence)
    return passed(GateName.BACKTEST, evidence)


def words_of(found: Difference, *, days: int) -> str:
    """Return the difference a window with its interval, and what it allows to say."""
    over = f"the newest {counted(days, 'day')}, {counted(found.windows, 'window')}"
    if found.says == ALIKE:
        return f"{over}: {ALIKE}"
    low, high = 100 * found.interval.low, 100 * found.interval.high
    level = f"{100 * found.level:.4g} % [{low:+.2f}, {high:+.2f}]"
    figures = f"{100 * found.difference:+.2f} c a window, {level}, {found.profit:+.2f} USDC"
    return f"{over}, {found.alike} alike: {figures}: {found.says}"
