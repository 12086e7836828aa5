"""Curves over decided trades: what was earned so far, how far below the best, groups of trades.

Owns the arithmetic of a report's charts. How they are drawn is `charts`' matter. No file, clock or
process enters here.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.board import MICRO
from foresight.scoring import Score, score_of
from foresight.trades import Tally, tally_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from foresight.trades import Decided

GROUPS_MAX: Final = 10
GROUP_TRADES: Final = 12  # fewer in a group say nothing by themselves


class Point(NamedTuple):
    """A value at a moment: application seconds, USDC."""

    at_s: int
    value: float


class Group(NamedTuple):
    """Trades that are alike in one number.

    Attributes:
        least: Smallest of these numbers.
        most: Largest of them.
        mean: Their mean.
        score: What these trades came to.
    """

    least: float
    most: float
    mean: float
    score: Score


def equity_of(trades: Sequence[Decided], before: float = 0.0) -> list[Point]:
    """Return what was earned in all, after each trade.

    Args:
        trades: In the order in which windows ended.
        before: What was earned before them, USDC.
    """
    sums = accumulate((each.profit_micro for each in trades), initial=round(before * MICRO))
    next(sums)
    return [
        Point(each.entry.end_s, total / MICRO) for each, total in zip(trades, sums, strict=True)
    ]


def drawdown_of(equity: Sequence[Point], before: float = 0.0) -> list[Point]:
    """Return how far below its best each point is, at most 0.

    Args:
        equity: As of `equity_of`.
        before: What was earned before it: a first loss is one too.
    """
    best = before
    found = []
    for point in equity:
        best = max(best, point.value)
        found.append(Point(point.at_s, point.value - best))
    return found


def by_probability(trades: Sequence[Decided]) -> list[Group]:
    """Return trades with a result, in groups of alike probabilities, 0 to 1."""
    judged = [each for each in trades if each.result.value != "void"]
    return _groups(judged, lambda each: each.entry.probability_ppm / MICRO)


def by_price(trades: Sequence[Decided]) -> list[Group]:
    """Return trades in groups of alike prices paid, USDC for a share without fee."""
    return _groups(trades, lambda each: each.cost_micro / each.shares_micro)


def _groups(trades: Sequence[Decided], of: Callable[[Decided], float]) -> list[Group]:
    if not trades:
        return []
    ordered = sorted(trades, key=of)
    count = min(GROUPS_MAX, max(1, len(ordered) // GROUP_TRADES))
    wanted = (at * len(ordered) // count for at in range(1, count))
    # What is alike stays together: which of them came first says nothing.
    values = [of(each) for each in ordered]
    ends = sorted({0, *(bisect_right(values, values[at - 1]) for at in wanted), len(ordered)})
    return [_group(ordered[first:end], of) for first, end in pairwise(ends)]


def _group(trades: Sequence[Decided], of: Callable[[Decided], float]) -> Group:
    values = [of(each) for each in trades]
    in_order = sorted(trades, key=lambda each: each.entry.end_s)
    score = score_of(tally_of(in_order, Tally()))
    return Group(values[0], values[-1], sum(values) / len(values), score)
