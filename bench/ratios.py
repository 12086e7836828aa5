"""Medians, tails and ratios with their uncertainty.

Owns the arithmetic on measured values; it measures nothing. An interval is the bootstrap's:
what the ratio would have been, had other samples of the same run been drawn.
"""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 2000
CONFIDENCE = 0.95


class Spread(NamedTuple):
    """Where values lie, in their own unit."""

    samples: int
    median: float
    p95: float
    p99: float
    maximum: float


class Ratio(NamedTuple):
    """A ratio of two medians and its 95 % bootstrap interval."""

    ratio: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return where values lie.

    Args:
        values: At least one.
    """
    ordered = sorted(values)
    return Spread(
        samples=len(ordered),
        median=statistics.median(ordered),
        p95=_quantile(ordered, 0.95),
        p99=_quantile(ordered, 0.99),
        maximum=ordered[-1],
    )


def ratio_of_medians(upper: Sequence[float], lower: Sequence[float], *, seed: int = 0) -> Ratio:
    """Return median(upper) / median(lower) with its interval.

    Args:
        upper: At least one value.
        lower: At least one value, their median above zero.
        seed: Of the resampling, so that a report can be printed again.
    """
    draw = random.Random(seed)  # noqa: S311 - resampling, no secret
    ratios = sorted(
        _median_of_sample(upper, draw) / _median_of_sample(lower, draw) for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    return Ratio(
        ratio=statistics.median(upper) / statistics.median(lower),
        low=_quantile(ratios, tail),
        high=_quantile(ratios, 1 - tail),
    )


def _median_of_sample(values: Sequence[float], draw: random.Random) -> float:
    return statistics.median(draw.choices(values, k=len(values)))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share lies, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
