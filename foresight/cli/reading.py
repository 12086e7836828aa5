"""`trades` and `logs`: what was traded, and what the processes said.

Owns the two listings. Trades come from the book in the record, logs from the files that the
launcher keeps.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import click

from foresight.board import MICRO
from foresight.book import SCHEMA, Book
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.log_lines import LogLines
from foresight.cli.moments import pause
from foresight.cli.output import emit_json, emit_table, emit_text, is_heard, json_option
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from foresight.trades import Decided, Entry, Position

FOLLOW_POLL_S = 0.3


@click.command()
@click.option("--last", default=20, show_default=True, help="How many decided trades.")
@json_option
@pass_installation
def trades(installation: Installation, *, last: int, as_json: bool) -> int:
    """List open positions and the newest decided trades."""
    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    rows = [_open_row(position) for position in book.positions.values()]
    rows += [_decided_row(trade) for trade in reversed(book.decided[-last:])]
    if as_json:
        for row in rows:
            emit_json(row)
        return ExitCode.DONE
    columns = ("window", "side", "shares", "price", "fee", "result", "profit", "release", "cycle")
    emit_table(columns, ([row[name] for name in columns] for row in rows))
    return ExitCode.DONE


def _open_row(position: Position) -> dict[str, object]:
    return _row(position.entry, position) | {"result": "open", "profit": None}


def _decided_row(trade: Decided) -> dict[str, object]:
    profit = trade.profit_micro / MICRO
    return _row(trade.entry, trade) | {"result": trade.result.value, "profit": profit}


def _row(entry: Entry, held: Position | Decided) -> dict[str, object]:
    return {
        "window": entry.slug,
        "side": entry.side.value,
        "shares": held.shares_micro / MICRO,
        "price": round(held.cost_micro / held.shares_micro, 4),
        "fee": held.fee_micro / MICRO,
        "release": entry.release,
        "epoch": entry.epoch,
        "cycle": entry.cycle,
        "config": entry.config,
        "order": entry.effect_id,
    }


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
