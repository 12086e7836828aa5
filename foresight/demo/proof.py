"""What the demonstration proved: one line per claim, with its numbers, and whether it holds.

Owns the claims. Cycles are counted from what the witness wrote, orders from the exchange's own
ledger; the engine's journal is heard too, but never alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from foresight.evidence.books import Comparison, compare
from foresight.evidence.count import (
    Cycles,
    Ended,
    Lateness,
    Sent,
    count_cycles,
    count_sent,
    lateness,
    middle,
)
from foresight.evidence.verdict import examples, sent_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foresight.evidence.record_watch import Handover, RecordWatch
    from foresight.evidence.report import Report

FILLED_MIN = 20
SHOWN_MAX = 5  # examples of what differs


class Deploy(NamedTuple):
    """One deploy of the demonstration.

    Attributes:
        what: In words.
        release: Its release.
        outcome: As the history says it.
        reason: Why it did not become permanent.
        code: Exit code of `foresight deploy`.
        expected_code: What it had to be.
        takes: Whether it becomes owner, for however short a time.
        after_epoch: Epoch before it.
        until_epoch: Epoch when it had ended.
    """

    what: str
    release: str
    outcome: str
    reason: str
    code: int
    expected_code: int
    takes: bool
    after_epoch: int
    until_epoch: int


class Evidence(NamedTuple):
    """Everything that was seen.

    Attributes:
        reports: What the witness wrote.
        calm_cycle: From here on the start is over; lateness is measured.
        last_cycle: The newest cycle that was due before the end.
        boundary_ns: Returns when a cycle begins, wall-clock nanoseconds.
        ended: Whom the demonstration ended.
        deploys: Its deploys, in order.
        watch: What the record showed.
        ledger: The exchange's books.
        in_flight: Windows of orders that had no outcome when it was read.
        check: What `foresight cycles --check --json` said.
        takeover_ms: From the kill to the next cycle's begin.
        seconds: How long all of it took.
        market: `synthetic` or `recorded`.
    """

    reports: Sequence[Report]
    calm_cycle: int
    last_cycle: int
    boundary_ns: Callable[[int], int]
    ended: Ended
    deploys: Sequence[Deploy]
    watch: RecordWatch
    ledger: Mapping[str, Any]
    in_flight: Sequence[str]
    check: Mapping[str, Any]
    takeover_ms: float | None
    seconds: float
    market: str


class Line(NamedTuple):
    """One claim.

    Attributes:
        holds: Whether it does.
        claim: In a word or two.
        found: The numbers.
    """

    holds: bool
    claim: str
    found: str


class Proof(NamedTuple):
    """All claims, and the numbers behind them as JSON builtins."""

    lines: tuple[Line, ...]
    numbers: dict[str, Any]

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(line.holds for line in self.lines)


def make(seen: Evidence) -> Proof:
    """Return what the evidence proves."""
    first = next(report.cycle for report in seen.reports if report.kind == "observe")
    cycles = count_cycles(seen.reports, first=first, last=seen.last_cycle, ended=seen.ended)
    sent = count_sent(seen.reports)
    books = compare(
        seen.ledger,
        seen.watch.held.values(),
        seen.watch.decided.values(),
        in_flight=seen.in_flight,
    )
    late = lateness(
        seen.reports, since=seen.calm_cycle, boundary_ns=seen.boundary_ns, ended=seen.ended
    )
    lines = (
        _cycles_line(cycles),
        _journal_line(seen.check),
        *(_deploy_line(deploy) for deploy in seen.deploys),
        *_positions_lines(seen),
        _kill_line(seen),
        _sent_line(sent, books),
        _books_line(books, seen.watch.adopted),
        Line(books.executed >= FILLED_MIN, "orders filled", f"{books.executed} on the ledger"),
    )
    return Proof(lines, _numbers(seen, lines, cycles=cycles, sent=sent, books=books, late=late))


def lateness_text(numbers: Mapping[str, Any]) -> list[str]:
    """Return the lateness of first cycles and ordinary ones in words."""
    titles = {
        "ordinary": "ordinary cycles",
        "first": "first cycles of planned owners",
        "after_end": "first cycles after an owner's end",
    }
    rows = []
    for name, title in titles.items():
        values = numbers["lateness_ms"][name]
        median = "none" if values["median"] is None else f"{values['median']:.2f} ms"
        worst = "" if values["worst"] is None else f", worst {values['worst']:.2f} ms"
        rows.append(f"{title} ({values['count']}): median {median}{worst}")
    return rows


def _cycles_line(cycles: Cycles) -> Line:
    again = len(cycles.begun_again)
    found = (
        f"witness: expected {cycles.expected}, run {cycles.run}, missed {len(cycles.missed)}"
        f"{_some(cycles.missed)}, doubled {len(cycles.doubled)}{_some(cycles.doubled)}"
        f"; begun again after an owner's end: {again}"
    )
    return Line(not cycles.missed and not cycles.doubled, "cycles", found)


def _journal_line(check: Mapping[str, Any]) -> Line:
    if "decided" not in check:
        return Line(holds=False, claim="journal", found=str(check.get("reason", "unreadable")))
    found = (
        f"decided {check['decided']}, missed {len(check['missed'])}, "
        f"doubled {len(check['doubled'])}, missing {len(check['missing'])}"
        f"{_some(check['faults'])}; its chain holds"
    )
    return Line(check["ok"] is True, "journal", found)


def _deploy_line(deploy: Deploy) -> Line:
    return Line(
        deploy.code == deploy.expected_code,
        "deploy",
        f"{deploy.what}: {deploy.outcome}, exit code {deploy.code} "
        f"(expected {deploy.expected_code})",
    )


def _positions_lines(seen: Evidence) -> list[Line]:
    watch = seen.watch
    kept = f"{len(watch.held)} ever, {len(watch.altered)} changed{_some(watch.altered)}"
    early = f", {len(watch.closed_early)} closed early{_some(watch.closed_early)}"
    over = len(watch.changed_across())
    across = f"; {len(watch.handovers)} changes of owner, {over} changed across them"
    lines = [_across_line(deploy, watch.handovers) for deploy in seen.deploys]
    # A slow machine may take so long to build that what was open is decided before one take.
    shown = any(each.open_before for each in watch.handovers)
    return [*lines, Line(shown and not watch.wrong(), "positions", kept + early + across)]


def _across_line(deploy: Deploy, handovers: Sequence[Handover]) -> Line:
    """Say what a deploy's take did to the positions that were open."""
    owned = [each for each in handovers if deploy.after_epoch < each.epoch <= deploy.until_epoch]
    if not deploy.takes:
        return Line(not owned, "positions", f"{deploy.what}: never owned, {len(owned)} takes")
    if not owned or owned[0].release != deploy.release:
        return Line(holds=False, claim="positions", found=f"{deploy.what}: it never owned")
    before, changed = owned[0].open_before, owned[0].changed
    found = f"{deploy.what}: {before} open before, {before - len(changed)} the same after"
    if not before:
        found = f"{deploy.what}: none was open any more at its take"
    return Line(not changed, "positions", found + _some(changed))


