"""Late entry: near the end, take the side on which the price already is.

Owns one rule without a forecast: after `minute` minutes, if the price has moved more than
`threshold_sigmas` of what it may still move, buy the side it moved to. Its probability comes
from tables fitted on history; without any, from one rough curve for all minutes. It wins often
and earns nothing by that alone: at a fair price plus spread and fee it loses a cent or two a
share. The win rate never stands alone.
"""

from itertools import pairwise
from typing import Annotated, ClassVar, Final

from msgspec import Meta
from typing_extensions import override

from foresight.board import Side
from foresight.strategies.base import (
    Minute,
    Opinion,
    Probability,
    Sigmas,
    Silence,
    WindowView,
    read_table,
)
from foresight.strategies.calibrated import Calibrated

# Distance in sigmas of the remaining time against the share of windows that kept their side.
# The normal distribution, drawn in towards one half beyond two sigmas for its fat tails.
CALIBRATION: Final = (
    (0.0, 0.500),
    (0.5, 0.691),
    (1.0, 0.838),
    (1.5, 0.927),
    (2.0, 0.968),
    (2.5, 0.984),
    (3.0, 0.990),
)


class LateEntry(Calibrated, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`late_entry`.

    Attributes:
        minute: First whole minute of the window at which it may enter.
        minute_last: Last one.
        threshold_sigmas: Least distance from the price to beat, in standard deviations of
            what settles the window: of an average it is less than of the last price.
        calibration: Points of (distance, probability), rising distances: for all minutes and
            rules, where no tables are named.
    """

    name: ClassVar[str] = "late_entry"

    minute: Minute = 3
    minute_last: Minute = 4
    threshold_sigmas: Sigmas = 0.5
    calibration: Annotated[tuple[tuple[Sigmas, Probability], ...], Meta(min_length=1)] = CALIBRATION

    @override
    def __post_init__(self) -> None:
        """Refuse a curve that goes back or is not read, and a last minute before the first."""
        super().__post_init__()
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(self.calibration)):
            what = "calibration: its distances must rise"
            raise ValueError(what)
        if self.tables and self.calibration != CALIBRATION:
            what = "calibration is not read where tables are named: leave one of them out"
            raise ValueError(what)
        if self.minute_last < self.minute:
            what = f"minute_last {self.minute_last} is before minute {self.minute}"
            raise ValueError(what)

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        if not self.minute <= view.elapsed <= self.minute_last:
            return Silence("not its minute")
        distance = view.distance
        if abs(distance) < self.threshold_sigmas:
            return Silence(f"{abs(distance):.1f} sigmas from the price to beat")
        side = Side.UP if distance > 0 else Side.DOWN
        if not self.tables:
            return self.opinion(side, read_table(self.calibration, abs(distance)))
        chance = self.chance(view, abs(distance))
        return chance if isinstance(chance, Silence) else self.opinion(side, chance)
