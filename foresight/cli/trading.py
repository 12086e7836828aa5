"""`trades`: what is held, what was decided, and what each release earned.

Owns the listings of the book in the record: trades one by one, as a table, JSON or CSV, and sums by
release.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import click

from deploy import history
from foresight.board import MICRO
from foresight.book import SCHEMA, Book
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_json, emit_table, emit_text, json_option, last_type, progress
from foresight.cli.tables import TRADE_COLUMNS, earned_cells, trade_cells, trade_totals
from foresight.scoring import Earned, earned_by, evidence_of, said_of_none
from handoff.exit_codes import ExitCode
from handoff.limits import NS
from handoff.plurals import counted
from state.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from foresight.trades import Decided, Entry, Position

TRADE_MEMBERS: Final[tuple[str, ...]] = (
    "ends",
    "slot",
    "window",
    "side",
    "shares",
    "price",
    "fee",
    "release",
    "epoch",
    "cycle",
    "config",
    "order",
    "result",
    "profit",
    "venue",
)
"""What a row of a trade has, in this order."""
EARNED_COLUMNS: Final[tuple[str, ...]] = (
    "release",
    "venue",
    "trades",
    "won",
    "profit",
    "expectation",
    "interval",
    "says",
)
Row = dict[str, Any]


@click.command()
@click.option(
    "--last", type=last_type, default=20, show_default=True, help="How many decided trades."
)
@click.option("--csv", "as_csv", is_flag=True, help="All trades that are kept, with every fee.")
@click.option("--by-release", is_flag=True, help="What each release earned, with its interval.")
@json_option
@pass_installation
def trades(
    installation: Installation, *, last: int, as_csv: bool, by_release: bool, as_json: bool
) -> int:
    """List open positions and the newest decided trades, or what each release earned."""
    if as_csv and as_json:
        what = "--csv and --json are two forms of the same: choose one"
        raise click.UsageError(what)
    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    if by_release:
        owned = history.owned_in(history.read_history(installation.home).entries)
        columns = EARNED_COLUMNS
        rows = earned_rows(book, [*owned, record.ownership.release])
        if not rows:
            progress("no release owned yet")
    else:
        columns = TRADE_MEMBERS
        rows = rows_of(book, len(book.decided) if as_csv else last)
    if by_release or as_csv or as_json:
        _emit(rows, columns, as_csv=as_csv, as_json=as_json)
    else:
        _show(rows, book.venue)
        if rows and record.timeline.speed > 1:
            progress(f"times are the market's, {record.timeline.speed} times as fast as the clock")
    return ExitCode.DONE


def earned_rows(book: Book, owned: Iterable[str]) -> list[Row]:
    """Return what each release earned, the one that decided last at the end.

    Args:
        book: Its sums by release.
        owned: Releases that owned; one that never decided a trade is named all the same.
    """
    earned = earned_by(book)
    known = {each.release for each in earned}
    idle = [release for release in dict.fromkeys(owned) if release and release not in known]
    rows = [_idle_row(release, said_of_none(earned)) for release in idle]
    return rows + [_earned_row(each) for each in earned]


def _idle_row(release: str, says: str) -> Row:
    return dict.fromkeys(EARNED_COLUMNS) | {"release": release, "trades": 0, "says": says}


def _earned_row(earned: Earned) -> Row:
    score = earned.score
    low, high = score.expectation_interval.low, score.expectation_interval.high
    return {
        "release": earned.release,
        "venue": earned.venue,
        "trades": score.trades,
        "won": score.won,
        "profit": round(score.profit, 6),
        "expectation": round(score.expectation, 6),
        "interval": [round(low, 6), round(high, 6)],
        "says": evidence_of(score),
    }


def _emit(rows: Sequence[Row], columns: Sequence[str], *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        for row in rows:
            emit_json(row)
    elif as_csv:
        emit_text(_csv_line(columns))
        for row in rows:
            emit_text(_csv_line([row[name] for name in columns]))
    else:
        emit_table(columns, map(earned_cells, rows))


def _show(rows: Sequence[Row], venue: str) -> None:
    here = rows_here(rows, venue)
    emit_table(TRADE_COLUMNS, map(trade_cells, here))
    emit_text(trade_totals(here))
    if len(here) < len(rows):
        others = counted(len(rows) - len(here), "trade")
        emit_text(f"{others} at another kind of venue left out: it is other money (`--json`)")


def _csv_line(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(_shown, values))
    return text.getvalue()


def _shown(value: object) -> object:
    return " to ".join(map(str, value)) if isinstance(value, list) else value


def rows_of(book: Book, last: int) -> list[Row]:
    """Return what is held, and the newest trades, the one that was decided last in front.

    Args:
        book: Of the record.
        last: How many decided trades.
    """
    rows = [_open_row(position, book.venue) for position in book.positions.values()]
    newest = book.decided[-last:] if last > 0 else []
    return rows + [
        # Of those before, at which kind they were is not kept.
        _decided_row(trade, book.venue if trade.decided_s >= book.venue_since_s else "")
        for trade in reversed(newest)
    ]


def rows_here(rows: Iterable[Row], venue: str) -> list[Row]:
    """Return the rows of a kind of venue: simulated money is never added to real."""
    return [row for row in rows if row["venue"] == venue]


def _open_row(position: Position, venue: str) -> Row:
    return _row(position.entry, position) | {"result": "open", "profit": None, "venue": venue}


def _decided_row(trade: Decided, venue: str) -> Row:
    profit = trade.profit_micro / MICRO
    won = {"result": trade.result.value, "profit": profit, "venue": venue}
    return _row(trade.entry, trade) | won


def _row(entry: Entry, held: Position | Decided) -> Row:
    return {
        "ends": rfc3339(entry.end_s * NS),
        "slot": entry.slot,
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
