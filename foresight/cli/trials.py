"""What commands that try a trader on recorded candles have in common: options, and what they say.

Owns the options that say what is judged and by which market, the reading of a table's file, and
the lines of a result. The trial itself is `foresight.backtest`'s.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from foresight.cli.output import emit_table, emit_text, progress
from foresight.errors import ConfigError
from foresight.overrides import RECORDING
from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from foresight.backtest.prepared import Ground, Terms
    from foresight.backtest.results import BacktestResult
    from foresight.config import Config
    from foresight.exchange.market.calibration import Table
    from foresight.scoring import Score

CommandT = TypeVar("CommandT", bound="Callable[..., Any]")

COLUMNS: Final = (
    *("slot", "signals", "bought", "won", "price paid", "a share", "95 %", "profit"),
    "says",
)
WHOLE: Final = "all"  # in place of a slot
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
_MINUTE_S: Final = 60
_DELAY_MAX_S: Final = 240.0  # a minute less than the shortest window


def trial_options(command: CommandT) -> CommandT:
    """Give a command the options that say what is judged and by which market."""
    dates = click.DateTime(_FORMATS)
    for option in (
        click.option(
            "--table",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="What says the price of a share; by default fitted on all before --judge-from.",
        ),
        click.option(
            "--rule",
            type=click.Choice(["last", "average"]),
            default="average",
            show_default=True,
            help="What settles windows.",
        ),
        click.option(
            "--delay",
            type=click.FloatRange(0, _DELAY_MAX_S),
            default=1.0,
            show_default=True,
            metavar="SECONDS",
            help="How long after a decision its order meets the book.",
        ),
        click.option(
            "--judge-from",
            type=dates,
            metavar="DATE",
            help="Judged from this day or minute on, UTC; by default from the middle.",
        ),
        click.option(
            "--judge-until",
            type=dates,
            metavar="DATE",
            help="Judged until then; by default until the recording's end.",
        ),
    )[::-1]:  # the last one that is given stands first in the help
        command = option(command)
    return command


def terms_of(
    *,
    table: Path | None,
    rule: str,
    delay: float,
    judge_from: datetime | None,
    judge_until: datetime | None,
) -> Terms:
    """Return what the options say.

    Raises:
        ConfigError: The table's file is none.
    """
    from foresight.backtest.prepared import Terms
    from foresight.exchange.market.rules import Rule

    return Terms(
        rule=Rule(rule),
        delay_s=delay,
        table=None if table is None else _table_in(table),
        judge_from=_minute(judge_from),
        judge_until=_minute(judge_until),
    )


def ground_of(folder: Path, config: Config, terms: Terms) -> Ground:
    """Return the market of the recordings in a folder, which strategies may read as well.

    Raises:
        ConfigError: Nothing can be judged.
        RecordingError: The recordings cannot be read.
    """
    from foresight.backtest.prepared import prepare_ground
    from foresight.backtest.pricing import dates
    from foresight.exchange.prices.recordings import load_recordings

    os.environ[RECORDING] = str(folder.absolute())
    recordings = load_recordings(folder)
    count = sum(len(each.minutes) for each in recordings)
    progress(f"{counted(len(recordings), 'asset')}, {counted(count, 'candle')}")
    ground = prepare_ground(recordings, terms, period_s=config.engine.period_s)
    progress(f"judged by {dates(ground.judged)}, prices fitted on {ground.table.fitted_on}")
    return ground


def find_own(tree: Path) -> None:
    """Let the project's own strategies be found."""
    if str(tree) not in sys.path:
        sys.path.insert(0, str(tree))


def show(result: BacktestResult) -> None:
    """Print a result: every slot, then all of them, then what it says."""
    rows = [_row(each.slot, each.signals, each.score, each.evidence) for each in result.slots]
    rows.append(_row(WHOLE, result.signals, result.score, result.evidence))
    emit_table(COLUMNS, rows)
    if result.unbought:
        reasons = sorted(result.unbought.items(), key=lambda each: (-each[1], each[0]))
        told = ", ".join(f"{reason} {count}" for reason, count in reasons)
        emit_text(f"not bought: {told}")
    emit_text(in_words(result))


def in_words(result: BacktestResult) -> str:
    """Return what a result allows to say."""
    score = result.score
    if not score.trades:
        return "nothing was bought: it says nothing"
    low, high = score.expectation_interval.low, score.expectation_interval.high
    figures = (
        f"{100 * score.expectation:+.2f} c a share, 95 % [{100 * low:+.2f}, {100 * high:+.2f}]"
    )
    said = {"loses": "it loses", "above zero": "it is above zero"}
    words = said.get(result.evidence, "there is no evidence of an edge")
    return f"{words}: {figures}, {counted(score.trades, 'purchase')}, {score.profit:+.2f} USDC"


def _row(slot: str, signals: int, score: Score, evidence: str) -> Sequence[str]:
    if not score.trades:
        return (slot, str(signals), "0", "", "", "", "", "", "")
    low, high = score.expectation_interval.low, score.expectation_interval.high
    return (
        slot,
        str(signals),
        str(score.trades),
        f"{100 * score.win_rate:.1f} %" if score.with_result else "",
        f"{100 * score.mean_price:.1f} c",
        f"{100 * score.expectation:+.2f} c",
        f"[{100 * low:+.2f}, {100 * high:+.2f}]",
        f"{score.profit:+.2f}",
        evidence,
    )


def _table_in(path: Path) -> Table:
    from foresight.exchange.errors import TableError
    from foresight.exchange.market.calibration import read_table

    data = path.read_bytes()
    try:
        return read_table(data, source="synthetic" if b'"synthetic"' in data[:200] else "recorded")
    except TableError as error:
        what = f"{path} is no table of prices: {error}"
        raise ConfigError(what, "`python -m bench.fairness --fit` writes such files") from error


def _minute(told: datetime | None) -> int | None:
    return None if told is None else int(told.replace(tzinfo=UTC).timestamp()) // _MINUTE_S
