"""What is counted for the tables that come with the exchange: moments of a world.

Owns the walk; the fit is `foresight.exchange.market.fitting`'s.
Must never enter: judging, pricing.
"""

from collections.abc import Sequence
from typing import Final

from bench.fairness.moments import World, moments
from foresight.exchange.market.calibration import curve_name
from foresight.exchange.market.fitting import Counts
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import stand

_EVERY: Final = 2  # steps between two moments, outside the last minute


def count(world: World, assets: Sequence[str]) -> Counts:
    """Return the counts of some assets of a world, both rules."""
    counts = Counts()
    for asset in assets:
        for rule in Rule:
            for moment in moments(world, asset, rule, every=_EVERY, ahead=True):
                standing = stand(world.tape, moment.window, rule, moment.market_ns)
                if standing is not None:
                    name = curve_name(moment.window.timeframe, rule, standing)
                    counts.add(name, standing, is_up=moment.is_up)
    return counts
