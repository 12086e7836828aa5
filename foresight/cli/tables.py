"""Rows for people, at most 80 columns wide: cycles, trades, deploys, with their sums.

Owns which facts of a row are shown and in which width; everything there is stands in the JSON of
the same command. No file, clock or process enters here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.history import Entry
    from foresight.cli.cycle_rows import Row

RELEASE_LETTERS: Final = 12  # of its name: as many as a short commit has
SUBJECT_LETTERS: Final = 40
REASON_LETTERS: Final = 76
TRADE_COLUMNS: Final = ("ends", "slot", "side", "shares", "price", "result", "profit")
CYCLE_COLUMNS: Final = ("cycle", "due", "ran", "late ms", "release", "effects", "answered", "")


def cycle_cells(row: Row) -> tuple[object, ...]:
    """Return a cycle as `CYCLE_COLUMNS` say; times of day are UTC."""
    answered = "" if row.asked is None else f"{row.answered} of {row.asked}"
    return (
        row.cycle,
        _clock(row.scheduled),
        _clock(row.started),
        "" if row.late_ms is None else f"{row.late_ms:.0f}",
        row.release[:RELEASE_LETTERS],
        row.effects,
        answered,
        _note(row),
    )


def _note(row: Row) -> str:
    if row.stopped or row.missed:
        return "stopped" if row.stopped else row.missed
    without = f"no inputs: {row.unavailable}" if row.unavailable else ""
    return "; ".join(filter(None, (without, "" if row.settled else "in hand")))


def trade_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return a trade as `TRADE_COLUMNS` say; of a row as the JSON has it."""
    profit = row["profit"]
    return (
        str(row["ends"])[5:16].replace("T", " "),
        row["slot"],
        row["side"],
        f"{row['shares']:g}",
        f"{row['price']:.3f}",
        _fate(row),
        "" if profit is None else f"{profit:+.2f}",
    )


def _fate(row: Mapping[str, Any]) -> str:
    """Return what became of a trade; what is neither open nor decided for a side says its own."""
    if row["result"] == row["side"]:
        return "won"
    return "lost" if row["result"] in ("up", "down") else str(row["result"])


def trade_totals(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the sums of the rows that are shown, as one sentence."""
    decided = [row for row in rows if row["profit"] is not None]
    won = sum(_fate(row) == "won" for row in decided)
    profit, fees = sum(row["profit"] for row in decided), sum(row["fee"] for row in decided)
    closed = f"{counted(len(decided), 'trade')} decided, {won} won"
    held = counted(len(rows) - len(decided), "position")
    return f"{closed}, profit {profit:+.2f} after fees of {fees:.2f}; {held} open"


def deploy_lines(entries: Iterable[Entry]) -> list[str]:
    """Return deploys in a line each, and why in a second one where one did not become permanent."""
    lines = []
    for entry in entries:
        when = entry.requested_at[5:16].replace("T", " ")
        release = (entry.release or entry.commit or entry.ref)[:RELEASE_LETTERS]
        subject = _cut(entry.subject or entry.ref, SUBJECT_LETTERS)
        outcome = entry.outcome or entry.phase
        lines.append(f"{when}  {release:<12}  {outcome:<10}  {subject}".rstrip())
        reason = entry.reason.partition("\n")[0]
        if reason:
            lines.append(f"    {_cut(reason, REASON_LETTERS)}")
    return lines


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _clock(at_ms: float | None) -> str:
    if at_ms is None:
        return ""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.strftime("%H:%M:%S")
