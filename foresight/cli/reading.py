"""`anomalies` and `logs`: what is odd, from the book, and what the processes said, from files."""

from __future__ import annotations

import click
import msgspec

from foresight.book import SCHEMA, Book
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import (
    emit_json,
    emit_table,
    emit_text,
    is_heard,
    json_option,
    last_type,
    progress,
)
from handoff.commands.log_words import Said, json_of, since_of, words_of
from handoff.commands.reading import Logs, Wanted, WorkerUnheard
from handoff.exit_codes import ExitCode


@click.command()
@json_option
@pass_installation
def anomalies(installation: Installation, *, as_json: bool) -> int:
    """List what somebody should look at: positions found at the venue, cash that is off."""
    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    newest_first = sorted(book.anomalies, key=lambda one: one.last_cycle, reverse=True)
    rows = [msgspec.structs.asdict(anomaly) for anomaly in newest_first]
    if not rows:
        progress("nothing is odd")
    if as_json:
        for row in rows:
            emit_json(row)
        return ExitCode.DONE
    columns = ("kind", "subject", "cycle", "last_cycle", "count")
    cells = ([row[name] for name in columns] for row in rows)
    emit_table(columns, cells, notes=[str(row["detail"]) for row in rows])
    return ExitCode.DONE


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option(
    "-n", "--lines", type=last_type, default=50, show_default=True, help="Newest lines shown."
)
@click.option(
    "--worker", default="", metavar="NAME", help="Of one worker or companion: name or pid."
)
@click.option("--since", default="", metavar="T", help="A UTC time, or so long ago: 10m, 2h.")
@json_option
@pass_installation
def logs(
    installation: Installation,
    *,
    follow: bool,
    lines: int,
    worker: str,
    since: str,
    as_json: bool,
) -> int:
    """Show what launcher, workers and companions said."""
    try:
        moment = since_of(since, now_ns()) if since else ""
    except ValueError as error:
        what = f"--since {since} is neither a time nor so long ago: 10m, 2026-11-22T18:00:00Z"
        raise click.UsageError(what) from error

    def show(said: Said) -> None:
        emit_json(json_of(said)) if as_json else emit_text(words_of(said))

    read = Logs(installation.home, Wanted(lines=lines, worker=worker, since=moment))
    try:
        found = read.newest()
    except WorkerUnheard as unheard:
        if not follow:
            raise
        progress(f"{unheard} yet")  # it may come to speak
        found = []
    else:
        if not found:
            progress(read.why_none())
    for said in found:
        show(said)
    if follow:
        read.follow(show, is_heard)
    return ExitCode.DONE
