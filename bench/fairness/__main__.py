"""``python -m bench.fairness``: are the local exchange's prices fair?

Owns the command line, the two processes and the printed table. ``--fit`` writes the tables again
instead: the recorded one from the first half of the recordings, the synthetic one from its own
seeds. Must never enter: what fair means (see `judging`).
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.fairness.fitting import count
from bench.fairness.judging import Plain, Sums, Verdict, collect, judge
from bench.fairness.moments import WARM_MINUTES, World, recorded_halves, synthetic_world
from foresight.exchange.market.calibration import Table
from foresight.exchange.market.fitting import Counts, fit
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.table_files import TABLES, load_table
from foresight.exchange.prices.synthetic import DEFAULT_ASSETS

FITTED_SEEDS: Final = (101, 102, 103, 104, 105, 106)
JUDGED_SEEDS: Final = (302, 303, 304)
DAYS: Final = 20
RECORDINGS: Final = Path(__file__).parents[3] / "shared" / "market"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge or fit; 0 if everything judged is fair."""
    options = _parser().parse_args(arguments)
    if not options.recordings.is_dir():
        print(f"recorded candles are absent: no folder {options.recordings}; judging without them")
    with ProcessPoolExecutor(options.workers) as pool:
        if options.fit:
            return _fit(options, pool)
        return _judge(options, pool)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="write the tables again")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="recorded candles")
    parser.add_argument("--only", choices=("recorded", "synthetic"), help="one price source alone")
    parser.add_argument("--days", type=int, default=DAYS, help="of each synthetic seed")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    return parser


def _fit(options: argparse.Namespace, pool: ProcessPoolExecutor) -> int:
    if options.only != "synthetic" and options.recordings.is_dir():
        world, _ = recorded_halves(options.recordings)
        counts = _counted(
            pool, [partial(_count_recorded, options.recordings, one) for one in world.assets]
        )
        span = world.first_minute - WARM_MINUTES, world.end_minute
        dates = " to ".join(
            f"{datetime.fromtimestamp(60 * one, UTC):%Y-%m-%d %H:%M}" for one in span
        )
        _write(
            fit(counts, source="recorded", fitted_on=f"recorded minutes, {dates} UTC", span=span)
        )
    if options.only != "recorded":
        jobs = [
            partial(_count_synthetic, seed, options.days, asset)
            for seed in FITTED_SEEDS
            for asset in DEFAULT_ASSETS
        ]
        seeds = ", ".join(map(str, FITTED_SEEDS))
        fitted_on = f"seeds {seeds}, {options.days} days each"
        _write(fit(_counted(pool, jobs), source="synthetic", fitted_on=fitted_on))
    return 0


def _counted(pool: ProcessPoolExecutor, jobs: Sequence[Callable[[], Counts]]) -> Counts:
    counts = Counts()
    for done in [pool.submit(job) for job in jobs]:
        counts.merge(done.result())
    return counts


def _write(table: Table) -> None:
    path = TABLES / f"{table.source}.json"
    path.write_bytes(msgspec.json.encode(table) + b"\n")
    print(f"{path}: {table.fitted_on}")


def _judge(options: argparse.Namespace, pool: ProcessPoolExecutor) -> int:
    is_fair = True
    if options.only != "synthetic" and options.recordings.is_dir():
        _, world = recorded_halves(options.recordings)
        jobs = [partial(_collect_recorded, options.recordings, one) for one in world.assets]
        is_fair &= _judged(world.name, pool, jobs)
    if options.only != "recorded":
        jobs = [
            partial(_collect_synthetic, seed, options.days, asset)
            for seed in JUDGED_SEEDS
            for asset in DEFAULT_ASSETS
        ]
        is_fair &= _judged(f"synthetic, seeds {', '.join(map(str, JUDGED_SEEDS))}", pool, jobs)
    return 0 if is_fair else 1


def _judged(
    name: str, pool: ProcessPoolExecutor, jobs: Sequence[Callable[[], dict[Rule, Plain]]]
) -> bool:
    sums = {rule: Sums() for rule in Rule}
    for done in [pool.submit(job) for job in jobs]:
        for rule, plain in done.result().items():
            sums[rule].merge(plain)
    verdicts = [_say(name, rule, judge(sums[rule])) for rule in Rule]
    return all(verdicts)


def _say(name: str, rule: Rule, verdict: Verdict) -> bool:
    print(f"\n{name}, settled by {rule.value}: {verdict.cells} cells, {len(verdict.missed)} missed")
    for cell, found in verdict.missed:
        print(f"  {cell}: {100 * found.mean:+.2f} c, standard error {100 * found.error:.2f}")
    for one, found, fault in verdict.rules:
        print(
            f"  {one:24} {100 * found.mean:+7.3f} c  +- {100 * found.error:.3f}"
            f"  {found.quotes:9} quotes  {fault or 'fair'}"
        )
    print("  fair" if verdict.is_fair else "  NOT FAIR", flush=True)
    return verdict.is_fair


def _count_recorded(folder: Path, asset: str) -> Counts:
    return count(recorded_halves(folder)[0], [asset])


def _count_synthetic(seed: int, days: int, asset: str) -> Counts:
    return count(synthetic_world(seed, days=days), [asset])


def _collect_recorded(folder: Path, asset: str) -> dict[Rule, Plain]:
    world: World = recorded_halves(folder)[1]
    return _plain(collect(world, load_table("recorded"), [asset]))


def _collect_synthetic(seed: int, days: int, asset: str) -> dict[Rule, Plain]:
    # Seeds are other weeks of one market: their clusters must not be taken for the same windows.
    world = synthetic_world(seed, days=days)
    found = _plain(collect(world, load_table("synthetic"), [asset]))
    return {
        rule: {
            name: {end_s + seed * 10**9: cell for end_s, cell in clusters.items()}
            for name, clusters in plain.items()
        }
        for rule, plain in found.items()
    }


def _plain(sums: dict[Rule, Sums]) -> dict[Rule, Plain]:
    return {rule: one.plain() for rule, one in sums.items()}


if __name__ == "__main__":
    sys.exit(main())
