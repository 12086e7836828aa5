"""A look at an installation: what its launcher says, what its record says.

Owns the reading of both, and what a program's own status adds nothing to. It works where nothing
runs, and where nothing ever ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from handoff.cadence import Cadence, Schedule
from handoff.clean_text import cleaned_line
from handoff.commands.host_words import hosts_as_json, not_standby, titled
from handoff.commands.promoting import lacks_inputs
from handoff.commands.standing import Standing, is_promoted, sentence
from handoff.errors import HandoffError, NotRunning, StoppedHalf, WireBroken
from handoff.limits import MS, NS, SHARED_LATE_NS, overdue_of
from handoff.liveness import Judgement, Verdict
from handoff.plurals import counted
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from handoff.worker.hosts import LocalHosts, hosts_of
from state.errors import RecordMissing, StateError
from state.heard import counting, newest_heard
from state.hosts_file import read_hosts
from state.local_store import read_only_snapshot
from state.mirror import is_mirrored
from state.moments import rfc3339
from state.record import Phase

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.wire import Message
    from state.hosts_seen import HostsSeen
    from state.record import Record, WorkerId

_BARRED = ("put_back", "other_account")  # why a launcher starts nobody
_SAID = frozenset({"pid", "app", "stopping", "listening"})  # of what a launcher says of itself
_OF_CHILD = ("name", "role", "release", "pid", "warm", "owner", "away_since_ms")
HEALTH_LINES = 16  # of the journal: the newest decision is among them


class View(NamedTuple):
    """What one look found.

    Attributes:
        home: The state directory.
        launcher: What the launcher says; empty where none answers.
        record: The record, or None where there is none.
        now_ns: Wall-clock time of the look, nanoseconds UTC.
        hosts: What its workers heard of all hosts; None where its record is its own.
    """

    home: Path
    launcher: Message
    record: Record | None
    now_ns: int
    hosts: HostsSeen | None = None


def look(home: Path, now_ns: int) -> View:
    """Look at an installation.

    Raises:
        StateError: Its record cannot be read.
        HandoffError: The launcher is there and makes no sense.
    """
    return View(home, _launcher(home), _record(home), now_ns, read_hosts(home))


def _launcher(home: Path) -> Message:
    try:
        with LauncherClient(home) as client:
            return client.ask(Kind.STATUS)
    except NotRunning:
        return {}


def _record(home: Path) -> Record | None:
    try:
        return read_only_snapshot(home / "state")
    except RecordMissing:
        return None


def ask_to_stop(home: Path, now_ns: int) -> None:
    """Ask a launcher to drain and stop.

    Args:
        home: The state directory.
        now_ns: Wall-clock time, nanoseconds UTC.

    Raises:
        NotRunning: None answers; the hint says whether there is anything to stop.
    """
    try:
        with LauncherClient(home) as client:
            client.ask(Kind.STOP)
    except NotRunning as error:
        error.hint = _what_to_stop(home, now_ns)
        raise


def has_stopped(home: Path, now_ns: int) -> bool:
    """Tell whether a launcher that was asked to stop has done so.

    Raises:
        StoppedHalf: It is gone, and the owner goes on.
    """
    try:
        with LauncherClient(home):
            return False
    except NotRunning:
        pid = _goes_on(home, now_ns)
    except WireBroken:
        return False  # it is there, and busy
    if pid:
        raise StoppedHalf(pid)
    return True


def _what_to_stop(home: Path, now_ns: int) -> str:
    pid = _goes_on(home, now_ns)
    if pid:
        return f"pid {pid} goes on without one: `up` takes it over, then `down`"
    return "there is nothing to stop"


def _goes_on(home: Path, now_ns: int) -> int:
    """Return the owner that lives here without a launcher; 0 for none."""
    try:
        standing = standing_of(look(home, now_ns))
    except (HandoffError, StateError):  # a record that cannot be read is not this command's
        return 0
    return standing.worker if standing.is_owned and not standing.host else 0


def standing_of(view: View) -> Standing:
    """Return the facts of a look from which a sentence is made."""
    record, launcher = view.record, view.launcher
    put_back, other_account = (str(launcher.get(name, "")) for name in _BARRED)
    if record is None:
        stopping = bool(launcher.get("stopping"))
        return Standing(
            running=bool(launcher),
            stopping=stopping,
            away=_away(view),
            put_back=put_back,
            other_account=other_account,
        )
    owner, rollout = record.ownership.owner, record.rollout
    found = _hosts(view.home).judge(owner) if owner is not None else Judgement(Verdict.DEAD)
    is_begun = record.ownership.newest is not None and bool(record.progress.release)
    return Standing(
        running=bool(launcher),
        stopping=bool(launcher.get("stopping")),
        started=True,
        release=record.ownership.release,
        worker=owner.pid if owner is not None else 0,
        lives=not found.is_dead,
        cycle=record.progress.cycle if is_begun else None,
        settled=record.progress.phase is Phase.SETTLED,
        late_s=_late_s(view, record),
        catches_up=_catches_up(view, record),
        clean=rollout.clean_cycles if rollout is not None else 0,
        of=rollout.of if rollout is not None else 0,
        promoted=rollout is not None and is_promoted(rollout.clean_cycles, rollout.of),
        lacks=rollout is not None and lacks_inputs(view.home, record),
        paused=record.control.paused,
        halted=record.control.halted,
        away=_away(view),
        put_back=put_back,
        other_account=other_account,
        host=_elsewhere(view.home, owner, found),
    )


def _elsewhere(home: Path, owner: WorkerId | None, found: Judgement) -> str:
    """Return the name of an owner's host where that is another one."""
    is_elsewhere = found.verdict is Verdict.UNSEEN and is_mirrored(home / "state")
    return cleaned_line(owner.host) if owner is not None and is_elsewhere else ""


