"""What a step of a rollout says to whoever follows the deploy: an event in, members of JSON out.

Owns their names. Terminal, page and log read the same objects, and skip what they do not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from handoff.gate_verdict import GateVerdict
from handoff.rollout.events import GateFailed, GatePassed

if TYPE_CHECKING:
    from handoff.rollout.events import Event
    from handoff.rollout.table import Deploy


def step_of(deploy: Deploy, event: Event) -> dict[str, Any]:
    """Return what is said of an event, once the deploy is where that led."""
    return {
        "event": type(event).__name__,
        "phase": deploy.phase.value,
        "reason": deploy.reason,
        "boundary_ms": deploy.boundary_ms,
        "clean_cycles": deploy.clean_cycles,
        **_members(event),
    }


def _members(event: Event) -> dict[str, Any]:
    match event:
        case GatePassed(GateVerdict(name=name, evidence=evidence, seconds=seconds)):
            return {"gate": name, "evidence": evidence, "seconds": seconds}
        case GateFailed(GateVerdict(name=name, reason=reason, seconds=seconds)):
            return {"gate": name, "reason": reason, "seconds": seconds}
        case _:
            return asdict(event)
