"""What a deploy would do, and which boundary it would make: facts in, plan out.

Owns the estimate and its words. It reads no clock, no repository and no history; whoever
asks brings them. A plan promises nothing: gates and the take decide.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handoff.limits import NS
from handoff.plurals import counted
from state.moments import milliseconds, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff.cadence import Schedule

FORMER_DEPLOYS_MAX: Final = 20  # the median of these is what a phase is expected to take
LISTED_MAX: Final = 10  # commits or files named one by one; the rest is counted

ENVIRONMENT: Final = "environment"
REPLAYING: Final = "replaying"
BACKTESTING: Final = "backtesting"
# Before the first deploy nothing is measured on this machine. Building and environment are
# twice what they took on two busy cores; starting and gating are stated guesses.
SECONDS_DEFAULT: Final[Mapping[str, float]] = {
    "building": 0.4,
    ENVIRONMENT: 20.0,
    REPLAYING: 5.0,
    BACKTESTING: 30.0,
    "starting": 2.0,
    "gating": 4.0,
}


class Change(msgspec.Struct, frozen=True):
    """One commit that a deploy brings or takes back."""

    commit: str
    subject: str
    author: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before a deploy.

    Attributes:
        ref: What was asked for.
        release: Id of the release it means.
        commit: Its full commit.
        subject: First line of its message.
        running: Id of the release that owns, or an empty string.
        commits: In the new release and not in the running one, newest first.
        undone: In the running release and not in the new one, newest first.
        files: That differ between the two.
        uncommitted: Changed files of the working tree, which stay out of the release.
        untracked: Files that git does not know, which stay out as well.
        environment_changes: The new release has other requirements.
        environment_built: Its environment is there already.
        schema: Versions of the body (stored, new), or None where that is not known yet.
        replay: How many recorded cycles it decides again first; 0 for none.
        trial: What both releases are tried by first, in words; empty for nothing.
        needs: How much disk and memory it needs, in words.
        notes: What else somebody should know before, in words.
    """

    ref: str
    release: str
    commit: str
    subject: str
    running: str = ""
    commits: tuple[Change, ...] = ()
    undone: tuple[Change, ...] = ()
    files: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    environment_changes: bool = False
    environment_built: bool = True
    schema: tuple[int, int] | None = None
    replay: int = 0
    trial: str = ""
    needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """Where a deploy would take.

    Attributes:
        cycle: First cycle of the new owner.
        at_ns: Its boundary, wall-clock nanoseconds UTC.
        too_late_for_ns: Boundary that comes before it and cannot be made, or None.
    """

    cycle: int
    at_ns: int
    too_late_for_ns: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy would do.

    Attributes:
        facts: What it is derived from.
        seconds: How long each phase before the take is expected to take.
        measured: How many former deploys that rests on; 0 for stated defaults.
        boundary: Where it would take, or None where nothing runs to take over from.
    """

    facts: Facts
    seconds: dict[str, float]
    measured: int
    boundary: Boundary | None = None

    @property
    def does_nothing(self) -> bool:
        """Whether the release runs already."""
        return self.facts.release == self.facts.running


def make_plan(
    facts: Facts,
    former: Sequence[Mapping[str, float]],
    *,
    now_ns: int,
    schedule: Schedule | None,
) -> Plan:
    """Derive a plan.

    Args:
        facts: What is known.
        former: Seconds per phase of deploys that took, oldest first.
        now_ns: Wall-clock nanoseconds UTC.
        schedule: Boundaries of the running application, or None where none runs.
    """
    recent = former[-FORMER_DEPLOYS_MAX:]
    seconds = expected_seconds(
        recent,
        builds_environment=not facts.environment_built,
        replays=facts.replay > 0,
        backtests=bool(facts.trial),
    )
    boundary = None
    if schedule is not None and facts.release != facts.running:
        needed_ns = round(sum(seconds.values()) * NS)
        boundary = boundary_made(schedule, now_ns=now_ns, needed_ns=needed_ns)
    return Plan(facts=facts, seconds=seconds, measured=len(recent), boundary=boundary)


def expected_seconds(
    former: Sequence[Mapping[str, float]],
    *,
    builds_environment: bool,
    replays: bool,
    backtests: bool = False,
) -> dict[str, float]:
    """Return how long each phase is expected to take: the median of former deploys."""
    expected: dict[str, float] = {}
    wanted = {ENVIRONMENT: builds_environment, REPLAYING: replays, BACKTESTING: backtests}
    left_out = {phase for phase, is_wanted in wanted.items() if not is_wanted}
    for phase, default in SECONDS_DEFAULT.items():
        if phase in left_out:
            continue
        seen = [seconds[phase] for seconds in former if phase in seconds]
        expected[phase] = statistics.median(seen) if seen else default
    return expected


def boundary_made(schedule: Schedule, *, now_ns: int, needed_ns: int) -> Boundary:
    """Return the first boundary whose take deadline lies after all the work.

    Args:
        schedule: The boundaries.
        now_ns: Wall-clock nanoseconds UTC.
        needed_ns: Expected length of the work, nanoseconds.
    """
    assert needed_ns >= 0
    following = schedule.cycle_at(now_ns) + 1
    ready_ns = now_ns + needed_ns
    cycle = schedule.cycle_at(ready_ns) + 1
    if ready_ns >= schedule.take_deadline_ns(cycle):
        cycle += 1
    late = None if cycle == following else schedule.boundary_ns(cycle - 1)
    return Boundary(cycle=cycle, at_ns=schedule.boundary_ns(cycle), too_late_for_ns=late)


def as_lines(plan: Plan) -> list[str]:
    """Return the plan as text, readable without colour."""
    facts = plan.facts
    lines = [f"release   {facts.release}  {facts.subject}"]
    if plan.does_nothing:
        return [*lines, "nothing to do: it runs already"]
    lines.append(f"replaces  {facts.running or 'nothing: it would be the first'}")
    lines += _listed("commit", [f"{each.commit[:12]} {each.subject}" for each in facts.commits])
    lines += _listed("undone", [f"{each.commit[:12]} {each.subject}" for each in facts.undone])
    lines += _listed("file", list(facts.files))
    lines.append(f"requires  {_requirements(facts)}")
    lines.append(f"schema    {_schema(facts.schema)}")
    lines.append(f"replays   {_replay(facts.replay)}")
    lines += [f"tries     {facts.trial}"] if facts.trial else []
    lines += [f"needs     {need}" for need in facts.needs]
    lines += facts.notes
    lines += _listed("left out", [*facts.uncommitted, *facts.untracked])
    lines.append(f"takes     {_times(plan)}")
    return [*lines, f"boundary  {_boundary(plan.boundary)}"]


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values, for `--json`."""
    facts = msgspec.to_builtins(plan.facts)
    boundary = plan.boundary
    taken = boundary and {
        "cycle": boundary.cycle,
        "at": rfc3339(boundary.at_ns),
        "at_ms": round(milliseconds(boundary.at_ns)),
        "too_late_for": boundary.too_late_for_ns and rfc3339(boundary.too_late_for_ns),
    }
    return {
        **facts,
        "does_nothing": plan.does_nothing,
        "seconds": plan.seconds,
        "measured": plan.measured,
        "boundary": taken,
    }


