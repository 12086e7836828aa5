"""What a deploy does, in sentences, as it does it; and what to do where a gate refused.

Owns the words for programs that have no git. Every remedy names something that such a program
has. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handoff.commands.standing import bake_words
from handoff.gate_verdict import GateName
from handoff.rollout.events import (
    AbortAsked,
    CandidateReady,
    CandidateStarted,
    CycleSettled,
    Event,
    GateFailed,
    GatePassed,
    Took,
)
from handoff.rollout.table import Deploy, Phase
from state.schema import NEWER

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRY: Final = "`handoff try` with its tree decides one cycle of it here and says more"
REMEDIES: Final[Mapping[str, str]] = {
    GateName.BOOT: f"correct it, then deploy it again; {_TRY}",
    GateName.CADENCE: "a new period needs a home of its own: `handoff run` with another --home",
    GateName.SCHEMA: (
        "give the schema the step that is missing; --irreversible accepts that the release that "
        "runs could not come back"
    ),
    GateName.WARM: f"see that what it connects to answers, then deploy it again; {_TRY}",
    GateName.RECONCILE: "look at what differs outside, then deploy it again",
    GateName.SHADOW: "look at what it decides otherwise; --allow-differences accepts it",
    GateName.OBSERVE: (
        "see why it gets less than the owner; `observe_twice = False` in the workload says that "
        "its inputs are used up by reading, and leaves the gate out"
    ),
}
# As a rollback past a change of the state meets it; no option makes old code read it.
UNREADABLE: Final = (
    "it cannot read the state as it is now: deploy a version that raises the state's once more "
    "and takes back what you want back"
)


def words_of(  # noqa: PLR0911 - one line for each kind of event
    event: Event, deploy: Deploy, *, now_ms: float
) -> str:
    """Return what an event means to somebody who watches; empty where it means nothing.

    Args:
        event: What happened.
        deploy: The deploy after it.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    match event:
        case CandidateStarted():
            return f"starting {deploy.release} beside the owner"
        case GatePassed(verdict):
            return f"  {verdict.name}: {verdict.result} ({verdict.words}, {verdict.seconds} s)"
        case GateFailed(verdict):
            return f"  {verdict.name}: failed ({verdict.reason})"
        case CandidateReady():
            return "every gate is passed: it takes the next boundary that it can"
        case Took():
            return _took(deploy, now_ms)
        case CycleSettled(_, clean, of):
            return f"  {bake_words(clean, of)}"
        case AbortAsked(by):
            return f"{by} wants it undone"
        case _:
            return ""


def _took(deploy: Deploy, now_ms: float) -> str:
    left_s = (deploy.boundary_ms - now_ms) / 1000
    when = f", which begins in {left_s:.2f} s" if left_s > 0 else ""
    then = "; the release before it stays warm" if deploy.phase is Phase.BAKING else ""
    cycle = f"owns from cycle {deploy.cycle} on" if deploy.cycle else "owns"
    return f"{deploy.release} {cycle}{when}{then}"


def end_of(deploy: Deploy) -> str:
    """Return how a deploy ended, as one sentence."""
    because = f": {deploy.reason}" if deploy.reason else ""
    match deploy.phase:
        case Phase.PERMANENT:
            return f"{deploy.release} is permanent"
        case Phase.RETURNED:
            return f"{deploy.release} owned, and the release before it owns again{because}"
        case _:
            return f"{deploy.release} was refused, the release that runs goes on{because}"


def remedy_of(deploy: Deploy) -> str:
    """Return what to do about the gate that refused a deploy; empty where none did."""
    refused = [gate for gate in deploy.gates if not gate.allows]
    if not refused:
        return ""
    if refused[-1].name == GateName.SCHEMA and refused[-1].reason.endswith(NEWER):
        return UNREADABLE
    return REMEDIES.get(refused[-1].name, "")
