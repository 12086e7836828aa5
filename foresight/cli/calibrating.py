"""`calibrate`: the tables that strategies read, fitted on one part of what is known.

Owns the command: candles or the offers that a journal kept, which part is fitted, which one judges,
and the files that are written. The fit is `foresight.backtest.calibration`'s.
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
from foresight.backtest.candle_rows import Rule
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_json, emit_table, json_option, progress
from foresight.cli.window_sources import WindowSource, of_candles, of_journal
from foresight.errors import ConfigError
from handoff.exit_codes import ExitCode
from state.atomic_file import SystemFiles, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.strategies.table import Prices, Table

COLUMNS: Final = ("window", "rule", "chance", "windows", "said", "kept", "kept - said")
MINUTE_S: Final = 60
DAY_MINUTES: Final = 1440
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


def _moment(name: str, what: str) -> click.Option:
    return click.Option([name], type=click.DateTime(_FORMATS), metavar="DATE", help=f"{what}.")


@click.command(
    params=[
        _moment("--fit-from", "First day that is fitted; by default the first one there is"),
        _moment("--fit-until", "Where that part ends; by default in the middle"),
        _moment("--judge-from", "First day that judges; by default where fitting ends"),
        _moment("--judge-until", "Where that part ends; by default with the last one there is"),
    ]
)
@click.argument(
    "folder",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[DIR]",
)
@click.option(
    "--journal",
    is_flag=True,
    help="Instead of candles in DIR: the offers that this installation's journal kept.",
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
    help="Whose candles DIR has: a real market's, the default, or a generated one's.",
)
@json_option
@pass_installation
def calibrate(
    installation: Installation,
    /,
    *,
    folder: Path | None,
    journal: bool,
    into: Path,
    source: Prices | None,
    as_json: bool,
    **dates: datetime | None,
) -> int:
    """Fit the tables of strategies on candles in DIR or on kept offers, judged by later ones.

    Writes a table for each timeframe and rule. What judges them was not fitted on: two parts that
    have a minute in common are refused. A DATE is a day or a minute, UTC. With --journal a table
    holds the minutes in which a strategy spoke, at the kind of venue that is traded now.
    """
    if journal == (folder is not None):
        what = "name either DIR, a folder of candles, or --journal"
        raise click.UsageError(what)
    if journal and source is not None:
        what = "--source is about candles in DIR: a journal's prices are those of its venue"
        raise click.UsageError(what)
    data = of_journal(installation) if folder is None else of_candles(folder, source)
    fitted, judged = _parts(data.whole, **dates)
    progress(f"fitted on {_dates(fitted)}, judged by {_dates(judged)}")
    tables = _fitted(data, fitted)
    found = [row for one in tables for row in _judged(data, one, judged)]
    _show(found, as_json=as_json)
    for one in tables:
        prefix = f"{one.venue}-offers" if one.venue else one.source
        path = into / f"{prefix}-{one.timeframe}-{one.rule}.json"
        replace_file(SystemFiles(), path, msgspec.json.encode(one) + b"\n")
        progress(f"written: {path}")
    return ExitCode.DONE


def _parts(
    whole: Span,
    *,
    fit_from: datetime | None,
    fit_until: datetime | None,
    judge_from: datetime | None,
    judge_until: datetime | None,
) -> tuple[Span, Span]:
    """Return what is fitted on, and what judges.

    Raises:
        ConfigError: Nothing can lie in one of them, or they overlap.
    """
    fitted = Span(_minute(fit_from, whole.first), _minute(fit_until, _middle(whole)))
    judged = Span(_minute(judge_from, fitted.end), _minute(judge_until, whole.end))
    _refuse(fitted, judged)
    return fitted, judged


def _refuse(fitted: Span, judged: Span) -> None:
    for name, span in (("fit", fitted), ("judge", judged)):
        if span.first >= span.end:
            what = f"nothing lies between --{name}-from and --{name}-until: {_dates(span)}"
            raise ConfigError(what, "name a later end, or leave one of them out")
    if fitted.meets(judged):
        what = f"what is fitted ({_dates(fitted)}) and what judges ({_dates(judged)}) overlap"
        raise ConfigError(what, "a table judged by what it was fitted on always looks right")


def _fitted(data: WindowSource, span: Span) -> list[Table]:
    tables = [
        fit(
            data.seen(timeframe, rule, span),
            timeframe,
            rule,
            within=span,
            source=data.source,
            fitted_on=f"{data.words}, {_dates(span)} UTC",
            venue=data.venue,
        )
        for timeframe, rule in SHAPES
    ]
    useful = [one for one in tables if one.minutes]
    # Candles tell of every window; offers only of those that the venue has and a strategy wants.
    if not useful or (len(useful) < len(tables) and not data.venue):
        known = f"at most {_most(data, span)} for a minute"
        what = f"fewer than {WINDOWS_MIN} windows that moved lie in {_dates(span)}: {known}"
        raise ConfigError(what, f"a curve needs more: {data.more}")
    for one in tables:
        if not one.minutes:
            progress(f"no table for {one.timeframe} {one.rule}: no minute has {WINDOWS_MIN} offers")
    return useful


def _most(data: WindowSource, span: Span) -> int:
    """Return how many windows the best minute of a table has: says how far there is to go."""
    found = [
        max((sum(1 for _ in one) for one in data.seen(timeframe, rule, span).values()), default=0)
        for timeframe, rule in SHAPES
    ]
    return max(found) if data.venue else min(found)  # of offers one table is enough


def _judged(data: WindowSource, table: Table, span: Span) -> list[Reliability]:
    found = reliability(data.seen(table.timeframe, Rule(table.rule), span), table)
    if not found:
        what = f"nothing in {_dates(span)} judges the table of {table.timeframe} {table.rule}"
        raise ConfigError(what, data.more)
    return found


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
