"""Strategies: a view of a window in, a probability and a price out.

Add one by a module with a `Strategy` subclass and a line in `registry.STRATEGIES`.
"""

from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.registry import STRATEGIES, build, judge

__all__ = ["STRATEGIES", "Opinion", "Silence", "Strategy", "WindowView", "build", "judge"]