def _away(view: View) -> str:
    """Return since when the record is out of reach, in words; empty where it is not.

    A worker says so to its launcher once it misses the record, and to the file of all hosts when
    nothing answers it: that is the earlier word where it has nothing to write.
    """
    told = [float(each.get("away_since_ms", 0)) for each in view.launcher.get("children", ())]
    if view.hosts is not None and view.hosts.is_fresh(view.now_ns / MS):
        told.append(view.hosts.away_since_ms)
    since_ms = min((each for each in told if each > 0), default=0.0)
    return rfc3339(round(since_ms * MS)) if since_ms else ""


def _hosts(home: Path) -> LocalHosts:
    return hosts_of(home, shared=is_mirrored(home / "state"))


def next_boundary_ns(record: Record) -> int | None:
    """Return when the next cycle begins, wall-clock; None where no owner has said it yet."""
    if record.cadence is None:
        return None
    cadence = Cadence(period_ns=record.cadence.period_ns, offset_ns=record.cadence.offset_ns)
    return Schedule(cadence, record.timeline).boundary_ns(record.progress.cycle + 1)


def _late_s(view: View, record: Record) -> float:
    """Return how long ago the next cycle was overdue, as a standby counts it."""
    schedule, following = _schedule(record), record.progress.cycle + 1
    if schedule is None or view.now_ns < schedule.overdue_at_ns(following):
        return 0.0
    return (view.now_ns - schedule.boundary_ns(following)) / NS


def _schedule(record: Record) -> Schedule | None:
    held = record.cadence
    if held is None:
        return None
    cadence = Cadence(period_ns=held.period_ns, offset_ns=held.offset_ns)
    return Schedule(cadence, record.timeline)


def _catches_up(view: View, record: Record) -> bool:
    """Tell whether the owner came late to the next cycle, and its limit has not passed since.

    One that hangs had its limit from the boundary on; how long a limit is depends on a budget that
    the record does not know, so it is taken for the longest. A launcher before this one says none.
    """
    told = [each.get("overdue_in_s") for each in view.launcher.get("children", ()) if each["owner"]]
    schedule = _schedule(record)
    if schedule is None or len(told) != 1 or told[0] is None or told[0] <= 0:
        return False
    boundary_ns = schedule.boundary_ns(record.progress.cycle + 1)
    period_ns = schedule.cadence.period_ns // record.timeline.speed
    longest_ns = overdue_of(period_ns) + SHARED_LATE_NS  # no budget is longer than its period
    return view.now_ns + float(told[0]) * NS > boundary_ns + longest_ns


