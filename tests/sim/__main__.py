"""Search the simulated world for a broken guarantee.

`python -m tests.sim --seeds N [--first S]` runs seeds one after another on every core it may use;
`--seed S` runs one and tells what happens in it; `--mutants` breaks the protocol on purpose and
sees that the search finds it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.sim.world import run_seed, try_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sim.outcome import Outcome

SEEDS_DEFAULT: Final = 1000
SHOWN_MAX: Final = 20  # violations that are printed; the file has them all
_CHUNK: Final = 8


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if a guarantee is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one and tell what happens")
    parser.add_argument("--minutes", type=float, help="run for so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    parser.add_argument("--mutants", action="store_true", help="break the protocol and find it")
    parser.add_argument("--until-found", action="store_true", help="stop at a violation")
    parser.add_argument("--only", metavar="NAME", help="with --mutants: this one")
    options = parser.parse_args(arguments)
    if options.mutants:
        # Loaded late: mutants start this program again in copies of the tree.
        from tests.sim.mutants import try_mutants  # noqa: PLC0415

        return try_mutants(options.only, options.seeds)
    if options.seed is not None:
        return _replay(options.seed)
    return _search(options)


def _replay(seed: int) -> int:
    outcome = run_seed(seed, print)
    print(outcome)  # noqa: T201 - what was asked for
    return 1 if outcome.violation else 0


def _search(options: argparse.Namespace) -> int:
    begun_s = time.monotonic()
    deadline_s = begun_s + options.minutes * 60 if options.minutes else None
    outcomes: list[Outcome] = []
    for outcome in _outcomes(_seeds(options, deadline_s), options.jobs):
        outcomes.append(outcome)
        if outcome.violation and sum(bool(each.violation) for each in outcomes) <= SHOWN_MAX:
            sys.stdout.write(f"seed {outcome.seed}: {outcome.violation}\n")
            sys.stdout.write(f"    replay: make sim SEED={outcome.seed}\n")
            sys.stdout.flush()
        if outcome.violation and options.until_found:
            break
    seconds = time.monotonic() - begun_s
    report = _report(outcomes, seconds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{report['seeds']} seeds in {seconds:.1f} s ({report['seeds_per_second']} a second): "
        f"{report['cycles']} cycles, {report['owners']} owners, {report['effects']} effects, "
        f"{len(report['violations'])} violations\n"
    )
    return 1 if report["violations"] else 0


def _seeds(options: argparse.Namespace, deadline_s: float | None) -> Iterator[int]:
    count = options.seeds or (None if deadline_s else SEEDS_DEFAULT)
    for done in itertools.count():
        if done == count or (deadline_s is not None and time.monotonic() >= deadline_s):
            return
        yield options.first + done


def _outcomes(seeds: Iterator[int], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(try_seed, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        while batch := list(itertools.islice(seeds, jobs * _CHUNK * 4)):
            yield from pool.map(try_seed, batch, chunksize=_CHUNK)


def _report(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    return {
        "first": outcomes[0].seed if outcomes else None,
        "seeds": len(outcomes),
        "seconds": round(seconds, 3),
        "seeds_per_second": round(len(outcomes) / max(seconds, 1e-9), 1),
        "cycles": sum(each.cycles for each in outcomes),
        "owners": sum(each.owners for each in outcomes),
        "effects": sum(each.effects for each in outcomes),
        "simulated_seconds": round(sum(each.seconds for each in outcomes)),
        "violations": [
            {"seed": each.seed, "violation": each.violation, "replay": f"make sim SEED={each.seed}"}
            for each in outcomes
            if each.violation
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
