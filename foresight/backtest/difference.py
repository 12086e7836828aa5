"""What one trader earned above another over the same history, window by window, with its interval.

Owns the pairing by window, the interval and its width where several were tried. A share in each
window that either bought, whatever was staked: stakes say how much, not which of them knows more.
What either earned alone is in its own result.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from foresight.quarters import EFFECT_MIN, QUARTER_S, Quarters, design_effect, with_trade
from foresight.scoring import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from foresight.backtest.results import BacktestResult, Trade

LEVEL: Final = 0.95  # of all intervals together, however many there are
ALIKE: Final = "they decide alike and differ by exactly 0"
NO_EVIDENCE: Final = "no evidence of a difference"
_WORST: Final = Interval(-2.0, 2.0)  # a share lost against a share won, both ways
_QUARTERS_MIN: Final = 2  # without a second one nothing is known of their spread


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What the second earned above the first, USDC.

    Attributes:
        first: Name of the first.
        second: Name of the second.
        windows: In which either of them bought.
        alike: Of these, in how many both bought as much of the same side at the same price.
        level: Of the interval: higher where several were tried.
        difference: Mean over the windows of what a share earned more; one not bought earned 0.
        interval: Of the difference.
        profit: What all purchases earned more, stakes and all; it has no interval.
        says: What the interval allows to say, in words.
    """

    first: str
    second: str
    windows: int
    alike: int
    level: float
    difference: float
    interval: Interval
    profit: float
    says: str


class Pair(NamedTuple):
    """One window in which two do not buy alike; None where one of them buys nothing."""

    end_s: int
    first: Trade | None
    second: Trade | None

    @property
    def difference(self) -> float:
        """What a share of the second earned more."""
        earned = [0.0 if each is None else each.share_profit for each in (self.first, self.second)]
        return earned[1] - earned[0]


def level_for(tried: int) -> float:
    """Return the level of each interval so that all of them hold at `LEVEL`.

    The best of many wins by luck: of 46 rules without skill two look "above zero" at 95 %.

    Args:
        tried: How many were compared with the first, at least 1.

    Source: Z. Sidak, Rectangular confidence regions for the means of multivariate normal
    distributions, JASA 62 (1967).
    """
    return float(LEVEL ** (1.0 / tried))


def difference_of(first: BacktestResult, second: BacktestResult, *, tried: int = 1) -> Difference:
    """Return what the second earned above the first.

    Args:
        first: What is there.
        second: What is tried, over the same minutes at the same prices.
        tried: How many were, this one included: each of them widens the interval.
    """
    assert (first.judged_from, first.judged_until) == (second.judged_from, second.judged_until)
    ones, others = _by_slug(first.trades), _by_slug(second.trades)
    slugs = dict.fromkeys([*ones, *others])
    pairs = [
        Pair((ones.get(slug) or others[slug]).end_s, ones.get(slug), others.get(slug))
        for slug in slugs
        if not _is_alike(ones.get(slug), others.get(slug))
    ]
    mean = sum(each.difference for each in pairs) / len(slugs) if slugs else 0.0
    level = level_for(tried)
    interval = _interval(pairs, len(slugs), mean, level) if pairs else Interval(0.0, 0.0)
    return Difference(
        first=first.name,
        second=second.name,
        windows=len(slugs),
        alike=len(slugs) - len(pairs),
        level=level,
        difference=mean,
        interval=interval,
        profit=second.score.profit - first.score.profit,
        says=_says(pairs, interval, first.name, second.name),
    )


def _by_slug(trades: Iterable[Trade]) -> Mapping[str, Trade]:
    return {trade.slug: trade for trade in trades}


def _is_alike(one: Trade | None, other: Trade | None) -> bool:
    if one is None or other is None:
        return False
    return (one.side, one.shares, one.staked) == (other.side, other.shares, other.staked)


def _says(pairs: Sequence[Pair], interval: Interval, first: str, second: str) -> str:
    if not pairs:
        return ALIKE
    if interval.low > 0:
        return f"{second} earns more than {first}"
    return f"{second} earns less than {first}" if interval.high < 0 else NO_EVIDENCE


