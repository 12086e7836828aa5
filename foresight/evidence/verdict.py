"""Whether a fault was survived: a stretch of the journal and of the books, judged.

Owns the rules, pure: no cycle missed, none doubled, epochs that rise one by one, one worker for
each epoch, as many changes of owner as the fault has to cost, punctual cycles where the owner
was not touched, positions unchanged, each order executed once and booked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from state.cycle_audit import audit_cycles
from state.journal_frames import BOOKKEEPING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.evidence.books import Comparison
    from foresight.evidence.count import Sent
    from state.journal_frames import Line

CHANGES: Final = frozenset({"take", "seize"})
OWN_LINES: Final = frozenset({"decide", "settle", "miss"})
SHOWN_MAX: Final = 3  # examples of what is wrong, unless more are wanted


class Window(NamedTuple):
    """What the journal says of a stretch of cycles.

    Attributes:
        first: A cycle that was settled before the fault.
        last: A cycle that was settled after everything was well again.
        lines: The effective lines of these cycles, oldest first.
    """

    first: int
    last: int
    lines: Sequence[Line]


class Trading(NamedTuple):
    """What happened to positions and orders in that stretch.

    Attributes:
        unsound: What is wrong with positions: altered, closed early, found at the venue only.
        held: How many positions were open before.
        books: The exchange's ledger against the book; None where the exchange is not ours.
        doubtful: Orders whose outcome was not known at the end; they are never sent again.
    """

    unsound: Sequence[str]
    held: int
    books: Comparison | None
    doubtful: int = 0


class Verdict(NamedTuple):
    """The judgement.

    Attributes:
        problems: What does not hold; empty if all does.
        evidence: The numbers, in words.
    """

    problems: tuple[str, ...]
    evidence: str


def judge(
    window: Window, trading: Trading, *, changes: int, late_ms_max: float | None = None
) -> Verdict:
    """Judge a stretch.

    Args:
        window: The cycles.
        trading: The positions and orders.
        changes: How often the owner had to change.
        late_ms_max: Latest start of a cycle after its boundary; None where it may be later.
    """
    counted, cycle_problems = _cycles(window)
    owners, owner_problems = _ownership(window.lines, changes)
    late, late_problems = _lateness(window.lines, late_ms_max)
    orders, book_problems = _books(trading)
    problems = (*cycle_problems, *owner_problems, *late_problems, *book_problems)
    return Verdict(problems, "; ".join(filter(None, (late, counted, owners, orders))))


def _cycles(window: Window) -> tuple[str, list[str]]:
    report = audit_cycles(window.lines)
    decided = {line.cycle for line in window.lines if line.kind == "decide"}
    missed = sorted(set(range(window.first, window.last + 1)) - decided)
    doubled = sorted(report.doubled)
    problems = [f"cycles missed: {examples(missed)}"] if missed else []
    problems += [f"cycles doubled: {examples(doubled)}"] if doubled else []
    problems += [f"cycles never settled: {examples(report.unsettled)}"] if report.unsettled else []
    problems += ["the journal does not lead to the record"] if report.gaps else []
    return f"{len(missed)} missed, {len(doubled)} doubled of {len(decided)}", problems


def _ownership(lines: Sequence[Line], changes: int) -> tuple[str, list[str]]:
    moves = [line for line in lines if line.kind not in BOOKKEEPING]
    problems: list[str] = []
    workers: dict[int, str] = {}
    epoch = moves[0].epoch if moves else 0
    first = epoch
    for line in moves:
        rises = line.kind in CHANGES and line is not moves[0]
        if line.epoch != epoch + rises:
            problems.append(f"epoch {epoch} is followed by {line.epoch} ({line.kind})")
        epoch = line.epoch
        known = workers.setdefault(epoch, line.worker) if line.kind in OWN_LINES else line.worker
        if known != line.worker:
            problems.append(f"two workers in epoch {epoch}: {known} and {line.worker}")
    seen = epoch - first
    if seen != changes:
        problems.append(f"the owner changed {seen} times, not {changes}")
    return f"epoch {first} to {epoch}" if seen else f"epoch {epoch} throughout", problems


def _lateness(lines: Sequence[Line], late_ms_max: float | None) -> tuple[str, list[str]]:
    late = [
        (line.started_ms - line.scheduled_ms, line)
        for line in lines
        if line.kind == "decide" and line.started_ms is not None and line.scheduled_ms is not None
    ]
    if not late:
        return "", ["no cycle was run"]
    late_ms, line = max(late, key=lambda each: each[0])
    words = f"cycle {line.cycle} ran {late_ms / 1000:.3f} s after its boundary by {line.worker}"
    if late_ms_max is not None and late_ms > late_ms_max:
        return words, [f"cycle {line.cycle} was late although its owner was not touched"]
    return words, []


def _books(trading: Trading) -> tuple[str, list[str]]:
    problems = [f"positions: {examples(trading.unsound)}"] if trading.unsound else []
    words = f"{trading.held} positions open, none altered" if not trading.unsound else ""
    books = trading.books
    if books is None:
        return words, problems
    wrong = {
        "executed, not booked": books.unknown_to_book,
        "booked, not executed": books.unknown_to_exchange,
        "booked otherwise": books.differing,
        "bought twice": books.bought_twice,
    }
    problems += [f"orders {what}: {examples(which)}" for what, which in wrong.items() if which]
    if not books.is_once:
        problems.append("an order was sent again, and not refused as a duplicate")
    sent = f"{books.received} orders sent, {books.distinct} distinct, {books.executed} executed"
    doubt = f"{trading.doubtful} in doubt, asked about" if trading.doubtful else ""
    return ", ".join(filter(None, (words, sent, doubt))), problems


def sent_once(sent: Sent, books: Comparison) -> bool:
    """Tell whether each order arrived as often as it was sent, and was executed once."""
    # What the venue was asked about afterwards may or may not have arrived.
    arrived = sent.reports - sent.asked <= books.received <= sent.reports
    return arrived and books.is_once and not (sent.repeated or books.bought_twice)


def examples(what: Sequence[object], most: int = SHOWN_MAX) -> str:
    """Return the first few of some things in words; nothing of nothing."""
    shown = ", ".join(map(str, what[:most]))
    return f"{shown}, ..." if len(what) > most else shown
