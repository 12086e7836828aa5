"""`cycles`: every cycle as the journal tells it, and the proof that none is missing or doubled.

Owns the verdict. `--check` exits 1 and names the cycle if one is missing,
doubled, missed by policy or overdue, or if a journal line was removed, repeated or changed.
What a host beside an etcd was not there for is named and no fault; with `--all-hosts` it is one
if no other host's journal has it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from foresight.cli.cycle_rows import rows_of
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import (
    complain,
    emit_json,
    emit_table,
    emit_text,
    json_option,
    last_type,
    progress,
)
from foresight.cli.repairing import journals_elsewhere
from foresight.cli.tables import CYCLE_COLUMNS, cycle_cells, cycle_note
from handoff.commands.cycle_faults import (
    faults_of,
    nowhere_faults,
    overdue_faults,
    unproven_words,
)
from handoff.exit_codes import ExitCode
from handoff.limits import MS, NS, OVERDUE_GRACE_NS_MIN
from handoff.plurals import counted
from state.coverage import proven_nowhere
from state.errors import JournalBroken
from state.journal_reader import read_lines, unproven_cycles, verify_chain, verify_cycles
from state.local_store import read_only_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.cycle_audit import CycleRange, CycleReport
    from state.etcd.put_back import Kept

FAULTS_SHOWN_MAX: Final = 20  # neighbours are one; a terminal has about so many lines


@click.command()
@click.option("--since", default="", help="First cycle wanted: its number or a UTC time.")
@click.option("--last", type=last_type, default=None, help="Only so many newest cycles.")
@click.option("--check", is_flag=True, help="Prove that none is missing or doubled.")
@click.option("--all-hosts", is_flag=True, help="With --check: another host has what is not here.")
@json_option
@pass_installation
def cycles(
    installation: Installation,
    *,
    since: str,
    last: int | None,
    check: bool,
    all_hosts: bool,
    as_json: bool,
) -> int:
    """List every cycle: when it was due, when it ran, and which release decided it."""
    journal = installation.home / "journal"
    first = _first_cycle(installation, since) if since else None
    if check:
        journals = journals_elsewhere(installation) if all_hosts else None
        return _check(installation, since=first, as_json=as_json, journals=journals)
    if all_hosts:
        what = "--all-hosts belongs to --check"
        raise click.UsageError(what)
    rows = list(rows_of(read_lines(journal, first)))
    rows = rows[-last:] if last else rows
    if not rows:
        progress("no cycle was decided yet" if first is None else "no cycle was decided since")
    if as_json:
        for row in rows:
            emit_json(row)
        return ExitCode.DONE
    emit_table(CYCLE_COLUMNS, map(cycle_cells, rows), notes=map(cycle_note, rows))
    return ExitCode.DONE


def _first_cycle(installation: Installation, since: str) -> int:
    """Return the cycle that a number or a time, RFC 3339, names."""
    if since.isdecimal():
        return int(since)
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        what = f"--since {since} is neither a cycle nor a time such as 2026-11-22T18:00:00Z"
        raise click.UsageError(what) from error
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return installation.schedule(installation.record()).cycle_at(round(at.timestamp() * NS))


def _check(
    installation: Installation,
    *,
    since: int | None,
    as_json: bool,
    journals: Sequence[Kept] | None,
) -> int:
    journal = installation.home / "journal"
    found = read_only_generation(installation.home / "state")
    try:
        verify_chain(journal, digest=found.digest, cycle=found.record.progress.cycle)
        report = verify_cycles(journal, since)
        unproven = unproven_cycles(journal)
    except JournalBroken as broken:
        if as_json:
            emit_json({"ok": False, "reason": str(broken), "cycle": broken.cycle})
        complain(str(broken), broken.hint)
        return ExitCode.FAILED
    overdue, stopped = report.undecided(now_ns() / MS, _grace_ms(report.period_ms))
    faults = [*faults_of(report), *overdue_faults(overdue, owned=report.stop is None)]
    nowhere = proven_nowhere(unproven, [each.covered for each in journals or ()])
    faults += nowhere_faults(nowhere, journals) if journals is not None else []
    if as_json:
        plain = msgspec.to_builtins(report)
        overdue_now = msgspec.to_builtins(overdue) if overdue.count else None
        here = {"overdue": overdue_now, "unproven": msgspec.to_builtins(unproven)}
        if journals is not None:
            here["nowhere"] = msgspec.to_builtins(nowhere)
        emit_json({"ok": not faults, "faults": faults, **here, **plain})
    else:
        emit_text(_summary(report, overdue, stopped))
        for words in unproven_words(unproven):
            emit_text(words)
        if journals is not None and unproven and not nowhere:
            emit_text(f"other hosts prove them: {', '.join(each.words() for each in journals)}")
    for fault in faults[:FAULTS_SHOWN_MAX]:
        complain(fault)
    if len(faults) > FAULTS_SHOWN_MAX:
        complain(f"and {len(faults) - FAULTS_SHOWN_MAX} more", "--json lists all of them")
    return ExitCode.FAILED if faults else ExitCode.DONE


def _grace_ms(period_ms: float | None) -> float:
    """Return how long after its boundary a cycle may be undecided, whatever its budget is."""
    if period_ms is None:
        return 0.0
    period_ns = round(period_ms * MS)
    # The release's own budget is not ours to read: two periods hold the longest, and its limit.
    return (2 * period_ns + OVERDUE_GRACE_NS_MIN) / MS


def _summary(report: CycleReport, overdue: CycleRange, stopped: CycleRange) -> str:
    """Return the count in a line; what is zero as a rule is said where it is not."""
    due = 0 if report.first is None or report.last is None else report.last - report.first + 1
    parts = [
        f"{counted(due + overdue.count + stopped.count, 'cycle')} due",
        f"{report.decided} run",
        f"{len(report.missed)} missed",
        f"{sum(each.count for each in report.missing)} lost",
        f"{len(report.doubled)} doubled",
    ]
    rare = {
        "stopped": sum(each.count for each in report.stopped) + stopped.count,
        "overdue": overdue.count,
        "without inputs": report.unavailable,
        "of them over the budget": report.over_budget,
    }
    parts += [f"{count} {what}" for what, count in rare.items() if count]
    return f"{', '.join(parts)}; the journal's chain holds"
