"""Blue-green handoff between two versions of a cycle-driven program.

The names below are all that an application needs; each is loaded when it is first used,
so that the launcher loads nothing of it.
"""

from __future__ import annotations

from importlib import import_module

from handoff.light_typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handoff.cadence import Cadence, every
    from handoff.loops.cycle import LoopCycle, PlainLoopCycle
    from handoff.loops.decorator import loop
    from handoff.loops.errors import ReadFailed
    from handoff.simulation import Simulation, simulate
    from handoff.workload import (
        Absent,
        Appraisal,
        Context,
        Cycle,
        Decision,
        NotReady,
        Pending,
        Ready,
        Reconciliation,
        TwiceDecided,
        Unavailable,
        Unknown,
        Violation,
        Workload,
        effect,
        payload_of,
        receipt,
    )
    from state.journal_frames import Health

__all__ = [
    "Absent",
    "Appraisal",
    "Cadence",
    "Context",
    "Cycle",
    "Decision",
    "Health",
    "LoopCycle",
    "NotReady",
    "Pending",
    "PlainLoopCycle",
    "ReadFailed",
    "Ready",
    "Reconciliation",
    "Simulation",
    "TwiceDecided",
    "Unavailable",
    "Unknown",
    "Violation",
    "Workload",
    "effect",
    "every",
    "loop",
    "payload_of",
    "receipt",
    "simulate",
]

_ELSEWHERE: Final = {
    "Cadence": "handoff.cadence",
    "Health": "state.journal_frames",
    "LoopCycle": "handoff.loops.cycle",
    "PlainLoopCycle": "handoff.loops.cycle",
    "ReadFailed": "handoff.loops.errors",
    "Simulation": "handoff.simulation",
    "every": "handoff.cadence",
    "loop": "handoff.loops.decorator",
    "simulate": "handoff.simulation",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a public name on first use (PEP 562)."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_ELSEWHERE.get(name, "handoff.workload")), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
