"""What may be concluded from the trades so far: figures with a verdict that can be bad.

Owns the sentence above the numbers. A win rate alone flatters (a rule without any forecast is
right nine times in ten and loses money), so the verdict rests on the expectation per share after
fees and its interval, and on whether our probabilities beat the price.
"""

import enum
from dataclasses import dataclass
from typing import Final

from foresight.scoring import TRADES_MIN, Score, Scores

MARGIN: Final = 0.01  # USDC a share: about what one trade moves the mean of the last hundred by


class Verdict(enum.StrEnum):
    """What the figures allow to say."""

    NOTHING = "nothing"  # no decided trade
    TOO_FEW = "too_few"
    LOSING = "losing"  # an interval lies below zero
    UNPROVEN = "unproven"  # neither of the other two
    EARNING = "earning"  # both intervals lie above zero, and we predict better than the price


WORDS: Final = {
    Verdict.NOTHING: "No decided trade yet",
    Verdict.TOO_FEW: "Too few trades to say anything",
    Verdict.LOSING: "Losing money per share",
    Verdict.UNPROVEN: "No evidence of skill",
    Verdict.EARNING: "Earning per share, so far",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers over the recent trades, and the totals.

    Attributes:
        verdict: What the figures allow to say.
        words: The same in words.
        market_knew_more: The price paid predicted better than our probability.
        recent: Over the last 100 decided trades.
        overall: Over all.
        signals: Windows in which a strategy spoke.
        unbought: Of them without a purchase.
        unbought_most: The most frequent reason, or an empty string.
    """

    verdict: Verdict
    words: str
    market_knew_more: bool
    recent: Score
    overall: Score
    signals: int
    unbought: int
    unbought_most: str


def figures_of(scores: Scores, before: Verdict | None = None) -> Figures:
    """Return the figures with their verdict; `before` is the one that was shown last."""
    verdict = verdict_on(scores, before)
    reasons = scores.unbought_reasons
    return Figures(
        verdict=verdict,
        words=WORDS[verdict],
        market_knew_more=scores.recent.brier_ours >= scores.recent.brier_price,
        recent=scores.recent,
        overall=scores.overall,
        signals=scores.signals,
        unbought=scores.unbought,
        unbought_most=max(reasons, key=lambda reason: reasons[reason], default=""),
    )


def verdict_on(scores: Scores, before: Verdict | None = None) -> Verdict:
    """Return what the scores allow to say; the win rate has no part in it.

    An interval that is looked at all day leaves zero outside now and then by luck alone. So a good
    word needs the last trades, all trades and the Brier score to agree; a bad one needs one. No
    single trade turns it back and forth: a good word comes only beyond a margin and goes at zero,
    a bad one comes at zero and goes only beyond the margin.

    Args:
        scores: The figures.
        before: The verdict that was shown last; None where there was none.
    """
    recent, overall = scores.recent, scores.overall
    loses_below = MARGIN if before is Verdict.LOSING else 0
    earns_above = 0 if before is Verdict.EARNING else MARGIN
    if recent.trades == 0:
        return Verdict.NOTHING
    if recent.trades < TRADES_MIN:
        return Verdict.TOO_FEW
    if min(recent.expectation_interval.high, overall.expectation_interval.high) < loses_below:
        return Verdict.LOSING
    earns = min(recent.expectation_interval.low, overall.expectation_interval.low) > earns_above
    if earns and recent.brier_ours < recent.brier_price:
        return Verdict.EARNING
    return Verdict.UNPROVEN
