"""`status`: who owns, how far it got, what is open, how good it is.

Owns the summary and its two renderings. It reads the record and asks the launcher, and
works, with a note, when nothing runs.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click
import msgspec

from deploy import history
from foresight.board import MICRO
from foresight.book import SCHEMA, Book
from foresight.cli import overriding
from foresight.cli.addresses import earlier
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.locking import shown_of
from foresight.cli.moments import now_ns, now_s, pause
from foresight.cli.output import emit_json, emit_text, is_heard, json_option, plain, repaint
from foresight.cli.tables import figure_lines
from foresight.overridden import Seen
from foresight.scoring import scores_of
from foresight.settlement import awaited
from handoff.commands.host_words import titled
from handoff.commands.looking import children_of, hosts_json_of, look, standing_of
from handoff.commands.standing import bake_words, sentence
from handoff.errors import ReleaseUnusable
from handoff.exit_codes import ExitCode
from handoff.folding import folded
from handoff.launcher.edition_file import read_editions
from handoff.launcher.edition_rules import Known
from handoff.limits import MS
from handoff.plurals import counted
from handoff.release_files import read_manifest
from handoff.standard_streams import text_columns
from state.cycle_audit import audit_cycles
from state.heard import counting, newest_heard
from state.journal_reader import newest_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from handoff.release_files import Manifest
    from state.heard import Heard
    from state.record import Record

PAGE = "dashboard"
REPAINT_S = 1.0
INPUTS_LINES = 120  # of the journal: an hour at a minute a cycle, two lines each
HEALTH_LINES = 16  # of the journal: the newest decision is among them


@click.command()
@click.option("--watch", is_flag=True, help="Show it anew every second, in its place.")
@json_option
@pass_installation
def status(installation: Installation, *, watch: bool, as_json: bool) -> int:
    """Show owner, release, cycle, positions, figures and the deploy under way."""
    while True:
        summary = summary_of(installation)
        if as_json:
            emit_json(summary)
        elif watch:
            repaint(in_width(lines_of(summary), text_columns()))
        else:
            for line in in_width(lines_of(summary), text_columns()):
                emit_text(line)
        if not (watch and is_heard()):
            return ExitCode.DONE if summary["running"] else ExitCode.NOT_RUNNING
        pause(REPAINT_S)


def summary_of(installation: Installation) -> dict[str, Any]:
    """Return everything that `status` shows as JSON builtins."""
    view = look(installation.home_in_need(), now_ns())
    launcher, record = view.launcher, view.record
    says = sentence(standing_of(view))
    if record is None:  # never started, or about to decide for the first time
        hosts = hosts_json_of(view)
        home = str(installation.home)
        return {"says": says, "running": bool(launcher), "home": home, "hosts": hosts}
    release = record.ownership.release
    manifest = _manifest_of(installation.home, release)
    current = history.read_current(installation.home)
    book: Book = SCHEMA.decode(record.body, record.schema)
    children = launcher.get("children", [])
    return {
        "says": says,
        "running": bool(launcher),
        "home": str(installation.home),
        "page": page_of(installation) if launcher else "",
        **edition_of(installation.home),
        "app": record.app,
        "release": release,
        "commit": manifest.commit if manifest else "",
        "subject": manifest.subject if manifest else "",
        "epoch": record.ownership.epoch,
        "owner": plain(record.ownership.owner),
        "cycle": record.progress.cycle,
        "phase": record.progress.phase.value,
        "next_boundary_ms": _next_boundary_ms(installation, record),
        "control": plain(record.control),
        "locks": [plain(one) for one in shown_of(record)],
        "standby": sum(
            child["role"] == "heir" and child["warm"] and not child["owner"] for child in children
        ),
        "children": children_of(view),
        "hosts": hosts_json_of(view),
        "deploy": plain(current) if current is not None else None,
        "rollout": plain(record.rollout),
        "inputs": _inputs(installation),
        "health": plain(health_of(newest_heard(installation.home / "journal"))),
        "overrides": plain(overriding.shown(installation, release)),
        "outbox": len(record.outbox),
        "positions": len(book.positions),
        "awaited": {
            "positions": len(awaited(book)),
            "staked": sum(one.stake_micro for one in awaited(book)) / MICRO,
        },
        "cash": book.cash.held_micro / MICRO if book.cash is not None else None,
        "anomalies": [plain(anomaly) for anomaly in book.anomalies],
        "slots": {slot: plain(memory) for slot, memory in book.slots.items()},
        "scores": plain(scores_of(book)),
    }


def _manifest_of(home: Path, release: str) -> Manifest | None:
    """Return what the release is; None where it is gone until `up`, as after `uninstall`."""
    try:
        return read_manifest(home, release) if release else None
    except ReleaseUnusable:
        return None


def page_of(installation: Installation) -> str:
    """Return where the page of a running installation is, without what opens it."""
    address = earlier(installation.home, PAGE)
    return f"http://{address}" if address else ""


def edition_of(home: Path) -> dict[str, str]:
    """Return whose page it is: that of a release, or of the installation, and why no newer one."""
    known = read_editions(home).get(PAGE, Known())
    return {"page_release": known.ready, "page_why": known.why}


def _inputs(installation: Installation) -> dict[str, Any]:
    """Return how many of the newest cycles had no inputs, and how the last of them is explained."""
    lines = newest_lines(installation.home / "journal", INPUTS_LINES)
    report = audit_cycles(lines)
    reasons = [line.unavailable for line in lines if line.unavailable]
    return {
        "cycles": report.decided,
        "unavailable": report.unavailable,
        "over_budget": report.over_budget,
        "reason": reasons[-1] if reasons else "",
    }


def _next_boundary_ms(installation: Installation, record: Record) -> int:
    return installation.schedule(record).boundary_ns(record.progress.cycle + 1) // MS


class HealthSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How much the newest decided cycle got of what it asked for.

    Attributes:
        cycle: The cycle; None where none was counted.
        asked: What it asked for.
        answered: How much of it was answered.
    """

    cycle: int | None = None
    asked: int = 0
    answered: int = 0