class _Stratum(NamedTuple):
    """Shares whose payment moves the difference alike.

    Attributes:
        weight: How much the difference rises where one of them pays: 2 for a share of the other
            side, which pays where the first one's does not.
        trades: They.
    """

    weight: float
    trades: Sequence[Trade]

    @property
    def mean(self) -> float:
        """Share of them that paid."""
        return sum(map(_paid, self.trades)) / len(self.trades)


def _strata(pairs: Sequence[Pair]) -> list[_Stratum]:
    """Return what is left to chance; two shares of the same side pay alike, whatever they cost."""
    only_first = [each.first for each in pairs if each.first and not each.second]
    only_second = [each.second for each in pairs if each.second and not each.first]
    opposite = [
        each.second
        for each in pairs
        if each.first and each.second and each.first.side != each.second.side
    ]
    found = (_Stratum(-1.0, only_first), _Stratum(1.0, only_second), _Stratum(2.0, opposite))
    return [each for each in found if each.trades]


def _interval(pairs: Sequence[Pair], windows: int, mean: float, level: float) -> Interval:
    """Return the wider of two intervals on each side: each is too narrow somewhere.

    What was paid is known; only what pays is left to chance. The spread of quarter hours knows
    whatever correlates, and not what has not happened yet: of twenty shares bought at 95 c and won
    it says that none is ever lost. Wilson's interval knows that, and not what correlates between
    the two.
    """
    if len({each.end_s // QUARTER_S for each in pairs}) < _QUARTERS_MIN:
        return _WORST
    quantile = NormalDist().inv_cdf((1.0 + level) / 2.0)
    strata = _strata(pairs)
    reach = _spread(strata, quantile)
    below, above = _chances(strata, quantile)
    return Interval(mean - max(reach, below) / windows, mean + max(reach, above) / windows)


def _spread(strata: Sequence[_Stratum], quantile: float) -> float:
    """Return how far the sum of differences may lie off, by what quarter hours came to."""
    by_quarter: dict[int, float] = {}
    alone = 0.0
    for weight, trades in strata:
        mean = _Stratum(weight, trades).mean
        for trade in trades:
            off = weight * (_paid(trade) - mean)
            quarter = trade.end_s // QUARTER_S
            by_quarter[quarter] = by_quarter.get(quarter, 0.0) + off
            alone += EFFECT_MIN * off * off
    free = max(1, len(by_quarter) - 1)
    together = sum(each * each for each in by_quarter.values()) * (free + 1) / free
    # Student's quantile from the normal one, to the first order of its expansion.
    student = quantile * (1.0 + (quantile**2 + 1.0) / (4.0 * free))
    return student * sqrt(max(together, alone))


def _chances(strata: Sequence[_Stratum], quantile: float) -> tuple[float, float]:
    """Return how far the sum of differences may lie below and above, by Wilson's intervals.

    Source: G. Y. Zou and A. Donner, Construction of confidence limits about effect measures,
    Statistics in Medicine 27 (2008).
    """
    below = above = 0.0
    for weight, trades in strata:
        fewer, more = _reach(trades, quantile)
        down, up = (fewer, more) if weight > 0 else (more, fewer)
        below += (weight * down) ** 2
        above += (weight * up) ** 2
    return sqrt(below), sqrt(above)


def _reach(trades: Sequence[Trade], quantile: float) -> tuple[float, float]:
    """Return how many fewer, and how many more, of some shares might have paid."""
    sums = Quarters()
    for trade in sorted(trades, key=lambda each: each.end_s):
        sums = with_trade(sums, end_s=trade.end_s, is_won=trade.result == trade.side)
    effect, count, paid = design_effect(sums), len(trades), sum(map(_paid, trades))
    share = wilson(paid / effect, count / effect, quantile=quantile)
    return paid - count * share.low, count * share.high - paid


def _paid(trade: Trade) -> float:
    return 0.5 if trade.result == "void" else float(trade.result == trade.side)
