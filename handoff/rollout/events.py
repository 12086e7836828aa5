"""What can happen in a deploy, and what a deploy can ask to be done. Frozen values only.

Events say what happened; commands say what to do. Neither knows who sent it. Each is equal to
its own kind alone and always true, so that a comparison or a bare `if` confuses none of them.
"""

from __future__ import annotations

import msgspec

from handoff.gate_verdict import GateVerdict


class BuildFailed(msgspec.Struct, frozen=True):
    """No release came out of the source."""

    reason: str


class Built(msgspec.Struct, frozen=True):
    """The release is on disk, complete."""

    release: str


class CandidateStarted(msgspec.Struct, frozen=True):
    """The candidate's process exists; that alone means nothing."""

    pid: int


class CandidateWarming(msgspec.Struct, frozen=True):
    """The candidate's code runs and says hello: the boot gate passed."""


class GatePassed(msgspec.Struct, frozen=True):
    """A gate was passed, with its evidence."""

    verdict: GateVerdict


class GateFailed(msgspec.Struct, frozen=True):
    """A gate refused the candidate."""

    verdict: GateVerdict


class CandidateReady(msgspec.Struct, frozen=True):
    """Every gate is passed; the candidate waits to be approved."""


class Took(msgspec.Struct, frozen=True):
    """The candidate owns from this cycle on."""

    cycle: int
    boundary_ms: int
    bakes: bool


class CycleSettled(msgspec.Struct, frozen=True):
    """The new owner settled a cycle of its bake."""

    cycle: int
    clean_cycles: int
    of: int


class BakeEnded(msgspec.Struct, frozen=True):
    """The last clean cycle was settled: the release is permanent."""


class OwnershipReturned(msgspec.Struct, frozen=True):
    """The previous release owns again."""

    reason: str


class CandidateExited(msgspec.Struct, frozen=True):
    """The candidate's process is gone before it took."""

    reason: str


class TimeLimitPassed(msgspec.Struct, frozen=True):
    """A phase took longer than it may."""

    limit_s: float


class AbortAsked(msgspec.Struct, frozen=True):
    """Somebody wants this deploy undone."""

    by: str


class Superseded(msgspec.Struct, frozen=True):
    """A newer request replaces this one."""

    by: str


Event = (
    BuildFailed
    | Built
    | CandidateStarted
    | CandidateWarming
    | GatePassed
    | GateFailed
    | CandidateReady
    | Took
    | CycleSettled
    | BakeEnded
    | OwnershipReturned
    | CandidateExited
    | TimeLimitPassed
    | AbortAsked
    | Superseded
)


class Build(msgspec.Struct, frozen=True):
    """Make the release."""


class StartCandidate(msgspec.Struct, frozen=True):
    """Start a worker of the release beside the owner."""

    release: str


class Approve(msgspec.Struct, frozen=True):
    """Let the candidate take the next boundary."""


class StopCandidate(msgspec.Struct, frozen=True):
    """End the candidate; it owns nothing."""


class ReturnOwnership(msgspec.Struct, frozen=True):
    """Let the previous owner, still warm, take the next boundary."""


Command = Build | StartCandidate | Approve | StopCandidate | ReturnOwnership