def health_of(newest_first: Iterable[Heard]) -> HealthSeen:
    """Return what the journal's newest decision says of its inputs."""
    for line in counting(islice(newest_first, HEALTH_LINES)):
        if line.kind == "decide" and line.health is not None:
            health = line.health
            return HealthSeen(cycle=line.cycle, asked=health.asked, answered=health.answered)
    return HealthSeen()


def _next(summary: dict[str, Any]) -> str:
    """Return when the next cycle begins; nothing where nobody would decide it."""
    left_s = summary["next_boundary_ms"] / 1000 - now_s()
    return f", next in {left_s:.1f} s" if summary["running"] and left_s > 0 else ""


def in_width(lines: list[str], width: int) -> list[str]:
    """Return lines of a summary as lines of a width: a sentence, then what stands behind labels.

    Args:
        lines: As `lines_of` returns them.
        width: Letters of a line.
    """
    says, *facts = lines
    return folded(says, width) + [part for fact in facts for part in folded(fact, width, later=10)]


def _hosts(summary: dict[str, Any]) -> list[str]:
    return list(titled(summary["hosts"], title="hosts", warned="clocks", width=10))


def _money_lines(summary: dict[str, Any]) -> list[str]:
    lines = []
    if summary["cash"] is not None:
        lines.append(f"cash      {summary['cash']:.2f} USDC")
    awaits = summary["awaited"]
    if awaits["positions"]:
        lines.append(
            f"awaited   {counted(awaits['positions'], 'ended window')} without a result: "
            f"{awaits['staked']:.2f} USDC count against [risk] stake_board_usdc"
        )
    found = summary["scores"]["by_hand"]
    if found["held"] or found["decided"]:
        lines.append(
            f"by hand   {found['held']} open for {found['staked']:.2f} USDC, "
            f"{found['decided']} decided, profit {found['profit']:+.2f}"
        )
    if summary["anomalies"]:
        newest = max(summary["anomalies"], key=lambda one: one["last_cycle"])
        lines.append(
            f"anomalies {len(summary['anomalies'])}, the newest in cycle {newest['last_cycle']}: "
            f"{newest['kind']} {newest['subject']} (`foresight anomalies`)"
        )
    return lines


def lines_of(summary: dict[str, Any]) -> list[str]:
    """Return the summary as lines of text, how it stands first."""
    if "release" not in summary:
        return [summary["says"], *_hosts(summary), f"home      {summary['home']}"]
    owner = summary["owner"]
    who = f"worker {owner['worker']} pid {owner['pid']}" if owner else "nobody"
    lines = [
        summary["says"],
        f"release   {summary['release'] or 'none yet'} {summary['subject']}".rstrip(),
        f"owner     {who}, epoch {summary['epoch']}, standby {summary['standby']}",
        f"cycle     {summary['cycle']} {summary['phase']}{_next(summary)}",
        f"positions {summary['positions']} open, {counted(summary['outbox'], 'effect')} pending",
        *figure_lines(summary["scores"]["recent"]),
        *_money_lines(summary),
    ]
    if summary["locks"]:
        locked = ", ".join(f"{one['scope']} ({one['reason']})" for one in summary["locks"])
        lines.append(f"locked    {locked}")
    health, inputs = summary["health"], summary["inputs"]
    if health["cycle"] is not None:
        lines.append(
            f"answered  {health['answered']} of {health['asked']} in cycle {health['cycle']}"
        )
    if inputs["unavailable"]:
        lines.append(
            f"inputs    none in {inputs['unavailable']} of the last {inputs['cycles']} cycles, "
            f"{inputs['over_budget']} of them over the budget; the last: {inputs['reason']}"
        )
    seen = msgspec.convert(summary["overrides"], type=list[Seen])
    lines += overriding.lines_of(seen)
    if summary["deploy"]:
        lines.append(f"deploy    {summary['deploy']['deploy']} {summary['deploy']['phase']}")
    elif summary["rollout"]:
        rollout = summary["rollout"]
        lines.append(f"bake      {bake_words(rollout['clean_cycles'], rollout['of'])}")
    lines += _hosts(summary)
    if summary["page"]:
        lines.append(f"page      {summary['page']}")
        if summary["page_why"]:
            whose = summary["page_release"] or "this installation"
            lines.append(f"          that of {whose}, no newer one: {summary['page_why']}")
    return [*lines, f"home      {summary['home']}"]
