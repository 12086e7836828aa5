"""What a series of the real trader adds up to: cycles, deploys, positions, both ledgers.

Owns the verdict. Cycles are counted from what the witness wrote and orders from the
exchange's ledger, as the demonstration's are; the journal is heard too, never alone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.cut_short import ENDED, deciders_in, killed_as_overdue, marked
from bench.deployed import deaths_in, rows_of, summary_of
from bench.doubts import Fates, fates_in
from bench.fault_plan import Fault
from bench.notes import notes_in
from bench.soak_report import takes_in
from foresight.evidence.books import compare
from foresight.evidence.count import count_cycles, count_sent
from foresight.evidence.verdict import sent_once
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.deployed import Deployed
    from bench.trading_home import TradingHome
    from foresight.evidence.count import Cycles, Sent
    from foresight.evidence.report import Report
    from state.journal_frames import Line

UNKNOWN_SHARE_MIN: Final = 0.05  # of the orders sent, in a series with faults
PROVEN_CYCLES_MAX: Final = 2
FILLED_MIN: Final = 20  # a series without orders proves nothing of them


class End(NamedTuple):
    """What was read when the series ended.

    Attributes:
        last: The newest cycle that was due.
        ledger: The exchange's books.
        in_flight: Windows of orders that had no outcome then.
        check: What `foresight cycles --check --json` said.
    """

    last: int
    ledger: Mapping[str, Any]
    in_flight: Sequence[str]
    check: Mapping[str, Any]


def make(
    home: TradingHome, done: Sequence[Deployed], end: End, *, seed: int, faults: bool
) -> dict[str, Any]:
    """Return the whole report; `passed` is its verdict."""
    reports = home.reports()
    lines = list(effective(read_lines(home.home / "journal")))
    cycles = _cycles(done, reports, lines, last=end.last)
    sent, fates, takes = count_sent(reports), fates_in(lines), takes_in(lines)
    seen = home.watch
    books = compare(end.ledger, seen.held.values(), seen.decided.values(), in_flight=end.in_flight)
    summary, audit = summary_of(done, reports, lines), audit_cycles(lines)
    holds = {
        "cycles": not cycles.missed and not cycles.doubled,
        "journal": end.check.get("ok") is True and audit.is_complete and not audit.missed,
        "deploys": not summary["unexpected"],
        "both alive at each take": faults or takes.both_alive == takes.takes,
        "positions": not seen.wrong(),
        "orders": sent_once(sent, books),
        "ledger and book": books.agree and not (books.in_flight or seen.adopted),
        "orders filled": books.executed >= FILLED_MIN,
        "outcomes proven": not faults or _proven(fates, sent),
    }
    stretches = notes_in(home.directory / "stretches.jsonl")
    hits: Counter[str] = sum((Counter(each["hits"]) for each in stretches), Counter())
    return {
        "passed": all(holds.values()),
        "holds": holds,
        "seed": seed,
        "deploys": len(done),
        "seconds": round(sum(each["seconds"] for each in stretches), 1),
        **summary,
        "cycles": cycles._asdict(),
        "journal": dict(end.check),
        "takes": takes._asdict(),
        "positions": {
            "ever": len(seen.held),
            "altered": seen.altered,
            "closed_early": seen.closed_early,
            "changes_of_owner": len(seen.handovers),
            "with_open_positions": sum(each.open_before > 0 for each in seen.handovers),
            "open_across_them": sum(each.open_before for each in seen.handovers),
            "changed_across_them": seen.changed_across(),
        },
        "sent": sent._asdict(),
        "orders": books._asdict() | {"adopted": sorted(seen.adopted)},
        "outcomes": fates.outcomes,
        "unknown_share": round(sent.asked / max(sent.reports, 1), 4),
        "doubtful": _doubtful(fates),
        "exchange_faults": dict(hits),
    }


def _cycles(
    done: Sequence[Deployed], reports: Sequence[Report], lines: Sequence[Line], *, last: int
) -> Cycles:
    told = marked(
        reports,
        deaths=[*deaths_in(done), *killed_as_overdue(lines)],
        faulty={each.release for each in done if each.fault == Fault.FIRST_CYCLE_FAILS},
        deciders=deciders_in(lines),
    )
    first = next(report.cycle for report in reports if report.kind == "observe")
    return count_cycles(told, first=first, last=last, ended=ENDED)


def _proven(fates: Fates, sent: Sent) -> bool:
    enough = sent.asked >= UNKNOWN_SHARE_MIN * sent.reports
    cycles = [doubt.cycles for doubt in fates.doubts]
    return enough and all(each is not None and each <= PROVEN_CYCLES_MAX for each in cycles)


def _doubtful(fates: Fates) -> dict[str, Any]:
    after = Counter(str(doubt.cycles) for doubt in fates.doubts)
    late = [
        doubt._asdict()
        for doubt in fates.doubts
        if doubt.cycles is None or doubt.cycles > PROVEN_CYCLES_MAX
    ]
    return {
        "effects": len(fates.doubts),
        "outcomes": dict(Counter(doubt.outcome for doubt in fates.doubts)),
        "proven_after_cycles": dict(sorted(after.items())),
        "late": late,
    }


def as_text(report: dict[str, Any]) -> str:
    """Return the report for a reader."""
    cycles, journal, takes = report["cycles"], report["journal"], report["takes"]
    positions, sent, orders = report["positions"], report["sent"], report["orders"]
    doubtful = report["doubtful"]
    rows = [
        f"{report['deploys']} deploys in {report['seconds']:.0f} s, seed {report['seed']}",
        f"cycles     expected {cycles['expected']}, run {cycles['run']}",
        f"  missed {len(cycles['missed'])}, doubled {len(cycles['doubled'])}",
        f"  begun again after an owner's end {len(cycles['begun_again'])}",
        f"journal    decided {journal.get('decided')}, ok: {journal.get('ok')}",
        f"takes      {takes['takes']}, old and new alive together in {takes['both_alive']}",
        f"  changes of owner in another way {takes['seizes']}",
        f"positions  {positions['ever']} ever, {len(positions['altered'])} changed",
        f"  closed early {len(positions['closed_early'])}",
        f"  changes of owner {positions['changes_of_owner']}",
        f"  open across them {positions['open_across_them']}",
        f"  of these changed {len(positions['changed_across_them'])}",
        f"orders     sent {sent['reports']} times for {sent['distinct']}",
        f"  received {orders['received']}, distinct {orders['distinct']}",
        f"  duplicates refused {orders['duplicates']}, executed {orders['executed']}",
        f"  bought twice {len(orders['bought_twice'])}, sent unasked {len(sent['repeated'])}",
        f"  in the book {orders['booked']}, differing {len(orders['differing'])}",
        f"  unknown to the book {len(orders['unknown_to_book'])}",
        f"  unknown to the exchange {len(orders['unknown_to_exchange'])}",
        f"  adopted {len(orders['adopted'])}, in flight {len(orders['in_flight'])}",
        f"outcomes   {report['outcomes']}, unknown at first {report['unknown_share']:.1%}",
        f"  doubtful {doubtful['effects']}, cycles until proven {doubtful['proven_after_cycles']}",
        f"  the exchange's faults {report['exchange_faults']}",
        *rows_of(report),
    ]
    wrong = ", ".join(name for name, holds in report["holds"].items() if not holds)
    return "\n".join([*rows, "passed" if report["passed"] else f"FAILED: {wrong}"])
