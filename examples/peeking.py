"""Two strategies of known skill: one reads the next minute's close in the recording, one cannot.

Nobody earns what the first one earns. It is here to show that `compare`, the results of a release
and `--check-future` tell it from one without skill; the folder of the recording reaches strategies
by `FORESIGHT_RECORDING`. Both buy one side, whatever it costs.
"""

import os
from pathlib import Path
from typing import ClassVar

from foresight.board import Side
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView

KEY = 6  # closes by which a moment is found in the recording


def _read() -> dict[tuple[float, ...], float]:
    found = {}
    for path in Path(os.environ["FORESIGHT_RECORDING"]).glob("*.csv"):
        lines = path.read_text(encoding="ascii").splitlines()[1:]
        closes = [float(line.split(",")[4]) for line in lines]
        for at in range(KEY, len(closes)):
            found[tuple(closes[at - KEY : at])] = closes[at]
    return found


NEXT = _read()


class Peek(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Buys the side on which the window will end, or the one on which it stands."""

    name: ClassVar[str] = "peek"
    peeks: bool = True
    flips: bool = False
    minute: int = 4

    def judge(self, view: WindowView) -> Opinion | Silence:
        """Return the side on which the next minute closes; without skill, that of the newest."""
        if view.elapsed != self.minute:
            return Silence("not its minute")
        close = NEXT.get(view.closes[-KEY:], view.price) if self.peeks else view.price
        is_up = (close >= view.reference) is not self.flips
        return self.opinion(Side.UP if is_up else Side.DOWN, 0.97)
