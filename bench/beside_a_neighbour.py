"""How late cycles begin while a second account on the host tries everything against the bot.

    python -m bench.beside_a_neighbour [--rounds 8] [--seconds 15] [--json FILE]

Owns one bot as `foresight init` makes it, and windows in turn: it is left alone, then another
account tries all that `tests.process.neighbour` knows, again and again, and holds connections.
Only root can act as somebody else. Exits 1 where the 99th percentile of the cycles beside the
neighbour is more than a tenth of the period.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.ratios import Ratio, Spread, ratio_of_medians, spread
from tests.process.second_account import SPEED, place_of_all, running, tries

if TYPE_CHECKING:
    from foresight.evidence.command import Command
    from tests.process.second_account import Target

PERIOD_MS: Final = 60_000 / SPEED
LATE_PART_MAX: Final = 0.1  # of the period, at the 99th percentile
CALM_S: Final = 5.0  # after a start, and between the windows


def measure(*, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return how many milliseconds late cycles began, left alone and beside the neighbour."""
    late: dict[str, list[float]] = {"alone": [], "beside": []}
    with place_of_all() as place, running(place) as (command, target):
        for _ in range(rounds):
            late["alone"] += _window(command, target, seconds, tried=False)
            late["beside"] += _window(command, target, seconds, tried=True)
        checked = command.run("cycles", "--check")
        assert checked.code == 0, checked.words
    return late


def _window(command: Command, target: Target, seconds: float, *, tried: bool) -> list[float]:
    """Return the lateness of the cycles that lie within one window."""
    time.sleep(CALM_S)
    first = int(command.status()["cycle"]) + 1
    if tried:
        found = tries(target, seconds=seconds)
        assert not any(each["done"] for each in found.values()), found
    else:
        time.sleep(seconds)
    last = int(command.status()["cycle"])
    rows = command.run("cycles", "--since", str(first), "--json").objects()
    found_ms = [row["late_ms"] for row in rows if row["cycle"] <= last]
    assert None not in found_ms, "a cycle was missed"
    return found_ms


def as_text(alone: Spread, beside: Spread, ratio: Ratio) -> str:
    """Return what was measured as lines of text."""
    lines = [
        f"{name:7} {each.samples} cycles, {each.median:.1f} ms late (median), "
        f"p95 {each.p95:.1f}, p99 {each.p99:.1f}, at most {each.maximum:.1f}"
        for name, each in (("alone", alone), ("beside", beside))
    ]
    part = beside.p99 / PERIOD_MS
    lines.append(f"ratio of medians {ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]")
    lines.append(f"p99 beside: {part:.1%} of the period, wanted: at most {LATE_PART_MAX:.0%}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write the JSON if it is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside_a_neighbour")
    parser.add_argument("--rounds", type=int, default=8, help="pairs of windows")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each window")
    parser.add_argument("--json", default="", help="write everything here")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        sys.stderr.write("error: only root can act as somebody else\nhint: run it with sudo\n")
        return 2
    late = measure(rounds=arguments.rounds, seconds=arguments.seconds)
    alone, beside = spread(late["alone"]), spread(late["beside"])
    ratio = ratio_of_medians(late["beside"], late["alone"])
    sys.stdout.write(as_text(alone, beside, ratio) + "\n")
    if arguments.json:
        found: dict[str, Any] = {
            "alone_ms": alone._asdict(),
            "beside_ms": beside._asdict(),
            "ratio": ratio._asdict(),
        }
        Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if beside.p99 <= LATE_PART_MAX * PERIOD_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
