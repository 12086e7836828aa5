"""How often a move of some size is right in the end: a curve fitted on one part of a recording.

Owns the fit: observations in order of their size, cut into groups of equal count, the groups'
shares of right ones made non-decreasing, straight lines between the groups' means.

Source of the middle step: pool adjacent violators, M. Ayer and others, An empirical distribution
function for sampling with incomplete information, Annals of Mathematical Statistics 26 (1955).
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: Final = 40


class WinCurve:
    """The share of right moves by their size; flat beyond the outermost groups.

    Args:
        sizes: Mean size of each group, rising.
        shares: Share of right ones of each, 0 to 1, never falling.
    """

    def __init__(self, sizes: Sequence[float], shares: Sequence[float]) -> None:
        """Keep the points."""
        assert len(sizes) == len(shares)
        assert sizes
        self._sizes = sizes
        self._shares = shares

    @property
    def points(self) -> list[tuple[float, float]]:
        """The groups: size and share of each, rising."""
        return list(zip(self._sizes, self._shares, strict=True))

    def at(self, size: float) -> float:
        """Return the share at a size."""
        above = bisect_right(self._sizes, size)
        if above == 0:
            return self._shares[0]
        if above == len(self._sizes):
            return self._shares[-1]
        left, right = self._sizes[above - 1], self._sizes[above]
        part = (size - left) / (right - left)
        return self._shares[above - 1] + part * (self._shares[above] - self._shares[above - 1])


def fitted(observations: Sequence[tuple[float, bool]], groups: int = GROUPS) -> WinCurve:
    """Fit a curve.

    Args:
        observations: Size of each move, and whether it was right; any order, at least one.
        groups: How many; fewer where there are fewer observations.
    """
    ordered = sorted(observations)
    parts = [ordered[start:end] for start, end in _cuts(len(ordered), groups) if start < end]
    sizes = [sum(size for size, _ in part) / len(part) for part in parts]
    shares = [sum(right for _, right in part) / len(part) for part in parts]
    return WinCurve(sizes, non_decreasing(shares, [len(part) for part in parts]))


def _cuts(count: int, groups: int) -> list[tuple[int, int]]:
    """Return where groups begin and end; what does not divide goes to the first ones, one each."""
    each, more = divmod(count, groups)
    sizes = [each + 1] * more + [each] * (groups - more)
    return list(pairwise([0, *accumulate(sizes)]))


def non_decreasing(values: Sequence[float], weights: Sequence[int]) -> list[float]:
    """Return the closest values that never fall, in the sense of weighted squares."""
    pools: list[tuple[float, int, int]] = []  # value, weight, how many it stands for
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            pool = _pooled(pools.pop(), pool)
        pools.append(pool)
    return [value for value, _, count in pools for _ in range(count)]


def _pooled(left: tuple[float, int, int], right: tuple[float, int, int]) -> tuple[float, int, int]:
    weight = left[1] + right[1]
    value = (left[0] * left[1] + right[0] * right[1]) / weight
    return value, weight, left[2] + right[2]
