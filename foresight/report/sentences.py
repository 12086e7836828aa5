"""What a report allows to say, in sentences that can be bad.

Owns the words over the figures. They rest on the interval of what a share earned, never on a win
rate or a sum; where zero lies within it, they say that there is no evidence of an edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.scoring import TRADES_MIN, evidence_of
from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.report.curves import Point
    from foresight.report.facts import Facts, Part
    from foresight.scoring import Score

ABOVE: Final = "above zero"
NO_EDGE: Final = "There is no evidence of an edge."


class Verdict(NamedTuple):
    """What is said first, and why."""

    says: str
    why: str


def verdict_on(score: Score) -> Verdict:
    """Return what the figures allow to say."""
    if score.trades == 0:
        return Verdict("No trade was decided: this says nothing.", NO_EDGE)
    figures = f"{cents(score.expectation)} a share after fees, 95 % interval {interval_of(score)}"
    sums = f"{counted(score.trades, 'trade')}, {usdc(score.profit)} USDC in all."
    if score.trades < TRADES_MIN:
        return Verdict(NO_EDGE, f"Too few trades to say anything: {figures}; {sums}")
    match evidence_of(score):
        case "loses":
            return Verdict("It loses.", f"{figures}; {sums}")
        case "above zero":
            return Verdict("It is above zero, so far.", f"{figures}; {sums} {_known(score)}")
        case _:
            return Verdict(NO_EDGE, f"Zero lies within what luck alone brings: {figures}; {sums}")


def of_parts(parts: Sequence[Part], kind: str) -> str:
    """Return what several rows side by side allow to say: the best of many wins by luck.

    Args:
        parts: The rows.
        kind: What each of them is, in the singular.
    """
    known = [each.score for each in parts if each.score is not None]
    good = sum(evidence_of(each) == ABOVE for each in known)
    if not known:
        return f"No {kind} decided a trade."
    if good == 0:
        return f"No {kind} shows evidence of an edge."
    verb = "is" if good == 1 else "are"
    luck = f" Of {len(known)} without any skill one may be: the best of many wins by luck."
    return f"{good} of {len(known)} {verb} above zero.{luck if len(known) > 1 else ''}"


def of_drawdown(drawdown: Sequence[Point]) -> str:
    """Return the worst of it."""
    worst = min((each.value for each in drawdown), default=0.0)
    return f"At worst {usdc(worst)} USDC below the best before." if worst < 0 else "Never below."


def of_probabilities(score: Score) -> str:
    """Return whether what was said beats what was paid."""
    told = f"Brier score {score.brier_ours:.4f}, of the price paid {score.brier_price:.4f}"
    if score.brier_ours < score.brier_price:
        return f"{told}: its probabilities were nearer than the price; there is no interval."
    return f"{told}: the market knew as much, or more."


def of_purchases(facts: Facts) -> str:
    """Return how many signals were bought."""
    if not facts.signals:
        return "No signal was counted."
    return f"{counted(facts.signals, 'signal')}, {facts.unbought} of them not bought."


def cents(amount: float) -> str:
    """Return USDC a share in cents."""
    return f"{100 * amount:+.2f} c"


def usdc(amount: float) -> str:
    """Return an amount with its sign."""
    return f"{amount:+,.2f}"


def interval_of(score: Score) -> str:
    """Return the interval of what a share earned, in cents."""
    low, high = score.expectation_interval.low, score.expectation_interval.high
    return f"[{100 * low:+.2f}, {100 * high:+.2f}]"


def _known(score: Score) -> str:
    if score.brier_ours < score.brier_price:
        return "It may still end tomorrow."
    return "Yet the price predicted no worse than its probabilities: this may be luck."
