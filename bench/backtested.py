"""How long a backtest of a month takes: `python -m bench.backtested [--candles DIR] [--days N]`.

    python -m bench.backtested --candles ../shared/market

Owns the runs and the printed lines: the signals in one pass, the fit of prices on the first half,
and the trader of `foresight.toml` over all of the recording. It measures time, and nothing that a
trader is judged by: prices of the whole month are those that were fitted on a part of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from foresight.backtest.calibration import Span
from foresight.backtest.candle_rows import stretches
from foresight.backtest.prepared import Ground, Terms, prepare_ground, trial_of, whole_span
from foresight.backtest.signals import counted_all
from foresight.backtest.trading import run
from foresight.config import Config, load
from foresight.exchange.market.table_files import load_table
from foresight.exchange.prices.recordings import load_recordings

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]
RECORDINGS: Final = ROOT.parent / "shared" / "market"
DAY_MINUTES: Final = 1440
COLUMNS: Final = 5


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; seconds of the clock, and of the processor beside them."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtested")
    parser.add_argument("--candles", type=Path, default=RECORDINGS, help="recorded candles")
    parser.add_argument("--days", type=int, default=0, help="that the trader decides; 0 for all")
    options = parser.parse_args(arguments)
    if not options.candles.is_dir():
        print(f"recorded candles are absent: no folder {options.candles}")
        return 1
    recordings = timed("reading", lambda: load_recordings(options.candles))
    candles = [
        part for each in recordings for part in stretches(each.minutes, each.values, COLUMNS)
    ]
    timed("signals, six rules in one pass", lambda: counted_all(candles))
    fitted = timed(
        "prices fitted on the first half",
        lambda: prepare_ground(recordings, Terms(), period_s=60.0),
    )
    whole = whole_span(recordings)
    end = whole.first + options.days * DAY_MINUTES if options.days else whole.end
    ground = Ground(
        recordings, fitted.tape, Span(whole.first, end), load_table("recorded"), Terms()
    )
    trial = trial_of(without_tables(load(str(ROOT / "foresight.toml"), {})), ROOT, ground, name="")
    result = timed("the trader", lambda: run(trial))
    slots, purchases = len(result.slots), result.score.trades
    print(f"{result.cycles} cycles of {slots} slots, {purchases} purchases")
    return 0


def without_tables(config: Config) -> Config:
    """Return a configuration whose strategies go by their own curves: no dates forbid a day."""
    names = ("tables", "replay_tables")
    kept = {
        timeframe: {key: value for key, value in section.items() if key not in names}
        for timeframe, section in config.strategy.items()
    }
    return replace(config, strategy=kept)


def timed(what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is measured
    """Do something, and print how long it took."""
    clock, processor = time.perf_counter(), time.process_time()
    found = call()
    took = time.perf_counter() - clock, time.process_time() - processor
    print(f"{what:34}{took[0]:8.1f} s {took[1]:8.1f} s of the processor", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
