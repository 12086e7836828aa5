"""What is counted for the tables that come with the exchange: moments of a world.

Owns the walk; the fit is `foresight.exchange.market.fitting`'s.
Must never enter: judging, pricing.
"""

from collections.abc import Sequence
from typing import Final

from bench.fairness.moments import World, moments
from foresight.exchange.market.calibration import curve_name
from foresight.exchange.market.fitting import Counts

_EVERY: Final = 2  # steps between two moments, outside the last minute


def count(world: World, assets: Sequence[str]) -> Counts:
    """Return the counts of some assets of a world, both rules."""
    counts = Counts()
    for asset in assets:
        for moment in moments(world, asset, every=_EVERY, ahead=True):
            name = curve_name(moment.window.timeframe, moment.rule, moment.standing)
            counts.add(name, moment.standing, is_up=moment.is_up)
    return counts
