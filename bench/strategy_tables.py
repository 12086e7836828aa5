"""``python -m bench.strategy_tables``: write the tables that come with the strategies.

Owns what they are fitted on: seeds of the synthetic market, and the first half of the recordings,
as the exchange's own tables (`bench.fairness`). The fit is `foresight.backtest.calibration`'s.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.fairness.__main__ import DAYS, FITTED_SEEDS, RECORDINGS
from bench.fairness.moments import recorded_halves, synthetic_world
from foresight.backtest.calibration import SHAPES, Span, fit, seen_in
from foresight.backtest.candle_rows import Candles, stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.fairness.moments import World
    from foresight.strategies.table import Prices

TABLES: Final = Path(__file__).parents[1] / "foresight" / "strategies" / "tables"
_COLUMNS: Final = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Write all tables; the recorded ones where the recordings are."""
    parser = argparse.ArgumentParser(prog="python -m bench.strategy_tables", description=__doc__)
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="recorded candles")
    options = parser.parse_args(arguments)
    worlds = [synthetic_world(seed, days=DAYS) for seed in FITTED_SEEDS]
    seeds = ", ".join(map(str, FITTED_SEEDS))
    _write("synthetic", worlds, f"seeds {seeds}, {DAYS} days each")
    if options.recordings.is_dir():
        early, _ = recorded_halves(options.recordings)
        dates = [
            f"{datetime.fromtimestamp(60 * each, UTC):%Y-%m-%d %H:%M}" for each in _span(early)
        ]
        _write("recorded", [early], f"recorded minutes, {' to '.join(dates)} UTC")
    else:
        print(f"recorded candles are absent: no folder {options.recordings}")
    return 0


def _write(source: Prices, worlds: Sequence[World], fitted_on: str) -> None:
    candles = [part for world in worlds for part in _candles(world)]
    span = _span(worlds[0])
    for timeframe, rule in SHAPES:
        table = fit(
            seen_in(candles, timeframe, rule, span),
            timeframe,
            rule,
            within=span,
            source=source,
            fitted_on=fitted_on,
        )
        path = TABLES / f"{source}-{timeframe}-{rule.value}.json"
        path.write_bytes(msgspec.json.encode(table) + b"\n")
        print(f"{path}: minutes {', '.join(map(str, table.minutes))}", flush=True)


def _span(world: World) -> Span:
    return Span(world.first_minute, world.end_minute)


def _candles(world: World) -> Iterable[Candles]:
    source = world.tape.source
    for asset in world.assets:
        minutes, values = [], []
        for minute in range(world.first_minute, world.end_minute):
            candle = source.candle(asset, minute)
            if candle is not None:
                minutes.append(minute)
                values += [candle.open, candle.high, candle.low, candle.close]
        yield from stretches(minutes, values, _COLUMNS)


if __name__ == "__main__":
    sys.exit(main())
