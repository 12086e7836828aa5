"""Fade: after a large move, expect part of it to come back.

Owns a rule of mean reversion for the longer windows. No calibration enters: the probability is
normal around a price that has returned by `pull` of its move.
"""

from typing import ClassVar

from typing_extensions import override

from foresight.board import Side
from foresight.strategies.base import (
    Minute,
    Opinion,
    Probability,
    Sigmas,
    Silence,
    Strategy,
    WindowView,
    normal,
)


class Fade(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`fade`.

    Attributes:
        minute: First whole minute of the window at which it may enter.
        minute_last: Last one.
        threshold_sigmas: Least move so far, in standard deviations of the elapsed time.
        pull: Part of the move that is expected to come back by the end, 0 to 1.
    """

    name: ClassVar[str] = "fade"

    minute: Minute = 3
    minute_last: Minute = 9
    threshold_sigmas: Sigmas = 2.0
    pull: Probability = 0.3

    def __post_init__(self) -> None:
        """Refuse a last minute before the first."""
        if self.minute_last < self.minute:
            what = f"minute_last {self.minute_last} is before minute {self.minute}"
            raise ValueError(what)

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        if not self.minute <= view.elapsed <= self.minute_last:
            return Silence("not its minutes")
        distance = view.move / (view.sigma * view.elapsed**0.5)
        if abs(distance) < self.threshold_sigmas:
            return Silence(f"moved {abs(distance):.1f} sigmas")
        expected = view.move * (1.0 - self.pull) / (view.sigma * view.spread_minutes**0.5)
        if distance > 0:
            return self.opinion(Side.DOWN, normal(-expected))
        return self.opinion(Side.UP, normal(expected))
