"""How late cycles begin, beside a timer that does nothing else.

Owns one measurement: an installation that nobody deploys to, its witness, and a bare timer
half a period away on the same machine at the same time.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.chained import Settings
from bench.handover import MODULE, PERIOD_S
from bench.installation import ROOT, Installation, environment
from foresight.evidence.count import begun_ns

if TYPE_CHECKING:
    from pathlib import Path


def measure(directory: Path, *, cycles: int) -> dict[str, list[float]]:
    """Return how many milliseconds late cycles and a bare timer were."""
    period_ns = round(PERIOD_S * 1e9)
    with Installation(directory / "lateness") as installation:
        settings = Settings(
            version="0", witness=str(installation.witness), period_s=PERIOD_S, body_bytes=1024
        )
        installation.start(installation.tree(MODULE, settings, name="v0"), "chained:create")
        numbers = map(str, (period_ns, period_ns // 2, 1, cycles))
        timer = subprocess.run(
            [sys.executable, "-m", "bench.bare_timer", *numbers],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        installation.down()
        begun = begun_ns(installation.reports())
    late = [(at_ns - cycle * period_ns) / 1e6 for cycle, at_ns in sorted(begun.items())]
    return {
        "cycle": late[1:],  # the first one was due before there was anybody
        "bare_timer": [int(each) / 1e6 for each in timer.stdout.split()],
    }
