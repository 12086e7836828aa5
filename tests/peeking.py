"""A project whose strategy reads the next minute's close in the recording, and one that does not.

The two are alike in everything else: at minute 4 of a window of 5 both buy one side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MODULE: Final = '''
"""Strategies of different skill."""

import os
from pathlib import Path
from typing import ClassVar

from foresight.board import Side
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView

KEY = 6  # closes by which a moment is found in the recording


def _read() -> dict[tuple[float, ...], float]:
    found = {}
    for path in Path(os.environ["FORESIGHT_RECORDING"]).glob("*.csv"):
        lines = path.read_text().splitlines()[1:]
        closes = [float(line.split(",")[4]) for line in lines]
        for at in range(KEY, len(closes)):
            found[tuple(closes[at - KEY : at])] = closes[at]
    return found


NEXT = _read()


class Peek(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Buys the side on which the window will end."""

    name: ClassVar[str] = "peek"
    peeks: bool = True
    flips: bool = False

    def judge(self, view: WindowView) -> Opinion | Silence:
        if view.elapsed != 4:
            return Silence("not its minute")
        close = NEXT.get(view.closes[-KEY:], view.price) if self.peeks else view.price
        is_up = (close >= view.reference) is not self.flips
        return self.opinion(Side.UP if is_up else Side.DOWN, 0.97)
'''
SETTINGS: Final = """
[engine]
app = "demo"
[risk]
edge_min_cents = -100
edge_max_cents = 100
stake_floor_usdc = 8.0
[strategy.5m]
name = "{module}:Peek"
peeks = {peeks}
flips = {flips}
"""


def settings(module: str, *, peeks: bool, flips: bool = False) -> str:
    """Return the configuration of one of the two."""
    words = {"peeks": str(peeks).lower(), "flips": str(flips).lower()}
    return SETTINGS.format(module=module, **words)


def write_peeking(tree: Path, *, module: str = "peeking_strategy") -> None:
    """Write the module, and a configuration for each of the two."""
    (tree / f"{module}.py").write_text(MODULE, encoding="utf-8")
    for name, peeks in (("foresight.toml", False), ("peeking.toml", True)):
        (tree / name).write_text(settings(module, peeks=peeks), encoding="utf-8")
