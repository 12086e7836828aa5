"""Cycles that run and see nothing of the world, in words: the newest lines in, troubles out.

Owns from when on that is said. One cycle without an answer is weather; a row of them is a bot that
buys nothing and shows prices of before, whatever else is well with it.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from foresight.dashboard.cycles import CycleLine
from foresight.dashboard.snapshot import Trouble

BLIND_MIN: Final = 3  # cycles running


def blind_troubles(lines: Sequence[CycleLine]) -> list[Trouble]:
    """Return that the newest cycles saw nothing; nothing where one of them did.

    Args:
        lines: Journal lines that happened, oldest first.
    """
    newest_first = (line for line in reversed(lines) if line.kind == "decide" and _has_asked(line))
    blind = [*takewhile(_is_blind, newest_first)]
    if len(blind) < BLIND_MIN:
        return []
    why = f": {blind[0].unavailable}" if blind[0].unavailable else ""
    text = f"The newest {len(blind)} cycles saw nothing{why}. Nothing is bought; prices are old."
    return [Trouble(level="warn", text=text, hint="foresight logs")]


def _has_asked(line: CycleLine) -> bool:
    return bool(line.unavailable) or (line.health is not None and line.health.asked > 0)


def _is_blind(line: CycleLine) -> bool:
    return bool(line.unavailable) or (line.health is not None and not line.health.answered)
