"""Everything that the page shows at one moment, as plain values.

Owns the way from a snapshot of the files to a view: what runs, since when, what is due, what is
wrong. It is a pure function of the snapshot and the time; nothing here reads a file or a clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.history import never_owned
from foresight.book import Book
from foresight.dashboard.blindness import blind_troubles
from foresight.dashboard.cycles import (
    CycleLine,
    Strip,
    cells_of,
    happened,
    last_change,
    period_of,
    strip_of,
)
from foresight.dashboard.deploys import (
    Deploying,
    PastDeploy,
    ReleaseName,
    deploying_of,
    past_deploy,
    short_name,
)
from foresight.dashboard.earned import EarnedRow, earned_rows
from foresight.dashboard.equity import Equity, curve_of, equity_of
from foresight.dashboard.figures import Figures, Verdict, figures_of
from foresight.dashboard.happenings import Happening, happenings
from foresight.dashboard.hosts import HostRow, host_rows, host_troubles, is_away
from foresight.dashboard.hues import hue_of
from foresight.dashboard.money import Money, money_of
from foresight.dashboard.silent import silent_troubles
from foresight.dashboard.slots import SlotView, slot_views
from foresight.dashboard.snapshot import Neighbour, Sign, Snapshot, Trouble
from foresight.dashboard.turns import Turned, turns_of
from foresight.locks import locks_of
from foresight.scoring import Earned, scores_of
from handoff.cadence import wall_time_ns
from handoff.limits import MS, NS, bounds_for
from handoff.plurals import counted
from state.record import Control, Fate, Record, WorkerId

DEPLOYS_SHOWN: Final = 4
ANOMALIES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The release that decides.

    Attributes:
        release: Its id; empty before the first.
        name: Short name: the commit as git abbreviates it.
        subject: First line of its commit message.
        hue: Of its colour, degrees.
        since_ms: When it came to own; None if that is older than what was read.
        since_cycle: The first cycle of it, or None likewise.
        previous: Short name of the release before it, or an empty string.
        how: `take` or `seize`, or an empty string.
    """

    release: str = ""
    name: str = ""
    subject: str = ""
    hue: int = 0
    since_ms: float | None = None
    since_cycle: int | None = None
    previous: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Where in time the system is.

    Attributes:
        cycle: Newest cycle; None without a record.
        phase: `decided` or `settled`.
        period_ms: Wall-clock length of a cycle; None if unknown yet.
        boundary_ms: A boundary, from which all others follow by the period.
        due: Cycle that is due at the next boundary.
        overdue_ms: How long the due cycle has been overdue; 0 if it is not.
        speed: Application seconds per wall-clock second.
    """

    cycle: int | None = None
    phase: str = ""
    period_ms: float | None = None
    boundary_ms: float | None = None
    due: int | None = None
    overdue_ms: float = 0.0
    speed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who works.

    Attributes:
        epoch: Rises at each change of owner.
        worker: Name of the owner; empty if nobody owns.
        pid: Its process.
        host: Its host, where that is another one; empty otherwise.
        standby: Names of warm workers beside it.
        way_back: Short name of the release that is kept warm during a bake.
        outbox: Effects without a final outcome.
        held: Of them attempted and not answered finally yet, while they may still be sent: a
            venue that holds orders answers later, and that is no trouble.
        doubtful: Of them attempted, with an unknown outcome, past their last moment.
    """

    epoch: int = 0
    worker: str = ""
    pid: int = 0
    host: str = ""
    standby: tuple[str, ...] = ()
    way_back: str = ""
    outbox: int = 0
    held: int = 0
    doubtful: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """An anomaly of the book."""

    kind: str
    subject: str
    detail: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """Something that buys nothing for a while.

    Attributes:
        scope: A slot id, an asset, or `*` for the board.
        reason: `operator`, or the guard's name.
        until_ms: Until when, wall-clock milliseconds; None until somebody unlocks it.
    """

    scope: str
    reason: str
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole page.

    Attributes:
        now_ms: When it was made.
        is_running: Whether an owner does its work, as far as can be seen.
        as_of_ms: When the newest journal line was written; None where there is none.
        turns: Changes of owner among the cycles of the strip.
        equity: What the trades came to over time, in a few figures; its chart asks for the rest.
        neighbours: Other bots of this user on this machine.
        kept: Releases that are kept and do not own: id, and what they are called.
        may_act: Whether whoever is let in may act, too.
        hosts: Those that share the record; none where it is of one host.
        is_away: The record is out of this host's reach.
    """

    now_ms: int
    is_running: bool
    as_of_ms: float | None
    app: str
    version: Version
    tempo: Tempo
    crew: Crew
    control: Control
    money: Money | None
    earned: tuple[EarnedRow, ...]
    locks: tuple[Locked, ...]
    events: tuple[Happening, ...]
    strip: Strip
    turns: tuple[Turned, ...]
    deploying: Deploying | None
    deploys: tuple[PastDeploy, ...]
    slots: tuple[SlotView, ...]
    figures: Figures | None
    equity: Equity | None
    neighbours: tuple[Neighbour, ...]
    remarks: tuple[Remark, ...]
    chained: int
    troubles: tuple[Trouble, ...]
    kept: tuple[tuple[str, str], ...] = ()
    may_act: bool = False
    hosts: tuple[HostRow, ...] = ()
    is_away: bool = False


def view_of(snapshot: Snapshot, *, now_ms: int, before: Verdict | None = None) -> View:
    """Return what the page shows.

    Args:
        snapshot: What was read.
        now_ms: Wall-clock time, milliseconds UTC.
        before: The verdict that was shown last, or None.
    """
    record, book = snapshot.record, snapshot.book
    lines = happened(snapshot.lines)
    tempo = _tempo(record, lines, now_ms)
    names = {release: _short(release, snapshot.names) for release in _releases(snapshot)}
    subjects = {release: known.subject for release, known in snapshot.names.items()}
    cells = cells_of(lines, tempo.period_ms)
    strip = strip_of(cells, names=names, subjects=subjects)
    shown = {cell.cycle for cell in cells}
    crew = _crew(snapshot, names, now_ms)
    scores = scores_of(book) if book else None
    away = is_away(snapshot.hosts, now_ms)
    return View(
        now_ms=now_ms,
        is_running=is_running(snapshot),
        as_of_ms=lines[-1].at_ms if lines else None,
        app=record.app if record else "",
        version=_version(snapshot, lines, names),
        tempo=tempo,
        crew=crew,
        control=record.control if record else Control(),
        money=money_of(book, record.timeline) if book and record else None,
        earned=earned_rows(
            scores.releases if scores else (),
            owner=record.ownership.release if record else "",
            names=names,
            subjects=subjects,
        ),
        locks=_locks(book, record) if book and record else (),
        events=happenings(lines, snapshot.deploys, names),
        strip=strip,
        turns=tuple(each for each in turns_of(lines) if each.cycle in shown),
        deploying=deploying_of(
            snapshot.current, record, snapshot.names, lacks=snapshot.lacks_inputs
        ),
        deploys=_past(snapshot, scores.releases if scores else ()),
        slots=slot_views(book, record.timeline, now_ms) if book and record else (),
        figures=figures_of(scores, before) if scores else None,
        equity=_equity(book, record, snapshot) if book and record else None,
        neighbours=tuple(snapshot.neighbours),
        remarks=_remarks(book, tempo.cycle),
        chained=snapshot.chained,
        troubles=(
            *host_troubles(snapshot.hosts, now_ms),
            *snapshot.troubles,
            *_troubles(snapshot, tempo, crew, is_away=away),
            *(blind_troubles(lines) if is_running(snapshot) else ()),
        ),
        kept=_kept(snapshot),
        hosts=host_rows(snapshot.hosts),
        is_away=away,
    )


def _kept(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """Return what a rollback may go to: what is kept of the newest releases, and owned."""
    owning = snapshot.record.ownership.release if snapshot.record is not None else ""
    return tuple(
        (release, f"{short_name(release, known.commit)} {known.subject}".strip())
        for release, known in sorted(snapshot.names.items())
        if known.is_kept and release != owning and not never_owned(snapshot.deploys, release)
    )


def _equity(book: Book, record: Record, snapshot: Snapshot) -> Equity:
    return equity_of(curve_of(book, record.timeline), snapshot.deploys)


def is_running(snapshot: Snapshot) -> bool:
    """Tell whether an owner does its work, as far as can be seen."""
    record = snapshot.record
    is_owned = record is not None and record.ownership.owner is not None
    return is_owned and snapshot.owner in {Sign.RUNS, Sign.UNKNOWN}


def _past(snapshot: Snapshot, earned: Sequence[Earned]) -> tuple[PastDeploy, ...]:
    newest = reversed(snapshot.deploys[-DEPLOYS_SHOWN:])
    return tuple(past_deploy(entry, earned) for entry in newest)


def duration(milliseconds: float) -> str:
    """Return a length of time as people say it: `41 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(0, int(milliseconds // 1000))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes == 0:
        return f"{seconds} s"
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def _releases(snapshot: Snapshot) -> set[str]:
    found = {line.release for line in snapshot.lines} | set(snapshot.names)
    if snapshot.record is not None:
        held = snapshot.record.ownership
        workers = (held.owner, held.last_owner, held.previous)
        found |= {worker.release for worker in workers if worker is not None}
    return found


def _short(release: str, names: Mapping[str, ReleaseName]) -> str:
    known = names.get(release)
    return short_name(release, known.commit if known else "")


def _version(snapshot: Snapshot, lines: Sequence[CycleLine], names: Mapping[str, str]) -> Version:
    worker = _newest_owner(snapshot.record)
    if worker is None:
        return Version()
    change = last_change(lines)
    if change is not None and change.release != worker.release:
        change = None  # the journal is ahead of the record for a moment
    known = snapshot.names.get(worker.release)
    return Version(
        release=worker.release,
        name=names[worker.release],
        subject=known.subject if known else "",
        hue=hue_of(worker.release),
        since_ms=change.at_ms if change else None,
        since_cycle=change.cycle if change else None,
        previous=names.get(change.previous, change.previous) if change else "",
        how=change.kind if change else "",
    )


def _newest_owner(record: Record | None) -> WorkerId | None:
    return None if record is None else record.ownership.newest


def _tempo(record: Record | None, lines: Sequence[CycleLine], now_ms: int) -> Tempo:
    known = period_of(lines)
    if record is None:
        return Tempo()
    cycle, phase = record.progress.cycle, record.progress.phase.value
    if known is None:
        return Tempo(cycle=cycle, phase=phase, speed=record.timeline.speed)
    period_ms, newest_ms, newest = known
    due = newest + 1
    boundary_ms = newest_ms + period_ms
    overdue_at_ms = boundary_ms + _grace_ms(period_ms)
    return Tempo(
        cycle=cycle,
        phase=phase,
        period_ms=period_ms,
        boundary_ms=boundary_ms,
        due=due,
        overdue_ms=max(0.0, now_ms - boundary_ms) if now_ms > overdue_at_ms else 0.0,
        speed=record.timeline.speed,
    )


def _grace_ms(period_ms: float) -> float:
    try:
        return bounds_for(round(period_ms * MS)).overdue_ns / MS
    except ValueError:
        return 2 * period_ms  # no cadence of ours; two boundaries without a word are too many


def _crew(snapshot: Snapshot, names: Mapping[str, str], now_ms: int) -> Crew:
    record = snapshot.record
    if record is None:
        return Crew()
    held = record.ownership
    owner, previous = held.owner, held.previous
    pid = owner.pid if owner else 0
    unproven = [effect for effect in record.outbox if effect.fate is Fate.DOUBTFUL]
    waiting = sum(now_ms * MS < (effect.not_after_ns or 0) for effect in unproven)
    standbys = [child for child in snapshot.children if child.role == "heir" and child.pid != pid]
    return Crew(
        epoch=held.epoch,
        worker=owner.worker if owner else "",
        pid=pid,
        host=snapshot.elsewhere,
        standby=tuple(child.name for child in standbys),
        way_back=names[previous.release] if previous else "",
        outbox=len(record.outbox),
        held=waiting,
        doubtful=len(unproven) - waiting,
    )


def _locks(book: Book, record: Record) -> tuple[Locked, ...]:
    timeline = record.timeline
    return tuple(
        Locked(
            scope=lock.scope,
            reason=lock.reason,
            until_ms=wall_time_ns(timeline, lock.until_s * NS) // MS if lock.until_s else None,
        )
        for lock in locks_of(book, record.control.marks, timeline=timeline)
    )


def _remarks(book: Book | None, cycle: int | None) -> tuple[Remark, ...]:
    newest = book.anomalies[-ANOMALIES_SHOWN:] if book and cycle is not None else []
    return tuple(
        Remark(kind=each.kind, subject=each.subject, detail=each.detail, count=each.count)
        for each in reversed(newest)
    )


def _troubles(
    snapshot: Snapshot, tempo: Tempo, crew: Crew, *, is_away: bool = False
) -> list[Trouble]:
    record = snapshot.record
    if record is None:
        return []
    silent = silent_troubles(snapshot, pid=crew.pid)
    found = [*silent]
    control = record.control
    by = f" by {control.by}" if control.by else ""
    note = f": {control.note}" if control.note else ""
    if control.halted:
        text = f"Halted{by}{note}. Nothing is sent, nothing is closed."
        found.append(Trouble(level="stop", text=text, hint="foresight resume"))
    elif control.paused:
        text = f"Paused{by}{note}. No new positions; those that are open run on."
        found.append(Trouble(level="warn", text=text, hint="foresight resume"))
    if not crew.worker and record.ownership.last_owner is not None:
        text = "Nobody owns the cycles: the system is stopped."
        found.append(Trouble(level="stop", text=text, hint="foresight up"))
    elif tempo.overdue_ms and not silent and not is_away:
        text = f"Cycle {tempo.due} is overdue by {duration(tempo.overdue_ms)}."
        found.append(Trouble(level="stop", text=text, hint="foresight status"))
    if crew.doubtful:
        orders = counted(crew.doubtful, "order")
        text = f"{orders} with an unknown outcome; the venue is being asked."
        found.append(Trouble(level="warn", text=text))
    return found
