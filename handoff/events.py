"""What can happen in a deploy, and what a deploy can ask to be done. Frozen values only.

Events say what happened; commands say what to do. Neither knows who sent it.
"""

from __future__ import annotations

from typing import NamedTuple


class BuildFailed(NamedTuple):
    """No release came out of the source."""

    reason: str


class Built(NamedTuple):
    """The release is on disk, complete."""

    release: str


class CandidateStarted(NamedTuple):
    """The candidate's process exists; that alone means nothing."""

    pid: int


class CandidateWarming(NamedTuple):
    """The candidate's code runs and says hello: the boot gate passed."""


class GatePassed(NamedTuple):
    """A gate was passed, with its evidence."""

    gate: str
    evidence: str
    seconds: float


class GateFailed(NamedTuple):
    """A gate refused the candidate."""

    gate: str
    reason: str
    seconds: float


class CandidateReady(NamedTuple):
    """Every gate is passed; the candidate waits to be approved."""


class Took(NamedTuple):
    """The candidate owns from this cycle on."""

    cycle: int
    boundary_ms: int
    bakes: bool


class CycleSettled(NamedTuple):
    """The new owner settled a cycle of its bake."""

    cycle: int
    clean_cycles: int
    of: int


class BakeEnded(NamedTuple):
    """The last clean cycle was settled: the release is permanent."""


class OwnershipReturned(NamedTuple):
    """The previous release owns again."""

    reason: str


class CandidateExited(NamedTuple):
    """The candidate's process is gone before it took."""

    reason: str


class TimeLimitPassed(NamedTuple):
    """A phase took longer than it may."""

    limit_s: float


class AbortAsked(NamedTuple):
    """Somebody wants this deploy undone."""

    by: str


class Superseded(NamedTuple):
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


class Build(NamedTuple):
    """Make the release."""


class StartCandidate(NamedTuple):
    """Start a worker of the release beside the owner."""

    release: str


class Approve(NamedTuple):
    """Let the candidate take the next boundary."""


class StopCandidate(NamedTuple):
    """End the candidate; it owns nothing."""


class ReturnOwnership(NamedTuple):
    """Let the previous owner, still warm, take the next boundary."""


Command = Build | StartCandidate | Approve | StopCandidate | ReturnOwnership
