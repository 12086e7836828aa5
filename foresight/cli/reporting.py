"""`report`: what trades came to, as one HTML file that needs nothing else.

Owns the command: where the facts come from and where the file goes. What stands in it is
`foresight.report`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from deploy import history
from foresight.board import NS
from foresight.book import SCHEMA, Book
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_json, emit_text, json_option
from foresight.errors import ConfigError, FileInTheWay
from handoff.exit_codes import ExitCode
from state.atomic_file import SystemFiles, replace_file

if TYPE_CHECKING:
    from deploy.history import Entry
    from foresight.report.facts import Facts, Mark
    from handoff.cadence import Schedule

OUT: Final = "report.html"
NAME_CHARS: Final = 12  # of a release or a commit, as elsewhere
SIZE_MAX: Final = 1 << 28  # bytes of a result: two million trades


@click.command()
@click.option(
    "--backtest",
    "result_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Report what `backtest --save FILE` kept, in the place of this installation's trades.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=OUT,
    show_default=True,
    metavar="FILE",
    help="Where to write it.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@pass_installation
def report(
    installation: Installation, *, result_path: Path | None, out: Path, force: bool, as_json: bool
) -> int:
    """Write what the trades came to as one HTML file: no network, no script, no server.

    Equity with its deploys, drawdown, predicted against won, price paid against result, each slot
    and each release with its interval; and in words whether there is evidence of an edge. Exit
    codes: 0 written, 1 nothing to report on or not writable, 2 FILE is no result of a backtest, 3
    the file is there and --force was not said.
    """
    from foresight.report.sentences import verdict_on

    try:
        from foresight.report.document import document_of
    except ModuleNotFoundError as error:
        what = f"a report needs {error.name}, which is not installed here"
        raise ConfigError(
            what, "`make setup`, or install Foresight with its extra dashboard"
        ) from error
    if out.exists() and not force:
        raise FileInTheWay(str(out))
    facts = _of_home(installation) if result_path is None else _of_backtest(result_path)
    replace_file(SystemFiles(), out.absolute(), document_of(facts).encode())
    says = verdict_on(facts.score).says
    if as_json:
        emit_json({"written": str(out), "trades": facts.score.trades, "says": says})
    else:
        emit_text(f"written: {out}: {says}")
    return ExitCode.DONE


def _of_backtest(path: Path) -> Facts:
    from foresight.backtest.calibration import Span
    from foresight.backtest.pricing import dates
    from foresight.backtest.results import BacktestResult
    from foresight.report.facts import facts_of_backtest

    with path.open("rb") as file:
        data = file.read(SIZE_MAX + 1)
    if len(data) > SIZE_MAX:
        what = f"{path} is larger than {SIZE_MAX} bytes"
        raise ConfigError(what, "judge a shorter part of the recording")
    try:
        result = msgspec.json.decode(data, type=BacktestResult)
        span = dates(Span(result.judged_from, result.judged_until))
        facts = facts_of_backtest(result, span)
    except (ValueError, ArithmeticError) as error:  # no JSON, words or numbers that no trade has
        what = f"{path} is no result of a backtest: {error}"
        raise ConfigError(what, "`foresight backtest DIR --save FILE` writes one") from error
    if len(result.trades) < result.score.trades:
        what = f"{path} has sums without their trades, as `backtest --json` prints them"
        raise ConfigError(what, "`foresight backtest DIR --save FILE` keeps every trade")
    return facts


def _of_home(installation: Installation) -> Facts:
    from foresight.report.facts import facts_of_book

    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    entries = history.read_history(installation.home).entries
    schedule = installation.schedule(record)
    marks = [_mark(each, each.cycle, schedule) for each in entries if each.cycle is not None]
    return facts_of_book(
        book,
        name=installation.engine.app,
        marks=sorted(marks),
        deployed=[*history.owned_in(entries), record.ownership.release],
    )


def _mark(entry: Entry, cycle: int, schedule: Schedule) -> Mark:
    from foresight.report.facts import Mark

    # By its cycle: the market's time is not the wall's where the exchange runs faster.
    at_s = schedule.app_boundary_ns(cycle) // NS
    subject = f": {entry.subject}" if entry.subject else ""
    return Mark(at_s, (entry.commit or entry.release)[:NAME_CHARS], f"{entry.outcome}{subject}")
