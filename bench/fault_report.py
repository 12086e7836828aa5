"""What a series with faults adds up to: cycles, chain, effects, deploys, places of death.

Owns the verdict over the example worker's series. Cycles are counted from what the witness
wrote, whatever the engine believes; the journal's own account must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.chained import Body
from bench.deployed import rows_of, summary_of
from bench.fault_plan import Place
from bench.notes import notes_in
from bench.soak_report import chain_in, takes_in
from foresight.evidence.count import count_performed
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.deployed import Deployed
    from bench.installation import Installation
    from foresight.evidence.report import Report

PLACE_MIN: Final = 20  # kills of an owner in each place, in a series of ...
LONG: Final = 1000  # ... so many deploys
_MS: Final = 1_000_000


def make(
    installation: Installation, done: Sequence[Deployed], *, last: int, seed: int, period_ns: int
) -> dict[str, Any]:
    """Return the whole report; `passed` is its verdict.

    Args:
        installation: Stopped.
        done: Its deploys.
        last: The newest cycle that was due before it was stopped.
        seed: Of the faults.
        period_ns: Length of a cycle.
    """
    reports = installation.reports()
    lines = list(effective(read_lines(installation.home / "journal")))
    first = min(report.cycle for report in reports)
    seen = count_performed(reports, first=first, last=last, period_ns=period_ns)
    early = early_in(reports, period_ns=period_ns)
    audit = audit_cycles(lines)
    begun = notes_in(installation.directory / "releases.jsonl")
    versions = {each["release"]: each["version"] for each in begun}
    chain = chain_in(lines, installation, versions)
    effects = _effects(installation)
    summary = summary_of(done, reports, lines)
    killed = summary["owners_killed_in"]
    passed = (
        seen.is_exact
        and not early
        and audit.is_complete
        and not audit.missed
        and not (chain.broken or chain.misstamped)
        and effects["planned"] == effects["confirmed"] + effects["waiting"]
        and not summary["unexpected"]
        and (len(done) < LONG or min(killed.get(place.value, 0) for place in Place) >= PLACE_MIN)
    )
    stretches = notes_in(installation.directory / "stretches.jsonl")
    return {
        "passed": passed,
        "seed": seed,
        "deploys": len(done),
        "seconds": round(sum(each["seconds"] for each in stretches), 1),
        "period_ms": period_ns / _MS,
        **summary,
        "witness": {
            **seen._asdict(),
            "late": len(seen.late),
            "early": early,
        },
        "journal": {
            "decided": audit.decided,
            "settled": audit.settled,
            "missed": len(audit.missed),
            "doubled": audit.doubled,
            "complete": audit.is_complete,
        },
        "chain": chain._asdict(),
        "effects": effects,
        "takes": takes_in(lines)._asdict(),
    }


def early_in(reports: Sequence[Report], *, period_ns: int) -> list[int]:
    """Return the cycles that somebody began before they were due, by the witness's clock.

    Args:
        reports: What the witness wrote.
        period_ns: Length of a cycle, nanoseconds; cycle 0 began with the epoch.
    """
    begun = [report for report in reports if report.kind == "observe"]
    return sorted({each.cycle for each in begun if each.at_ns < each.cycle * period_ns})


def _effects(installation: Installation) -> dict[str, int]:
    """Return what the body knows of its effects: one was planned in each of its decisions."""
    record = installation.record()
    assert record is not None, "a series leaves a record"
    body = msgspec.json.decode(record.body, type=Body)
    return {
        "planned": body.links,
        "confirmed": body.confirmed,
        "waiting": len(record.receipts) + len(record.outbox),
    }


def as_text(report: dict[str, Any]) -> str:
    """Return the report for a reader."""
    seen, chain, journal = report["witness"], report["chain"], report["journal"]
    effects, takes = report["effects"], report["takes"]
    title = (
        f"{report['deploys']} deploys with faults in {report['seconds']:.0f} s, "
        f"seed {report['seed']}, a period of {report['period_ms']:g} ms"
    )
    rows = [
        title,
        f"witness    expected {seen['expected']}, run {seen['run']}",
        f"  missed {len(seen['missed'])}, doubled {len(seen['doubled'])}",
        f"  begun only after their period {seen['late']}, before it {len(seen['early'])}",
        f"journal    decided {journal['decided']}, complete: {journal['complete']}",
        f"  given up {journal['missed']}",
        f"chain      {chain['links']} links again, {chain['bodies']} bodies compared",
        f"  broken {len(chain['broken'])}, misstamped {len(chain['misstamped'])}",
        f"effects    planned {effects['planned']}, confirmed {effects['confirmed']}",
        f"  waiting to be taken in {effects['waiting']}",
        f"takes      {takes['takes']}, old and new alive together in {takes['both_alive']}",
        f"  changes of owner in another way {takes['seizes']}",
        *rows_of(report),
    ]
    return "\n".join([*rows, "passed" if report["passed"] else "FAILED"])