def _kill_line(seen: Evidence) -> Line:
    killed, after = seen.ended.killed_pid, seen.takeover_ms
    acted = [report.pid for report in seen.reports]
    held = after is not None and killed in acted and acted[-1] != killed
    time = "never" if after is None else f"{after:.0f} ms"
    return Line(held, "owner killed", f"pid {killed}; the next cycle began after {time}")


def _sent_line(sent: Sent, books: Comparison) -> Line:
    found = (
        f"sent {sent.reports} times for {sent.distinct}, asked about {sent.asked}; "
        f"received {books.received}, "
        f"distinct {books.distinct}, duplicates refused {books.duplicates}, "
        f"executed {books.executed}; sent again unasked {len(sent.repeated)}"
        f"{_some(sent.repeated)}, bought twice {len(books.bought_twice)}"
        f"{_some(books.bought_twice)}"
    )
    return Line(sent_once(sent, books), "orders", found)


def _books_line(books: Comparison, adopted: set[str]) -> Line:
    found = (
        f"executed {books.executed}, in the book {books.booked}; unknown to the book "
        f"{len(books.unknown_to_book)}{_some(books.unknown_to_book)}, to the exchange "
        f"{len(books.unknown_to_exchange)}{_some(books.unknown_to_exchange)}, "
        f"amounts differ {len(books.differing)}{_some(books.differing)}, "
        f"in flight {len(books.in_flight)}"
    )
    sound = books.agree and not adopted
    return Line(sound, "ledger and book", found + _some(sorted(adopted)))


def _some(what: Sequence[object]) -> str:
    """Return a few examples in brackets; nothing of nothing."""
    return f" ({examples(what, SHOWN_MAX)})" if what else ""


def _numbers(
    seen: Evidence,
    lines: Sequence[Line],
    *,
    cycles: Cycles,
    sent: Sent,
    books: Comparison,
    late: Lateness,
) -> dict[str, Any]:
    watch = seen.watch
    return {
        "passed": all(line.holds for line in lines),
        "market": seen.market,
        "seconds": seen.seconds,
        "cycles": cycles._asdict(),
        "journal": dict(seen.check),
        "deploys": [deploy._asdict() for deploy in seen.deploys],
        "positions": {
            "ever": len(watch.held),
            "altered": list(watch.altered),
            "closed_early": list(watch.closed_early),
            "handovers": [handover._asdict() for handover in watch.handovers],
        },
        "killed": {**seen.ended._asdict(), "takeover_ms": seen.takeover_ms},
        "sent": sent._asdict(),
        "orders": books._asdict() | {"adopted": sorted(watch.adopted)},
        "lateness_ms": {
            name: {
                "count": len(values),
                "median": middle(values),
                "worst": round(max(values), 2) if values else None,
            }
            for name, values in late._asdict().items()
        },
        "proof": [line._asdict() for line in lines],
    }
