"""`backtest`: what the trader, or rules alone, would have earned over recorded candles.

Owns the command. Candles are read from a folder as the exchange replays them; what is tried on them
and counted is `foresight.backtest`'s.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from foresight.backtest.candle_rows import stretches
from foresight.backtest.signals import Result, counted_all
from foresight.cli import future_check
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_json, emit_table, emit_text, json_option, progress
from foresight.cli.trials import find_own, ground_of, show, terms_of, trial_options
from foresight.exchange.prices.recordings import load_recordings
from handoff.exit_codes import ExitCode
from handoff.plurals import counted
from state.atomic_file import SystemFiles, replace_file

if TYPE_CHECKING:
    from foresight.backtest.results import BacktestResult
    from foresight.backtest.trading import Trial

COLUMNS = ("window", "minute", "rule", "signals", "hit rate", "bought", "a share", "95 % by day")
_RECORDED_COLUMNS = 5  # of a recording: prices, then the volume


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR"
)
@click.option("--signals", is_flag=True, help="Count six simple rules in the place of the trader.")
@trial_options
@click.option(
    "--check-future",
    is_flag=True,
    help="Does a strategy decide by later candles? Decide again on copies where they differ.",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write everything, each trade included, as JSON.",
)
@json_option
@pass_installation
def backtest(
    installation: Installation,
    /,
    *,
    folder: Path,
    signals: bool,
    check_future: bool,
    save: Path | None,
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - the options of `trial_options`, by their names
) -> int:
    """Let the trader decide over the candles in DIR, and say what it would have earned.

    It is the trader of the project here, with its strategies and its limits. Orders fill against
    the book of a moment later, as the local exchange would quote it. The first half of the
    recording fits the price of a share, the second is judged by it.
    """
    if signals:
        return _count_signals(folder, as_json=as_json)
    trial, prices = _trial(installation, folder, terms)
    if check_future:
        return future_check.check_future(
            trial, installation.config_path, folder, prices=prices, as_json=as_json
        )
    result = _run(trial)
    if save is not None:
        replace_file(SystemFiles(), save, msgspec.json.encode(result) + b"\n")
        progress(f"written: {save}")
    if as_json:
        # Thousands of trades on a line help nobody who reads it: `--save` has them.
        emit_json(msgspec.structs.replace(result, trades=()))
    else:
        show(result)
    return ExitCode.DONE


def _trial(installation: Installation, folder: Path, terms: dict[str, Any]) -> tuple[Trial, str]:
    from foresight.backtest.prepared import trial_of

    config, tree = installation.config, installation.repository
    find_own(tree)
    ground = ground_of(folder, config, terms_of(**terms))
    path = installation.config_path
    trial = trial_of(config, tree, ground, name=path.name, where=str(path))
    return trial, ground.table.source


def _run(trial: Trial) -> BacktestResult:
    from foresight.backtest.trading import run

    if not sys.stderr.isatty():
        return run(trial)
    judged = trial.judged
    with click.progressbar(
        length=judged.end - judged.first, label="minutes", file=sys.stderr
    ) as bar:

        def heard(minute: int) -> None:
            bar.update(minute - judged.first - bar.pos)

        return run(trial, heard=heard)


def _count_signals(folder: Path, *, as_json: bool) -> int:
    """Count what rules would have earned; the first half fits the price of a share."""
    recordings = load_recordings(folder)
    count = sum(len(each.minutes) for each in recordings)
    progress(f"{counted(len(recordings), 'asset')}, {counted(count, 'candle')}")
    candles = [
        part
        for each in recordings
        for part in stretches(each.minutes, each.values, _RECORDED_COLUMNS)
    ]
    results = counted_all(candles)
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
        return (*_which(result), "0", *("",) * 4)
    bought = ("0", "", "")
    if result.expectation_cents is not None:
        interval = f"[{result.low_cents:+.2f}, {result.high_cents:+.2f}]"
        bought = (str(result.purchases), f"{result.expectation_cents:+.2f} c", interval)
    counts = (str(result.signals), f"{result.hit_rate:.2f} %")
    return (*_which(result), *counts, *bought)


def _which(result: Result) -> tuple[str, str, str]:
    return (result.window, str(result.minute or ""), result.rule)
