"""How a deploy ended whose deployer's host is gone, told by what all hosts share.

Owns the conclusion alone: from the request, the record and the changes of owner since its candidate
was approved. Whoever concludes has made sure that the deploy is under way no more, so that a
candidate that was approved can take no more either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.history import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.etcd.deploys import Asked
    from state.heard import Heard
    from state.record import Record


class Settled(NamedTuple):
    """How it ended, and why; the reason is empty where it is permanent."""

    outcome: Outcome
    reason: str


def settled(asked: Asked, record: Record, newest_first: Iterable[Heard]) -> Settled | None:
    """Return how a deploy ended; None where its bake goes on: the workers see it to its end.

    Args:
        asked: Its request.
        record: The newest record.
        newest_first: What the journal says, from its newest line back.
    """
    rollout, gone = record.rollout, f"the host that drove it, {asked.host}, is gone"
    if not asked.candidate:
        return Settled(Outcome.REFUSED, f"{gone}; it was not approved")
    if rollout is not None and rollout.deploy_id == asked.attempt:
        return None
    took, why = _since_approval(asked, newest_first)
    if not took:
        return Settled(Outcome.REFUSED, f"{gone}; it was approved and did not take")
    if record.ownership.release == asked.candidate:
        return Settled(Outcome.PERMANENT, "")
    if asked.aborted_by:
        why = why or f"aborted by {asked.aborted_by}"
    return Settled(Outcome.RETURNED, why or f"{gone}; the previous release owns again")


def _since_approval(asked: Asked, newest_first: Iterable[Heard]) -> tuple[bool, str]:
    """Tell whether its candidate owned, and what was said as ownership went back."""
    why = ""
    for line in newest_first:
        if line.epoch <= asked.epoch:
            return False, ""
        is_change = line.kind in ("take", "seize", "release")
        if is_change and line.release == asked.candidate and line.kind != "release":
            return True, why
        if is_change and line.evidence.get("reason"):
            why = str(line.evidence["reason"])
    return False, ""
