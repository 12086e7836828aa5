"""Rows for people, at most 80 columns wide: cycles, trades, deploys, with their sums.

Owns which facts of a row are shown and in which width; what is too wide goes on in a further line.
Everything there is stands in the JSON of the same command. No file, clock or process enters here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from handoff.folding import folded
from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.history import Entry
    from foresight.cli.cycle_rows import Row

RELEASE_LETTERS: Final = 12  # of its name: as many as a short commit has
BELOW: Final = 4  # letters by which what goes with a line is set in below it
TRADE_COLUMNS: Final = ("ends", "slot", "side", "shares", "price", "result", "profit")
CYCLE_COLUMNS: Final = ("cycle", "due", "ran", "late ms", "release", "effects", "answered")


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
    )


def cycle_note(row: Row) -> str:
    """Return what else is to be said of a cycle, or nothing."""
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


def earned_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a release earned, as people read it; of a row as the JSON has it."""
    known = row["trades"] > 0
    return (
        row["release"][:RELEASE_LETTERS],
        row["venue"],
        row["trades"],
        row["won"],
        f"{row['profit']:+.2f}" if known else "",
        f"{row['expectation']:+.4f}" if known else "",
        "[{:+.4f}, {:+.4f}]".format(*row["interval"]) if known else "",
        row["says"],
    )


def trade_totals(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the sums of the rows that are shown, as one sentence."""
    if not rows:
        return "no trade was made yet"
    decided = [row for row in rows if row["profit"] is not None]
    held = counted(len(rows) - len(decided), "position")
    if not decided:
        return f"no trade is decided yet; {held} open"
    won = sum(_fate(row) == "won" for row in decided)
    profit, fees = sum(row["profit"] for row in decided), sum(row["fee"] for row in decided)
    closed = f"{counted(len(decided), 'trade')} decided, {won} won"
    return f"{closed}, profit {profit:+.2f} after fees of {fees:.2f}; {held} open"


def figure_lines(recent: Mapping[str, Any]) -> list[str]:
    """Return how good trades were, as `status` says it; of none there is no rate and no mean.

    Args:
        recent: A `Score`, as JSON has it.
    """
    if not recent["trades"]:
        return ["win rate  none: no trade is decided yet"]
    with_result = recent["won"] + recent["lost"]  # as `Score.with_result`
    low, high = recent["win_rate_interval"]["low"], recent["win_rate_interval"]["high"]
    rate = f"{recent['win_rate']:.0%} of {with_result} (95 %: {low:.0%} to {high:.0%})"
    if not with_result:
        rate = f"none: {counted(recent['void'], 'trade')} without a result"
    worth = f"expectation {recent['expectation']:+.4f} a share, profit {recent['profit']:+.2f}"
    return [f"win rate  {rate}, mean price {recent['mean_price']:.3f}", f"{'':10}{worth}"]


def deploy_lines(entries: Iterable[Entry], width: int) -> list[str]:
    """Return deploys in a line each, and below it why where one did not become permanent.

    Args:
        entries: The deploys.
        width: Letters of a line.
    """
    lines = []
    for entry in entries:
        when = entry.requested_at[5:16].replace("T", " ")
        release = (entry.release or entry.commit or entry.ref)[:RELEASE_LETTERS]
        head = f"{when}  {release:<12}  {entry.outcome or entry.phase:<10}  "
        subject = entry.subject or entry.ref
        lines += folded(f"{head}{subject}".rstrip(), width, later=len(head))
        lines += _reason_lines(entry.reason, width)
    return lines


def _reason_lines(reason: str, width: int) -> list[str]:
    """Return why, whole but for what a program that died has printed after its first line."""
    if not reason:
        return []
    first, *printed = reason.splitlines()
    lines = [first]
    if printed:
        lines.append(f"and {counted(len(printed), 'more line')} (`foresight deploys --json`)")
    return [part for line in lines for part in folded(f"{'':{BELOW}}{line}", width, later=BELOW)]


def _clock(at_ms: float | None) -> str:
    if at_ms is None:
        return ""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.strftime("%H:%M:%S")