def _listed(kind: str, rows: list[str]) -> list[str]:
    shown = [f"{kind:<10}{row}" for row in rows[:LISTED_MAX]]
    rest = len(rows) - LISTED_MAX
    return [*shown, f"{'':<10}and {rest} more"] if rest > 0 else shown


def _requirements(facts: Facts) -> str:
    if not facts.environment_changes:
        return "the same as now"
    built = "built already" if facts.environment_built else "to be installed first"
    return f"other ones, {built}"


def _schema(versions: tuple[int, int] | None) -> str:
    if versions is None:
        return "checked by its gate"
    stored, new = versions
    return f"version {new}, unchanged" if stored == new else f"version {stored} -> {new}"


def _replay(cycles: int) -> str:
    return f"up to {cycles} recorded cycles" if cycles else "nothing"


def _times(plan: Plan) -> str:
    parts = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in plan.seconds.items())
    measured = f"median of {counted(plan.measured, 'deploy')}"
    basis = measured if plan.measured else "not measured here yet"
    return f"{sum(plan.seconds.values()):.1f} s ({parts}; {basis})"


def _boundary(boundary: Boundary | None) -> str:
    if boundary is None:
        return "none: nothing runs to take over from"
    taking = f"{_clock(boundary.at_ns)} (cycle {boundary.cycle})"
    if boundary.too_late_for_ns is None:
        return f"taking {taking}"
    return f"too late for {_clock(boundary.too_late_for_ns)}, taking {taking}"


def _clock(at_ns: int) -> str:
    text = rfc3339(at_ns)
    seconds, fraction = text[11:19], text[20:23]
    return f"{seconds}Z" if fraction == "000" else f"{seconds}.{fraction}Z"