def summary_of(view: View) -> dict[str, Any]:
    """Return a look as JSON builtins: what the launcher says, and what the record says."""
    record = view.record
    summary: dict[str, Any] = {
        **{name: value for name, value in view.launcher.items() if name in _SAID},
        "children": children_of(view),
        "says": sentence(standing_of(view)),
        "running": bool(view.launcher),
        "home": str(view.home),
        "hosts": hosts_json_of(view),
    }
    if record is None:
        return summary
    boundary_ns = next_boundary_ns(record)
    owner = record.ownership.owner
    return summary | {
        "app": record.app,
        "release": record.ownership.release,
        "epoch": record.ownership.epoch,
        "owner": None if owner is None else {"worker": owner.worker, "pid": owner.pid},
        "cycle": record.progress.cycle,
        "phase": record.progress.phase.value,
        "next_boundary_ms": None if boundary_ns is None else boundary_ns // MS,
        "paused": record.control.paused,
        "halted": record.control.halted,
        "bake": None if record.rollout is None else _bake_of(record),
        "health": _health_of(view.home),
        "effects_pending": len(record.outbox),
    }


def hosts_json_of(view: View) -> dict[str, Any] | None:
    """Return all hosts for programs; None where the record is of one host."""
    return None if view.hosts is None else hosts_as_json(view.hosts, view.now_ns / MS)


def left_out(home: Path, now_ns: int) -> list[str]:
    """Return a sentence for each host that does not count as standby: what a deploy says first."""
    seen = read_hosts(home)
    return [] if seen is None else not_standby(seen, now_ns / MS)


def children_of(view: View) -> list[dict[str, Any]]:
    """Return what runs for an installation, as far as it concerns anybody but the launcher."""
    children = view.launcher.get("children", [])
    return [{name: child[name] for name in _OF_CHILD if name in child} for child in children]


def _bake_of(record: Record) -> dict[str, Any]:
    rollout = record.rollout
    assert rollout is not None, "asked for a bake that there is"
    return {
        "deploy": rollout.deploy_id,
        "clean_cycles": rollout.clean_cycles,
        "of": rollout.of,
        "promoted": is_promoted(rollout.clean_cycles, rollout.of),
    }


def _health_of(home: Path) -> dict[str, int] | None:
    """Return how much the newest decided cycle got of what it asked for; None if none counted."""
    for number, line in enumerate(counting(newest_heard(home / "journal"))):
        if number >= HEALTH_LINES:
            break
        if line.kind == "decide" and line.health is not None:
            asked: dict[str, int] = msgspec.to_builtins(line.health)
            return {"cycle": line.cycle, **asked}
    return None


def lines_of(summary: dict[str, Any], now_ms: float) -> list[str]:
    """Return a summary as text for people, the sentence first.

    Args:
        summary: As `summary_of` returns it.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    lines = [str(summary["says"])]
    if "epoch" in summary:
        owner = summary["owner"]
        who = f"worker {owner['worker']}, pid {owner['pid']}" if owner else "nobody"
        lines += [
            f"owner    {who}, epoch {summary['epoch']}",
            f"release  {summary['release'] or 'none yet'}",
            f"cycle    {summary['cycle']} {summary['phase']}{_next(summary, now_ms)}",
            f"health   {_health(summary['health'])}",
            f"effects  {summary['effects_pending']} pending",
        ]
    lines += titled(summary["hosts"], title="hosts", warned="clocks", width=9)
    return [*lines, f"home     {summary['home']}"]


def _next(summary: dict[str, Any], now_ms: float) -> str:
    boundary_ms = summary["next_boundary_ms"]
    if not summary["running"] or boundary_ms is None or boundary_ms < now_ms:
        return ""
    return f", the next begins in {(boundary_ms - now_ms) / 1000:.1f} s"


def _health(health: dict[str, int] | None) -> str:
    if health is None:
        return "no cycle has counted what it asked for"
    asked = counted(health["asked"], "question")
    return f"{health['answered']} of {asked} answered in cycle {health['cycle']}"
