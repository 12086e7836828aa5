"""`anomalies` and `logs`: what is odd, from the book, and what the processes said, from files."""

from __future__ import annotations

from collections import deque

import click
import msgspec

from foresight.book import SCHEMA, Book
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import pause
from foresight.cli.output import emit_json, emit_table, emit_text, is_heard, json_option
from handoff.commands.log_lines import LogLines
from handoff.exit_codes import ExitCode

FOLLOW_POLL_S = 0.3


@click.command()
@json_option
@pass_installation
def anomalies(installation: Installation, *, as_json: bool) -> int:
    """List what somebody should look at: positions found at the venue, cash that is off."""
    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    newest_first = sorted(book.anomalies, key=lambda one: one.last_cycle, reverse=True)
    rows = [msgspec.structs.asdict(anomaly) for anomaly in newest_first]
    if as_json:
        for row in rows:
            emit_json(row)
        return ExitCode.DONE
    columns = ("kind", "subject", "detail", "cycle", "last_cycle", "count")
    emit_table(columns, ([row[name] for name in columns] for row in rows))
    return ExitCode.DONE


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("-n", "--lines", default=50, show_default=True, help="Newest lines shown.")
@pass_installation
def logs(installation: Installation, *, follow: bool, lines: int) -> int:
    """Show what launcher, workers and companions said."""
    directory = installation.home / "logs"
    newest: deque[str] = deque(maxlen=lines)
    read = LogLines()
    for path in sorted(directory.glob("*.log"), key=lambda each: each.stat().st_mtime):
        newest.extend(read.new(path))
    for line in sorted(newest, key=_moment):
        emit_text(line)
    while follow and is_heard():
        pause(FOLLOW_POLL_S)
        for path in directory.glob("*.log"):
            for line in read.new(path):
                emit_text(line)
    return ExitCode.DONE


def _moment(line: str) -> str:
    # JSON lines begin with their time; whatever else a child printed keeps its place.
    return line if line.startswith('{"at"') else "~"
