"""Records of trades whose windows win and lose together, and how often an interval holds."""

from __future__ import annotations

import random
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from foresight.board import MICRO
from foresight.quarters import Quarters, with_trade
from foresight.scoring import score_of
from foresight.trades import Tally

TRADES = 100  # of a record
TOGETHER = 8  # trades of one window
CORRELATION = 0.5  # of the latent normal values within a window
_NORMAL = NormalDist()


class Coverage(NamedTuple):
    """Of how many records the interval holds the true expectation, and is above zero."""

    covered: float
    above_zero: float


def simulated(prices: tuple[float, float], edge: float, *, records: int, seed: int) -> Coverage:
    """Return how the interval of the expectation does over records of one rule.

    Args:
        prices: Least and highest price paid a share, fee included.
        edge: How much more likely a share wins than it costs.
        records: How many are drawn.
        seed: Of the draw.
    """
    dice = random.Random(seed)  # noqa: S311 - dice for a simulation
    covered = above = 0
    for _ in range(records):
        interval = score_of(_record(dice, prices, edge)).expectation_interval
        covered += interval.low <= edge <= interval.high
        above += interval.low > 0
    return Coverage(covered / records, above / records)


def _record(dice: random.Random, prices: tuple[float, float], edge: float) -> Tally:
    sums, won, paid, shared = Quarters(), 0, 0.0, 0.0
    for number in range(TRADES):
        if number % TOGETHER == 0:
            shared = dice.gauss(0, 1)
        price = dice.uniform(*prices)
        own = dice.gauss(0, 1)
        value = sqrt(CORRELATION) * shared + sqrt(1 - CORRELATION) * own
        is_won = value < _NORMAL.inv_cdf(price + edge)
        won, paid = won + is_won, paid + price
        sums = with_trade(sums, end_s=number // TOGETHER * 900, is_won=is_won)
    return Tally(trades=TRADES, won=won, share_cost_micro=round(paid * MICRO), quarters=sums)
