"""``python -m foresight.backtest.again CONFIG``: decide views again, in a process of its own.

Owns the reading of views from stdin and the one line of verdicts on stdout. A strategy may keep
what it has read of a recording for as long as it lives; a new process knows nothing of another.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from foresight.backtest.prepared import strategies_for
from foresight.backtest.views import verdicts_of
from foresight.config import load
from foresight.strategies.base import WindowView


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        prices: Whose the prices are, `recorded` or `synthetic`.
        cuts: For each, views by timeframe.
    """

    prices: str
    cuts: list[dict[str, list[WindowView]]]


def main(config_path: Path) -> int:
    """Print what the strategies of a configuration make of the views on stdin, as JSON."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    sys.path.insert(0, str(config_path.parent))
    config = load(str(config_path), os.environ)
    strategies, _ = strategies_for(config, config_path.parent, asked.prices)
    verdicts = [verdicts_of(strategies, views) for views in asked.cuts]
    sys.stdout.write("\n" + msgspec.json.encode(verdicts).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
