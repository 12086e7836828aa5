"""What each version earned, and what may be concluded from it.

Owns the rows and their verdict: an interval, and "too few to say" where there is little. Simulated
money is never added to real, so a release has a row for each kind of venue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foresight.dashboard.hues import hue_of
from foresight.scoring import TRADES_MIN, Earned, evidence_of
from foresight.trades import OLDER

ROWS_MAX: Final = 6  # the newest: the ones that a deploy is judged by


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnedRow:
    """What one release earned at one kind of venue.

    Attributes:
        release: Its id, or `older`.
        name: Short name.
        subject: First line of its commit message.
        hue: Of its colour, degrees; None for the sum of older ones.
        is_owner: It decides now.
        venue: Kind of the venue.
        trades: Decided trades that it wanted.
        profit: After fees, USDC.
        low: Lower end of the 95 % interval of the profit per share, USDC.
        high: Its upper end.
        is_enough: Whether there are enough trades for the interval to mean anything.
        words: What may be concluded.
    """

    release: str
    name: str
    subject: str
    hue: int | None
    is_owner: bool
    venue: str
    trades: int
    profit: float
    low: float
    high: float
    is_enough: bool
    words: str


def earned_rows(
    earned: Sequence[Earned],
    *,
    owner: str,
    names: Mapping[str, str],
    subjects: Mapping[str, str],
) -> tuple[EarnedRow, ...]:
    """Return the rows, the release that decided last first; the mappings are by release id."""
    newest = [each for each in reversed(earned) if each.release != OLDER]
    older = [each for each in earned if each.release == OLDER]
    return tuple(
        _row(each, owner=owner, names=names, subjects=subjects)
        for each in (*newest[:ROWS_MAX], *older)
    )


def _row(
    each: Earned,
    *,
    owner: str,
    names: Mapping[str, str],
    subjects: Mapping[str, str],
) -> EarnedRow:
    score, interval = each.score, each.score.expectation_interval
    return EarnedRow(
        release=each.release,
        name="older ones" if each.release == OLDER else names.get(each.release, each.release[:12]),
        subject=subjects.get(each.release, ""),
        hue=None if each.release == OLDER else hue_of(each.release),
        is_owner=bool(owner) and each.release == owner,
        venue=each.venue,
        trades=score.trades,
        profit=score.profit,
        low=interval.low,
        high=interval.high,
        is_enough=score.trades >= TRADES_MIN,
        words=evidence_of(score),
    )
