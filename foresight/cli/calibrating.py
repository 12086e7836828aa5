"""`calibrate`: the tables that strategies read, fitted on one part of a recording.

Owns the command: which part is fitted, which one judges, and the files that are written. The fit
is `foresight.backtest.calibration`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from foresight.backtest.calibration import (
    SHAPES,
    WINDOWS_MIN,
    Reliability,
    Span,
    fit,
    reliability,
)
from foresight.backtest.candle_rows import Candles, stretches
from foresight.cli.output import emit_json, emit_table, json_option, progress
from foresight.errors import ConfigError
from foresight.exchange.prices.recordings import load_recordings
from handoff.exit_codes import ExitCode
from state.atomic_file import SystemFiles, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.strategies.table import Prices, Table

COLUMNS: Final = ("window", "rule", "chance", "windows", "said", "kept", "kept - said")
MINUTE_S: Final = 60
DAY_MINUTES: Final = 1440
_RECORDED_COLUMNS: Final = 5  # of a recording: prices, then the volume
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


def _moment(name: str, what: str) -> click.Option:
    return click.Option([name], type=click.DateTime(_FORMATS), metavar="DATE", help=f"{what}.")


@click.command(
    params=[
        _moment("--fit-from", "First day that is fitted; by default the first one there is"),
        _moment("--fit-until", "Where that part ends; by default in the middle"),
        _moment("--judge-from", "First day that judges; by default where fitting ends"),
        _moment("--judge-until", "Where that part ends; by default with the recording"),
    ]
)
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR"
)
@click.option(
    "--into",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder for the tables, in the project.",
)
@click.option(
    "--source",
    type=click.Choice(["recorded", "synthetic"]),
    default="recorded",
    show_default=True,
    help="Whose candles these are: a real market's, or a generated one's.",
)
@json_option
def calibrate(
    folder: Path,
    *,
    into: Path,
    source: Prices,
    fit_from: datetime | None,
    fit_until: datetime | None,
    judge_from: datetime | None,
    judge_until: datetime | None,
    as_json: bool,
) -> int:
    """Fit the tables of strategies on candles in DIR, and judge them by later ones.

    Writes a table for each timeframe and rule. What judges them was not fitted on: two parts that
    have a minute in common are refused. A DATE is a day or a minute, UTC.
    """
    recordings = load_recordings(folder)
    whole = Span(
        min(each.minutes[0] for each in recordings),
        max(each.minutes[-1] for each in recordings) + 1,
    )
    fitted = Span(_minute(fit_from, whole.first), _minute(fit_until, _middle(whole)))
    judged = Span(_minute(judge_from, fitted.end), _minute(judge_until, whole.end))
    _refuse(fitted, judged)
    candles = [
        part
        for each in recordings
        for part in stretches(each.minutes, each.values, _RECORDED_COLUMNS)
    ]
    progress(f"fitted on {_dates(fitted)}, judged by {_dates(judged)}")
    tables = _fitted(candles, fitted, source)
    found = [row for one in tables for row in reliability(candles, one, within=judged)]
    _show(found, as_json=as_json)
    for one in tables:
        path = into / f"{one.source}-{one.timeframe}-{one.rule}.json"
        replace_file(SystemFiles(), path, msgspec.json.encode(one) + b"\n")
        progress(f"written: {path}")
    return ExitCode.DONE


def _refuse(fitted: Span, judged: Span) -> None:
    for name, span in (("fit", fitted), ("judge", judged)):
        if span.first >= span.end:
            what = f"nothing lies between --{name}-from and --{name}-until: {_dates(span)}"
            raise ConfigError(what, "name a later end, or leave one of them out")
    if fitted.meets(judged):
        what = f"what is fitted ({_dates(fitted)}) and what judges ({_dates(judged)}) overlap"
        raise ConfigError(what, "a table judged by what it was fitted on always looks right")


def _fitted(candles: Sequence[Candles], span: Span, source: Prices) -> list[Table]:
    tables = [
        fit(
            candles,
            timeframe,
            rule,
            within=span,
            source=source,
            fitted_on=f"{source} minutes, {_dates(span)} UTC",
        )
        for timeframe, rule in SHAPES
    ]
    if not all(one.minutes for one in tables):
        what = f"fewer than {WINDOWS_MIN} windows that moved lie in {_dates(span)}"
        raise ConfigError(what, "a curve needs more: take more assets, or more days")
    return tables


def _show(found: Sequence[Reliability], *, as_json: bool) -> None:
    if as_json:
        for each in found:
            emit_json(each)
    else:
        emit_table(COLUMNS, [_cells(each) for each in found])


def _cells(one: Reliability) -> tuple[str, ...]:
    shares = (f"{100 * one.said:.2f} %", f"{100 * one.kept:.2f} %")
    difference = f"{100 * (one.kept - one.said):+.2f} ± {100 * one.error:.2f}"
    chance = f"{100 * one.low:.0f}-{100 * one.high:.0f} %"
    return (one.window, one.rule, chance, str(one.windows), *shares, difference)


def _minute(told: datetime | None, otherwise: int) -> int:
    """Return a moment as minutes since 1970 UTC."""
    return otherwise if told is None else int(told.replace(tzinfo=UTC).timestamp()) // MINUTE_S


def _middle(whole: Span) -> int:
    """Return the middle of a recording, at midnight where it has days."""
    middle = (whole.first + whole.end) // 2
    midnight = middle // DAY_MINUTES * DAY_MINUTES
    return midnight if midnight > whole.first + DAY_MINUTES else middle


def _dates(span: Span) -> str:
    return " to ".join(
        f"{datetime.fromtimestamp(MINUTE_S * each, UTC):%Y-%m-%d %H:%M}" for each in span
    )
