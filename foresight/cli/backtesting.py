"""`backtest`: what rules would have earned over recorded candles.

Owns the command. Candles are read from a folder as the exchange replays them; the counting is
`foresight.backtest`'s.
"""

from __future__ import annotations

from pathlib import Path

import click

from foresight.backtest.candle_rows import stretches
from foresight.backtest.signals import ROWS, Result, counted
from foresight.cli.output import emit_json, emit_table, emit_text, json_option, progress
from foresight.exchange.prices.recordings import load_recordings
from handoff.exit_codes import ExitCode

COLUMNS = ("window", "minute", "rule", "signals", "hit rate", "bought", "a share", "95 % by day")
_RECORDED_COLUMNS = 5  # of a recording: prices, then the volume


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR"
)
@click.option("--signals", is_flag=True, help="Count single signals, all rules in one pass.")
@json_option
def backtest(folder: Path, *, signals: bool, as_json: bool) -> int:
    """Count what rules would have earned over the candles in DIR.

    The first half of the recording fits the price of a share, the second is judged by it.
    """
    if not signals:
        message = "say --signals: single signals are all that is counted yet"
        raise click.UsageError(message)
    recordings = load_recordings(folder)
    progress(f"{len(recordings)} assets, {sum(len(each.minutes) for each in recordings)} candles")
    candles = [
        part
        for each in recordings
        for part in stretches(each.minutes, each.values, _RECORDED_COLUMNS)
    ]
    results = [counted(candles, row) for row in ROWS]
    if as_json:
        for each in results:
            emit_json(each)
    else:
        emit_table(COLUMNS, [_cells(each) for each in results])
        gaps = len(candles) - len(recordings)
        emit_text(f"gaps in the recording: {gaps}")
    return ExitCode.DONE


def _cells(result: Result) -> tuple[str, ...]:
    if result.hit_rate is None:
        return (result.window, str(result.minute), result.rule, "0", *("",) * 4)
    bought = ("0", "", "")
    if result.expectation_cents is not None:
        interval = f"[{result.low_cents:+.2f}, {result.high_cents:+.2f}]"
        bought = (str(result.purchases), f"{result.expectation_cents:+.2f} c", interval)
    counts = (str(result.signals), f"{result.hit_rate:.2f} %")
    return (result.window, str(result.minute), result.rule, *counts, *bought)
