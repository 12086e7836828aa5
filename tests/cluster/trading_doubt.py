"""Orders that were carried out and not answered when their host ended: what became of each.

Owns the judgement, pure, and which orders those are. The host that goes on has no proof that the
other one is dead: it may neither send them again as new ones nor forget them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foresight.board import MICRO
from tests.cluster.evidence import doubtful_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from foresight.book import Book
    from foresight.trades import Decided
    from state.journal_frames import Line
    from state.record import Record


def unanswered(ledger: Mapping[str, Any], record: Record, book: Book) -> set[str]:
    """Return the windows whose order bought something of which a record knows nothing yet.

    Args:
        ledger: The exchange's own account, read before the record.
        record: The newest one.
        book: Its body.
    """
    if not record.outbox or record.receipts:
        return set()
    return {each["slug"] for each in ledger["orders"] if _shares(each)} - known(book)


def known(book: Book) -> set[str]:
    """Return the windows in which a book has bought something."""
    held = {each.entry.slug for each in book.positions.values()}
    return held | {each.entry.slug for each in book.decided}


def judged(
    lines: Iterable[Line], windows: Collection[str], decided: Iterable[Decided]
) -> Iterator[tuple[bool, str]]:
    """Yield whether there was doubt, and whether it has come to an end.

    Args:
        lines: A whole journal.
        windows: Those whose order was not answered.
        decided: Every decided trade.
    """
    doubtful, unproven = doubtful_in(lines)
    words = f"{doubtful} orders were in doubt, {unproven} of them of a host that nobody proved dead"
    yield unproven > 0, words
    lost = sorted(set(windows) - {each.entry.slug for each in decided})
    shown = f" ({', '.join(lost)})" if lost else ""
    words = f"{len(windows)} bought something unanswered, {len(windows) - len(lost)} were decided"
    yield bool(windows) and not lost, f"{words} in the end{shown}"


def _shares(order: Mapping[str, Any]) -> int:
    return int(float(order["filled"]) * MICRO)
