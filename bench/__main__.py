"""What the engine costs beside the least that could do the same: `python -m bench`.

    python -m bench [--rounds 20] [--json FILE]

Owns the choice of measurements and the table. Medians and tails are a baseline to compare
with, never a gate; each ratio stands between two things measured in turn in one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import handover, lateness, previous_engine
from bench.counted_files import measure_commits
from bench.ratios import ratio_of_medians, spread

SMALL_BYTES = 4 * 1024
LARGE_BYTES = 256 * 1024


def main(argv: list[str] | None = None) -> int:
    """Measure, print the table, and write the JSON if it is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=20, help="kills of an owner")
    parser.add_argument("--json", default="", help="write everything here")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        found = measure(Path(temporary), rounds=arguments.rounds)
    sys.stdout.write(as_text(found) + "\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(directory: Path, *, rounds: int) -> dict[str, Any]:
    """Return each comparison: what the engine takes, what the bare thing takes, the ratio."""
    killed = handover.measure(directory, rounds=rounds)
    small = measure_commits(directory / "small", rounds=10 * rounds, body_bytes=SMALL_BYTES)
    large = measure_commits(directory / "large", rounds=10 * rounds, body_bytes=LARGE_BYTES)
    late = lateness.measure(directory, cycles=3 * rounds)
    found = {
        "owner again after SIGKILL, beside a flock and as many fsyncs": _compared(
            killed["seize"], killed["flock"]
        ),
        "a commit of 4 KiB, beside its fsyncs": _compared(small["transact"], small["bare"]),
        "a commit of 256 KiB, beside its fsyncs": _compared(large["transact"], large["bare"]),
        "lateness of a cycle, beside a bare timer": _compared(late["cycle"], late["bare_timer"]),
    }
    both = previous_engine.measure(
        directory / "engines", rounds=20 * rounds, body_bytes=SMALL_BYTES
    )
    if both:
        name = "a commit of 4 KiB, beside one of the previous release"
        found[name] = _compared(both["this"], both["previous"])
    return found


def _compared(ours: list[float], bare: list[float]) -> dict[str, Any]:
    return {
        "ours_ms": spread(ours)._asdict(),
        "bare_ms": spread(bare)._asdict(),
        "ratio": ratio_of_medians(ours, bare)._asdict(),
    }


def as_text(found: dict[str, Any]) -> str:
    """Return the comparisons as a table; times in milliseconds."""
    rows = [f"{'':8}{'count':>7}{'median':>10}{'p95':>10}{'p99':>10}{'max':>10}"]
    for name, values in found.items():
        ratio = values["ratio"]
        rows.append(f"{name}: {ratio['ratio']:.2f} x [{ratio['low']:.2f}, {ratio['high']:.2f}]")
        for key, label in (("ours_ms", "  ours"), ("bare_ms", "  bare")):
            each = values[key]
            rows.append(
                f"{label:8}{each['samples']:7.0f}{each['median']:10.3f}"
                f"{each['p95']:10.3f}{each['p99']:10.3f}{each['maximum']:10.3f}"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    raise SystemExit(main())
