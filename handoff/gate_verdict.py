"""What a gate said of a release: one value, from whoever asks it to the history of deploys.

Owns the names of the gates, how long each may take, and the two spellings of a verdict: the
members of a message on the wire, and the entry of a history (the struct itself). Gates that need
a release's own code are `gates`', the others belong to the deployer.
"""

from __future__ import annotations

import enum
from typing import Any, Final

import msgspec

from handoff.limits import OBSERVE_S_MAX, SHADOW_S_MAX


class GateName(enum.StrEnum):
    """The gates, in the order in which they are asked."""

    DISK = "disk"  # room for the release and its environment
    MEMORY = "memory"  # room for two workers at once
    REPLAY = "replay"  # recorded cycles decided again
    EFFECTS = "effects"  # the previous release knows every kind of effect that it may plan
    BACKTEST = "backtest"  # both releases tried over recorded inputs, by the application's program
    BOOT = "boot"  # its code can be imported and says hello
    CADENCE = "cadence"  # its cycles begin when those of the record do
    SCHEMA = "schema"  # it can read the live body, and write it back for the previous release
    WARM = "warm"  # connections and rules are there
    RECONCILE = "reconcile"  # the world outside agrees with the body
    SHADOW = "shadow"  # it decided beside the owner, effects off
    OBSERVE = "observe"  # it got as much of the world as the owner did, beside it


class GateResult(enum.StrEnum):
    """What a gate said."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # not asked; the reason says why


LIMITS_S: Final[dict[str, float]] = {
    GateName.DISK: 5.0,  # one look at the file system; a network disk may hang
    GateName.MEMORY: 5.0,  # one look at the host
    GateName.REPLAY: 60.0,  # 500 recorded cycles, niced, on a busy machine
    GateName.EFFECTS: 60.0,  # asked in the same breath
    GateName.BACKTEST: 900.0,  # two minutes for a month by two traders; niced, on a busy machine
    GateName.BOOT: 30.0,  # imports without bytecode took 2.7 s
    GateName.CADENCE: 5.0,  # compares two numbers
    GateName.SCHEMA: 10.0,  # decodes one body
    GateName.WARM: 60.0,  # connections to a slow service, and its rules
    GateName.RECONCILE: 30.0,  # read-only requests to each service
    GateName.SHADOW: SHADOW_S_MAX,  # whole cycles, as many as were asked for
    GateName.OBSERVE: OBSERVE_S_MAX,  # four periods, as far as a candidate may live
}


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said.

    Attributes:
        name: Of the gate; one of `GateName`, or of a newer program's.
        result: One of `GateResult`.
        reason: Why it failed or was skipped; empty where it passed.
        evidence: What it saw, in words and numbers.
        seconds: How long it took.
        limit_s: How long it might have taken.
    """

    name: str
    result: str
    reason: str = ""
    evidence: str = ""
    seconds: float = 0.0
    limit_s: float = 0.0

    @property
    def allows(self) -> bool:
        """Whether the deploy may go on."""
        return self.result != GateResult.FAILED

    @property
    def words(self) -> str:
        """Its evidence, or its reason where there is none."""
        return self.evidence or self.reason


def passed(name: str, evidence: str, *, seconds: float = 0.0) -> GateVerdict:
    """Return that a gate was passed, and on what evidence."""
    return _verdict(name, GateResult.PASSED, evidence=evidence, seconds=seconds)


def failed(name: str, reason: str, *, evidence: str = "", seconds: float = 0.0) -> GateVerdict:
    """Return that a gate refused, and why."""
    return _verdict(name, GateResult.FAILED, reason=reason, evidence=evidence, seconds=seconds)


def skipped(name: str, reason: str) -> GateVerdict:
    """Return that a gate was not asked, and why."""
    return _verdict(name, GateResult.SKIPPED, reason=reason)


def to_message(verdict: GateVerdict) -> dict[str, Any]:
    """Return the members of the message in which a worker tells a verdict."""
    return {
        "gate": verdict.name,
        "passed": verdict.allows,
        "reason": verdict.reason or verdict.evidence,
        "seconds": verdict.seconds,
    }


def from_message(message: dict[str, Any]) -> GateVerdict:
    """Return the verdict that a worker tells."""
    say = passed if message["passed"] else failed
    return say(message["gate"], message["reason"], seconds=message["seconds"])


def _verdict(
    name: str, result: GateResult, *, reason: str = "", evidence: str = "", seconds: float = 0.0
) -> GateVerdict:
    return GateVerdict(
        name=str(name),
        result=str(result),
        reason=reason,
        evidence=evidence,
        seconds=round(seconds, 3),
        limit_s=LIMITS_S.get(name, 0.0),
    )


assert set(LIMITS_S) == set(GateName), "every gate has a limit"
assert all(limit_s > 0 for limit_s in LIMITS_S.values())
