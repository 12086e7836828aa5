"""What a transition may require of a record before it changes anything.

Each function returns if the record is as it must be and raises `Refused` with the two facts that
disagree if it is not. Which transition requires what is in `transitions`.
"""

from __future__ import annotations

from state.errors import Refusal, Refused
from state.record import Cadence, Evidence, Phase, Record, Rollout, WorkerId, evidence_of


def require_evidence(record: Record, seen: Evidence) -> None:
    """Refuse a worker that judged another owner or another progress than there is."""
    found = evidence_of(record)
    if found != seen:
        raise Refused(
            Refusal.EVIDENCE_STALE,
            f"saw epoch {seen.epoch} at cycle {seen.cycle} {seen.phase.value}, "
            f"found epoch {found.epoch} at cycle {found.cycle} {found.phase.value}",
        )


def require_other(record: Record, worker: WorkerId) -> None:
    """Refuse the owner itself."""
    if record.ownership.owner == worker:
        raise Refused(Refusal.ALREADY_OWNER, f"worker {worker.worker} owns it already")


def require_owner(record: Record, *, worker: WorkerId, epoch: int) -> None:
    """Refuse everybody but the owner, and the owner with an epoch that is over."""
    held = record.ownership
    if held.epoch != epoch or held.owner != worker:
        owner = held.owner.worker if held.owner else "nobody"
        raise Refused(
            Refusal.NOT_OWNER,
            f"worker {worker.worker} writes with epoch {epoch}, {owner} owns epoch {held.epoch}",
        )


def require_settled(record: Record) -> None:
    """Refuse while a cycle is in hand."""
    if record.progress.phase is not Phase.SETTLED:
        raise Refused(Refusal.NOT_SETTLED, f"cycle {record.progress.cycle} is in hand")


def require_next(record: Record, cycle: int) -> None:
    """Refuse a cycle that does not follow the newest one, and any while one is in hand."""
    require_settled(record)
    if cycle != record.progress.cycle + 1:
        expected = record.progress.cycle + 1
        raise Refused(Refusal.OUT_OF_ORDER, f"cycle {cycle} came, {expected} is next")


def require_in_hand(record: Record, cycle: int) -> None:
    """Refuse a cycle that is not decided, or not the newest one."""
    if record.progress.phase is not Phase.DECIDED or record.progress.cycle != cycle:
        raise Refused(Refusal.NOT_DECIDED, f"cycle {cycle} is not the decided one")


def require_no_bake(record: Record) -> None:
    """Refuse while another release is in its first cycles."""
    if record.rollout is not None:
        raise Refused(Refusal.BAKING, f"deploy {record.rollout.deploy_id} is still baking")


def require_bake(record: Record, *, deploy: str, release: str, epoch: int) -> Rollout:
    """Return the bake under way; refuse where there is none, or another than the one named."""
    bake, held = record.rollout, record.ownership
    if bake is None:
        raise Refused(Refusal.NOT_BAKING, "no release is in its first cycles")
    if (bake.deploy_id, held.release, held.epoch) != (deploy, release, epoch):
        raise Refused(
            Refusal.EVIDENCE_STALE,
            f"meant deploy {deploy} of {release} in epoch {epoch}, "
            f"found {bake.deploy_id} of {held.release} in epoch {held.epoch}",
        )
    return bake


def require_in_time(*, now_ns: int, deadline_ns: int) -> None:
    """Refuse what comes at its deadline or later."""
    if now_ns >= deadline_ns:
        late_ms = (now_ns - deadline_ns) / 1e6
        raise Refused(Refusal.TOO_LATE, f"{late_ms:.1f} ms past the last moment for this boundary")


def require_cadence(record: Record, cadence: Cadence) -> None:
    """Refuse an owner whose cycle numbers mean other moments than those of the record."""
    held = record.cadence
    if held is None or (held.period_ns, held.offset_ns) == (cadence.period_ns, cadence.offset_ns):
        return
    raise Refused(
        Refusal.OTHER_CADENCE,
        f"{cadence.period_ns} ns from {cadence.offset_ns} ns decides, "
        f"the record's is {held.period_ns} ns from {held.offset_ns} ns",
    )
