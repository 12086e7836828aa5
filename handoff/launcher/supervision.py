"""What the launcher should do next, as a function of what it knows.

Owns the level-triggered rules of supervision: look at the children, the wish to stop and
the time, and say what is missing. They start, end and signal nothing themselves. Standard
library only. Ownership is never decided here: a standby decides by the record.
"""

from __future__ import annotations

import enum
import math

from handoff.light_typing import TYPE_CHECKING, Any, NamedTuple
from handoff.light_value import Value
from handoff.limits import (
    AWAY_GRACE_S,
    CANDIDATE_LIFE_S_MAX,
    DRAIN_TIMEOUT_S,
    DRIVER_ABSENCE_S_MAX,
    READY_TIMEOUT_S,
    STANDBY_SILENCE_S_MAX,
    STANDBY_TRIAL_S,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Role(enum.StrEnum):
    """What a child was started as."""

    STANDBY = "heir"  # a worker of the owning or previous release; one of them owns
    CANDIDATE = "candidate"  # a worker of a release that wants to own
    COMPANION = "companion"  # kept alive beside the workers
    JOB = "job"  # runs once, e.g. a deployer; started again if it is killed


class Child(NamedTuple):
    """One child as the launcher knows it. Times are monotonic seconds.

    Attributes:
        name: Unique among living children.
        role: What it was started as; a candidate that took becomes a standby.
        release: The release it runs, or an empty string.
        deploy_id: The deploy it belongs to, or an empty string.
        started_s: When it was started or adopted.
        warm: It passed its gates.
        owner: It said last that it owns.
        overdue_s: When its next cycle is overdue, if it owns; otherwise None.
        stopping_s: When it was asked to leave, or said that it leaves; or None.
        undriven_s: Since when nobody drives its deploy, if it is a candidate; or None.
        away_since_ms: Since when the record is out of its reach, as it said last, milliseconds
            since 1970 UTC; 0 while it is within reach.
    """

    name: str
    role: Role
    release: str = ""
    deploy_id: str = ""
    started_s: float = 0.0
    warm: bool = False
    owner: bool = False
    overdue_s: float | None = None
    stopping_s: float | None = None
    undriven_s: float | None = None
    away_since_ms: float = 0.0

    @property
    def away(self) -> bool:
        """Whether it said last that the record is out of its reach."""
        return self.away_since_ms > 0


class StartStandby(Value):
    """Start a worker of the release that the record calls for.

    Attributes:
        reason: Why.
        owner_hangs: The owner is alive and does nothing: in a bake a fault of its release.
        beside_owner: The owner is well: in a bake it wants its way back beside it.
    """

    reason: str
    owner_hangs: bool = False
    beside_owner: bool = False


class Drain(Value):
    """Ask a child to leave.

    Attributes:
        name: Which.
        hangs: It got no further by itself: a failure of its release, though it has not ended.
    """

    name: str
    hangs: bool = False


class Kill(Value):
    """End a child that did not leave in time."""

    name: str


class Exit(Value):
    """Every child is gone: the launcher may exit."""


Action = StartStandby | Drain | Kill | Exit


class Situation(NamedTuple):
    """All that the rules look at.

    Attributes:
        children: Living children.
        stopping: The launcher was asked to stop.
        standby: A standby is wanted at all times.
        next_start_s: Earliest time for a restart (back-off).
        now_s: Monotonic time.
        unowned_s: Since when no living worker has said that it owns, or that one of another host
            does; None while one owns.
        ready_s: When a worker last said that it is warm.
    """

    children: tuple[Child, ...]
    stopping: bool
    standby: bool
    next_start_s: float
    now_s: float
    unowned_s: float | None = None
    ready_s: float = 0.0


def unowned_since(
    children: Iterable[Child], before_s: float | None, elsewhere_s: float | None, now_s: float
) -> float | None:
    """Return since when nobody is known to own; None while a child does.

    Args:
        children: The children.
        before_s: What was returned before; None at first.
        elsewhere_s: When one of them said last that a worker of another host owns, if one did.
        now_s: Monotonic time.
    """
    if any(child.owner for child in children):
        return None
    known = [each for each in (before_s, elsewhere_s) if each is not None]
    return max(known, default=now_s)


def is_owned(children: Iterable[Child], elsewhere_s: float | None, now_s: float) -> bool:
    """Tell whether somebody owns, here or on another host, as far as it was said."""
    said = elsewhere_s is not None and now_s - elsewhere_s <= STANDBY_SILENCE_S_MAX
    return said or any(child.owner for child in children)


def plan(situation: Situation) -> list[Action]:
    """Return what is to be done now; an empty list where all is as it should be."""
    if situation.stopping:
        return _plan_stop(situation)
    if any(child.away for child in situation.children):
        return _plan_away(situation)
    return [*_plan_late(situation), *_plan_standbys(situation)]


def wake_at_s(situation: Situation) -> float | None:
    """Return when the rules may say something new although nothing happened."""
    times = [child.overdue_s for child in situation.children if child.overdue_s is not None]
    times += [
        child.stopping_s + DRAIN_TIMEOUT_S
        for child in situation.children
        if child.stopping_s is not None
    ]
    times += [_ends_s(child) for child in situation.children]
    times.append(situation.next_start_s)
    times += [
        child.overdue_s + STANDBY_SILENCE_S_MAX
        for child in situation.children
        if child.overdue_s is not None
    ]
    if situation.unowned_s is not None:
        times.append(_silent_from_s(situation.unowned_s, situation.ready_s))
    later = [time_s for time_s in times if time_s > situation.now_s]
    soonest_s = min(later, default=math.inf)
    return None if math.isinf(soonest_s) else soonest_s


def due_s(
    message: Mapping[str, Any], *, now_s: float, boot_s: float, wall_s: float
) -> float | None:
    """Return when the sender's next cycle is overdue, monotonic, or None if it does not say.

    It says so on the boot clock, which nobody sets while the message is under way; a worker of
    an older engine knows the wall clock only.

    Args:
        message: What an owner told.
        now_s: The monotonic clock now; the others at the same moment.
        boot_s: The boot clock.
        wall_s: The wall clock.
    """
    if "overdue_boot_ms" in message:
        return now_s + float(message["overdue_boot_ms"]) / 1000 - boot_s
    if "overdue_at_ms" in message:
        return now_s + float(message["overdue_at_ms"]) / 1000 - wall_s
    return None


def after_away(child: Child, now_s: float) -> Child:
    """Return a child as it is known once the record is within reach again: its time begins anew."""
    if child.overdue_s is not None:
        child = child._replace(overdue_s=max(child.overdue_s, now_s + AWAY_GRACE_S))
    return child._replace(started_s=now_s) if not child.warm else child


def _plan_away(situation: Situation) -> list[Action]:
    """While the record is out of reach nothing counts against anybody; who is dead is replaced."""
    standbys = [child for child in situation.children if child.role is Role.STANDBY]
    starts: list[Action] = []
    if not standbys and situation.now_s >= situation.next_start_s:
        starts.append(StartStandby("no worker is alive"))
    return [*starts, *_kills(situation.children, situation.now_s)]


def _plan_standbys(situation: Situation) -> list[Action]:
    if situation.now_s < situation.next_start_s:
        return []
    standbys = [
        child
        for child in situation.children
        if child.role is Role.STANDBY and child.stopping_s is None
    ]
    if not standbys:
        return [StartStandby("no worker is alive")]
    overdue = [child for child in standbys if _is_overdue(child, situation.now_s)]
    if overdue and len(overdue) == len(standbys):
        return [StartStandby(f"{overdue[0].name} is overdue", owner_hangs=True)]
    if overdue and _nobody_came(standbys, overdue[0], situation.now_s):
        reason = f"{overdue[0].name} is overdue, and no standby seizes"
        return [StartStandby(reason, owner_hangs=True)]
    if situation.standby and len(standbys) == 1 and standbys[0].owner:
        return [StartStandby("a standby is wanted", beside_owner=True)]
    return []


def _nobody_came(standbys: list[Child], owner: Child, now_s: float) -> bool:
    """The standbys there were had their time: they hang too, so a fresh one is wanted."""
    assert owner.overdue_s is not None, "an overdue child says since when"
    fresh_from_s = max(owner.overdue_s, now_s - STANDBY_TRIAL_S)
    others = [standby for standby in standbys if standby.name != owner.name]
    fresh = any(standby.started_s > fresh_from_s for standby in others)
    return not fresh and now_s > owner.overdue_s + STANDBY_SILENCE_S_MAX


def _plan_late(situation: Situation) -> list[Action]:
    late: list[Action] = [
        Drain(child.name, hangs=child.role is Role.STANDBY)
        for child in situation.children
        if child.stopping_s is None and situation.now_s > _ends_s(child)
    ]
    return late + _drain_silent(situation) + _kills(situation.children, situation.now_s)


def _drain_silent(situation: Situation) -> list[Action]:
    """Ask standbys to leave that are warm and let a timeline without an owner lie: they hang."""
    if situation.unowned_s is None:
        return []
    if situation.now_s <= _silent_from_s(situation.unowned_s, situation.ready_s):
        return []
    return [
        Drain(child.name, hangs=True)
        for child in situation.children
        if child.role is Role.STANDBY and child.warm and child.stopping_s is None
    ]


def _silent_from_s(unowned_s: float, ready_s: float) -> float:
    return max(unowned_s, ready_s) + STANDBY_SILENCE_S_MAX


def _ends_s(child: Child) -> float:
    """Return when a child that got no further is asked to leave."""
    life_s = child.started_s + _life_s(child)
    if child.role is not Role.CANDIDATE or child.undriven_s is None:
        return life_s
    return min(life_s, child.undriven_s + DRIVER_ABSENCE_S_MAX)


def _life_s(child: Child) -> float:
    """Return how long after its start a child that got no further is in the way."""
    if child.role is Role.CANDIDATE:
        return CANDIDATE_LIFE_S_MAX
    # A standby that hangs before it is warm, or that a later launcher never hears of.
    return READY_TIMEOUT_S if child.role is Role.STANDBY and not child.warm else math.inf


def _plan_stop(situation: Situation) -> list[Action]:
    """Stop candidates and jobs, then standbys that do not own, then the owner, then companions."""
    if not situation.children:
        return [Exit()]
    ranks = sorted({_stop_rank(child) for child in situation.children})
    actions: list[Action] = [
        Drain(child.name)
        for child in situation.children
        if _stop_rank(child) == ranks[0] and child.stopping_s is None
    ]
    return actions + _kills(situation.children, situation.now_s)


def _stop_rank(child: Child) -> int:
    if child.role in (Role.CANDIDATE, Role.JOB):
        return 0
    if child.role is Role.COMPANION:
        return 3
    return 2 if child.owner else 1


def _kills(children: Iterable[Child], now_s: float) -> list[Action]:
    return [
        Kill(child.name)
        for child in children
        if child.stopping_s is not None and now_s - child.stopping_s > DRAIN_TIMEOUT_S
    ]


def _is_overdue(child: Child, now_s: float) -> bool:
    return child.owner and child.overdue_s is not None and now_s > child.overdue_s
