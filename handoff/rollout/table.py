"""The phases of a deploy as one literal table.

Owns which event leads from which phase to which, and what is then to be done. Before the
take everything falls back to the owner that runs; after it everything goes forward: the
record says who owns, and this table only follows. It decides nothing about ownership.

    building -> starting -> gating -> ready -> baking -> permanent
        |           |          |        |         |
        |           |          |     stopping --> returned
        +-----------+----------+--------+
                 refused

An approved candidate may take while the wish to stop it is under way; `stopping` waits
until it is known which of the two came first.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handoff.errors import InvalidTransition
from handoff.outside import BAKE_WORDS
from handoff.rollout.events import (
    AbortAsked,
    Approve,
    BakeEnded,
    Build,
    BuildFailed,
    Built,
    CandidateExited,
    CandidateReady,
    CandidateStarted,
    CandidateWarming,
    Command,
    CycleSettled,
    Event,
    GateFailed,
    GatePassed,
    OwnershipReturned,
    ReturnOwnership,
    StartCandidate,
    StopCandidate,
    Superseded,
    TimeLimitPassed,
    Took,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff.gate_verdict import GateVerdict


class Phase(enum.Enum):
    """Where a deploy is."""

    BUILDING = "building"  # the release is being made
    STARTING = "starting"  # its process was asked for
    GATING = "gating"  # it runs, and is being examined
    READY = "ready"  # it was approved and aims at a boundary
    STOPPING = "stopping"  # it was approved and shall not take after all
    BAKING = "baking"  # it owns; the way back is warm
    PERMANENT = "permanent"  # done
    REFUSED = "refused"  # it never owned; the old release goes on
    RETURNED = "returned"  # it owned; the previous release owns again


ENDED: Final = frozenset({Phase.PERMANENT, Phase.REFUSED, Phase.RETURNED})

TRANSITIONS: Final[Mapping[tuple[Phase, type[Event]], Phase]] = {
    (Phase.BUILDING, Built): Phase.STARTING,
    (Phase.BUILDING, BuildFailed): Phase.REFUSED,
    (Phase.BUILDING, TimeLimitPassed): Phase.REFUSED,
    (Phase.BUILDING, GatePassed): Phase.BUILDING,  # gates that need no process: memory
    (Phase.BUILDING, GateFailed): Phase.REFUSED,
    (Phase.BUILDING, AbortAsked): Phase.REFUSED,
    (Phase.BUILDING, Superseded): Phase.REFUSED,
    (Phase.STARTING, CandidateStarted): Phase.STARTING,
    (Phase.STARTING, CandidateWarming): Phase.GATING,
    (Phase.STARTING, CandidateExited): Phase.REFUSED,
    (Phase.STARTING, GateFailed): Phase.REFUSED,  # the boot gate: it died before its hello
    (Phase.STARTING, TimeLimitPassed): Phase.REFUSED,
    (Phase.STARTING, AbortAsked): Phase.REFUSED,
    (Phase.STARTING, Superseded): Phase.REFUSED,
    (Phase.GATING, GatePassed): Phase.GATING,
    (Phase.GATING, GateFailed): Phase.REFUSED,
    (Phase.GATING, CandidateReady): Phase.READY,
    (Phase.GATING, CandidateExited): Phase.REFUSED,
    (Phase.GATING, TimeLimitPassed): Phase.REFUSED,
    (Phase.GATING, AbortAsked): Phase.REFUSED,
    (Phase.GATING, Superseded): Phase.REFUSED,
    (Phase.READY, Took): Phase.BAKING,
    (Phase.READY, CandidateExited): Phase.REFUSED,
    (Phase.READY, TimeLimitPassed): Phase.STOPPING,
    (Phase.READY, AbortAsked): Phase.STOPPING,
    (Phase.STOPPING, Took): Phase.STOPPING,  # it drains: the previous release seizes
    (Phase.STOPPING, CandidateExited): Phase.REFUSED,
    (Phase.STOPPING, OwnershipReturned): Phase.RETURNED,
    (Phase.STOPPING, TimeLimitPassed): Phase.REFUSED,
    (Phase.BAKING, CycleSettled): Phase.BAKING,
    (Phase.BAKING, BakeEnded): Phase.PERMANENT,
    (Phase.BAKING, OwnershipReturned): Phase.RETURNED,
    (Phase.BAKING, AbortAsked): Phase.BAKING,  # undone by an ordinary take of the previous
    (Phase.BAKING, Superseded): Phase.BAKING,  # it waits for inputs: undone likewise
    (Phase.BAKING, CandidateExited): Phase.BAKING,  # whoever is warm seizes; the record tells
    (Phase.BAKING, TimeLimitPassed): Phase.BAKING,  # nobody undoes what already owns
}


@dataclass(frozen=True, slots=True)
class Deploy:
    """One deploy as far as it got.

    Attributes:
        deploy_id: Its id.
        phase: Where it is.
        release: Id of the release, once built.
        reason: Why it was refused or returned.
        cycle: First cycle of the new owner, once it took.
        boundary_ms: That cycle's boundary, wall-clock milliseconds UTC.
        clean_cycles: Clean cycles of the bake so far.
        gates: What each gate said.
    """

    deploy_id: str
    phase: Phase = Phase.BUILDING
    release: str = ""
    reason: str = ""
    cycle: int = 0
    boundary_ms: int = 0
    clean_cycles: int = 0
    gates: tuple[GateVerdict, ...] = ()


def begin(deploy_id: str) -> tuple[Deploy, tuple[Command, ...]]:
    """Return a deploy that starts, and its first command."""
    return Deploy(deploy_id), (Build(),)


def step(deploy: Deploy, event: Event) -> tuple[Deploy, tuple[Command, ...]]:
    """Return the deploy after an event, and what is to be done now.

    Raises:
        InvalidTransition: The table has no rule for this event in this phase.
    """
    target = TRANSITIONS.get((deploy.phase, type(event)))
    if target is None:
        name = type(event).__name__
        message = f"{name} has no meaning in phase {deploy.phase.value}"
        raise InvalidTransition(message)
    moved = replace(_note(deploy, event), phase=target)
    if isinstance(event, Took) and target is Phase.BAKING and not event.bakes:
        moved = replace(moved, phase=Phase.PERMANENT)
    return moved, _commands(deploy.phase, moved, event)


def _commands(before: Phase, after: Deploy, event: Event) -> tuple[Command, ...]:
    if after.phase in (Phase.REFUSED, Phase.STOPPING) and after.phase is not before:
        has_process = before is not Phase.BUILDING and not isinstance(event, CandidateExited)
        return (StopCandidate(),) if has_process else ()
    match event:
        case Built(release):
            return (StartCandidate(release),)
        case CandidateReady():
            return (Approve(),)
        case AbortAsked() | Superseded() if after.phase is Phase.BAKING:
            return (ReturnOwnership(),)
        case _:
            return ()


def _note(deploy: Deploy, event: Event) -> Deploy:
    match event:
        case Built(release):
            return replace(deploy, release=release)
        case GatePassed(verdict):
            return replace(deploy, gates=(*deploy.gates, verdict))
        case GateFailed(verdict):
            reason = f"{verdict.name}: {verdict.reason}"
            return replace(deploy, gates=(*deploy.gates, verdict), reason=reason)
        case Took(cycle, boundary_ms, _):
            return replace(deploy, cycle=cycle, boundary_ms=boundary_ms)
        case CycleSettled(_, clean_cycles, _):
            return replace(deploy, clean_cycles=clean_cycles)
        case _:
            reason = reason_of(deploy, event)
            return replace(deploy, reason=reason) if reason else deploy


def reason_of(deploy: Deploy, event: Event) -> str:
    """Return why an event ends a deploy, in words; empty where it gives no reason."""
    match event:
        case BuildFailed(reason) | CandidateExited(reason) | OwnershipReturned(reason):
            return reason
        case TimeLimitPassed(limit_s):
            return f"{deploy.phase.value} took longer than {limit_s:g} s"
        case AbortAsked(by):
            return f"aborted by {by}"
        case Superseded(by) if deploy.phase is Phase.BAKING:
            return f"{BAKE_WORDS}it waited for inputs when it was superseded by {by}"
        case Superseded(by):
            return f"superseded by {by}"
        case _:
            return ""
