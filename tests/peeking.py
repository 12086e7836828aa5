"""A project whose strategy reads the next minute's close in the recording, and one that does not.

The two are alike in everything else: at minute 4 of a window of 5 both buy one side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MODULE: Final = (ROOT / "examples" / "peeking.py").read_text(encoding="utf-8")
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
