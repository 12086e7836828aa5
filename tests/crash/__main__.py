"""`python -m tests.crash`: a fault at every system call of a commit, and what each one leaves.

By default every point of every step; `--full` adds a second fault during the recovery from each
kill and, where it is permitted, a power cut of a real file system; `--sample N` takes N points,
spread evenly. Prints totals; exits 1 if anything is torn, lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.crash import disk_images, sweep
from tests.crash.sweep import CHANGING, RECOVERY, STEPS, Point, Sweep, Trial, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

JOBS: Final = 2
WRONG: Final = ("torn", "lost", "doubled")


def sampled(points: Sequence[Point], size: int) -> list[Point]:
    """Return so many points, spread evenly over all of them."""
    if size >= len(points):
        return list(points)
    return [points[index * len(points) // size] for index in range(size)]


def run_points(sweeper: Sweep, points: Sequence[Point], *, keep: bool = False) -> list[Trial]:
    """Run points side by side; each has a home of its own."""
    with ThreadPoolExecutor(JOBS) as threads:
        return list(threads.map(lambda point: sweeper.run(point, keep_wreck=keep), points))


def recovery_points(sweeper: Sweep, trials: Sequence[Trial]) -> list[Point]:
    """Return the points of the recovery from each kind of wreck that a kill left."""
    wrecks: dict[str, Path] = {}
    for trial in trials:
        if trial.wreck is not None and trial.point.fault == "KILL":
            wrecks.setdefault(fingerprint(trial.wreck), trial.wreck)
    found = [point for wreck in wrecks.values() for point in sweeper.points(RECOVERY, wreck)]
    # Killed at a call that only looks, a recovery leaves what it would leave at the next one.
    return [point for point in found if point.call in CHANGING]


def totals(trials: Sequence[Trial]) -> dict[str, int]:
    """Count what came of the points."""
    return {
        "points": len(trials),
        "not_struck": sum(not trial.struck for trial in trials),
        "torn": sum(bool(trial.verdict.torn) for trial in trials),
        "lost": sum(bool(trial.verdict.lost) for trial in trials),
        "doubled": sum(bool(trial.verdict.doubled) for trial in trials),
        "trouble": sum(bool(trial.trouble) for trial in trials),
    }


def by_step(trials: Sequence[Trial]) -> dict[str, dict[str, int]]:
    steps = dict.fromkeys(trial.point.step for trial in trials)
    return {step: totals([each for each in trials if each.point.step == step]) for step in steps}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also faults during recovery")
    parser.add_argument("--sample", type=int, metavar="N", help="only N points, spread evenly")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the totals there too")
    options = parser.parse_args(arguments)
    reason = sweep.why_impossible()
    if reason:
        sys.stdout.write(f"skipped: {reason}\n")
        return 0
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        trials = _swept(Path(name), full=options.full, sample=options.sample)
    found = totals(trials) | {"seconds": round(time.monotonic() - begun_s)}
    for step, counts in by_step(trials).items():
        _print(step, counts)
    _print("all", found)
    images = _on_disk_images() if options.full else {}
    for trial in trials:
        if not trial.is_clean:
            sys.stdout.write(f"{trial.point}\n  {trial.verdict}\n  {trial.trouble}\n")
    if options.json is not None:
        report = {"totals": found, "steps": by_step(trials), "images": images}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    bad = [counts for counts in images.values() if any(counts[word] for word in WRONG)]
    return 0 if all(trial.is_clean for trial in trials) and not bad else 1


def _on_disk_images() -> dict[str, dict[str, int]]:
    """Cut the power on real file systems, where that is permitted; say so where it is not."""
    found: dict[str, dict[str, int]] = {}
    for kind in disk_images.SIZES:
        reason = disk_images.why_impossible(kind)
        if reason:
            sys.stdout.write(f"{kind:14} skipped: {reason}\n")
            continue
        command = ["unshare", "--mount", sys.executable, "-m", "tests.crash.disk_images", kind]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=sweep.ROOT)
        if done.returncode:
            sys.stdout.write(f"{kind:14} skipped: {done.stderr.strip()[-200:]}\n")
            continue
        found[kind] = json.loads(done.stdout)
        _print(kind, found[kind])
        sys.stdout.write(done.stderr)
    return found


def _swept(place: Path, *, full: bool, sample: int | None) -> list[Trial]:
    sweeper = Sweep(place)
    points = [point for step in STEPS for point in sweeper.points(step)]
    points += sweeper.put_backs(points)
    if sample is not None:
        points = sampled(points, sample)
    trials = run_points(sweeper, points, keep=full)
    if full:
        again = recovery_points(sweeper, trials)
        sys.stdout.write(f"{len(trials)} points done, now {len(again)} of recoveries\n")
        sys.stdout.flush()
        trials += run_points(sweeper, sampled(again, sample) if sample is not None else again)
    return trials


def _print(name: str, counts: dict[str, int]) -> None:
    words = "  ".join(f"{word} {count}" for word, count in counts.items())
    sys.stdout.write(f"{name:14} {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
