"""Who may change the record, and how: six transitions of ownership and progress, one of control.

Every function here is `Record -> Record`. It either returns the next record or raises
`Refused` and nothing has changed; a store applies it under a lock or by compare-and-swap,
a simulator applies it to a value, and the same proof covers all of them. Time and proof
come in as arguments. No file, clock, process or log enters here.

    owner None --seize--> owner A --take--> owner B          epoch rises by one each time
    (n, settled) --decide n+1--> (n+1, decided) --settle n+1--> (n+1, settled)
    (n, settled) --miss n+1----------------------------------> (n+1, settled)

`take` and `decide n+1` are one race on one record: whichever is applied first, the other
is refused. That is the whole of the handoff; nothing else in this project decides who owns.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from state.errors import Refusal, Refused
from state.record import (
    MISSED_KEPT_MAX,
    Control,
    Effect,
    Evidence,
    Fallback,
    Fate,
    Missed,
    Ownership,
    Phase,
    Receipt,
    Record,
    Rollout,
    SchemaId,
    WorkerId,
    evidence_of,
)

if TYPE_CHECKING:
    from msgspec import Raw


class Proof(enum.Enum):
    """What a worker that seizes knows of the owner it replaces."""

    NONE = "none"  # nothing; enough only where the record names no owner
    DEAD = "dead"  # its process is proven gone
    OVERDUE = "overdue"  # on one host it was killed first and is proven gone


class Cleanliness(enum.Enum):
    """How a settled cycle counts in a bake."""

    CLEAN = "clean"  # counts toward permanent
    OUTSIDE = "outside"  # the outside world failed: neither clean nor bad


Fates = Mapping[str, Receipt | Fate]
"""For each effect id its receipt, or `Fate.DOUBTFUL` while its outcome is unknown."""

NO_FALLBACK: Final[Fallback | None] = None


def take(
    record: Record,
    *,
    candidate: WorkerId,
    seen: Evidence,
    now_ns: int,
    deadline_ns: int,
    rollout: Rollout,
    attempt: str,
) -> Record:
    """Make a candidate of a new release the owner from the next cycle on.

    Args:
        record: The record as it is.
        candidate: Who takes.
        seen: What the candidate read when it got ready.
        now_ns: Wall-clock time, nanoseconds UTC.
        deadline_ns: Boundary of the next cycle minus the take margin, nanoseconds UTC.
        rollout: The bake that starts; `of=0` means permanent at once.
        attempt: Id of this write.

    Raises:
        Refused: EVIDENCE_STALE, ALREADY_OWNER, NOT_SETTLED, EFFECT_PENDING, BAKING, TOO_LATE.
    """
    _require_evidence(record, seen)
    _require_other(record, candidate)
    _require_settled(record)
    _require_no_planned(record)
    returning = _is_previous(record, candidate)
    if record.rollout is not None and not returning:
        raise Refused(Refusal.BAKING, f"deploy {record.rollout.deploy_id} is still baking")
    if now_ns >= deadline_ns:
        late_ms = (now_ns - deadline_ns) / 1e6
        raise Refused(Refusal.TOO_LATE, f"{late_ms:.1f} ms past the last moment for this boundary")
    if returning:
        return _give_back(_owned_by(record, candidate, attempt=attempt))
    return _begin_bake(record, candidate, rollout, attempt=attempt)


def seize(
    record: Record,
    *,
    worker: WorkerId,
    seen: Evidence,
    proof: Proof,
    attempt: str,
    rollout: Rollout | None = None,
) -> Record:
    """Make a warm worker the owner because there is none, or none that can go on.

    A cycle in hand stays in hand: its planned effects are now this worker's to resolve.
    A worker of the previous release gets the body in the shape that it reads. An approved
    candidate of a release that never owned bakes from here on, as if it had taken.

    Args:
        record: The record as it is.
        worker: Who seizes.
        seen: What the worker read when it judged the owner.
        proof: What it knows of the owner.
        attempt: Id of this write.
        rollout: The bake that starts if the worker's release is a new one; None for a standby.

    Raises:
        Refused: EVIDENCE_STALE, ALREADY_OWNER, OWNER_ALIVE, BAKING.
    """
    _require_evidence(record, seen)
    _require_other(record, worker)
    if record.ownership.owner is not None and proof is Proof.NONE:
        raise Refused(Refusal.OWNER_ALIVE, f"worker {record.ownership.owner.worker} owns it")
    if _is_previous(record, worker):
        return _give_back(_owned_by(record, worker, attempt=attempt))
    held = record.ownership
    owning = held.newest
    if rollout is None or owning is None or owning.release == worker.release:
        return _owned_by(record, worker, attempt=attempt, previous=held.previous)
    if record.rollout is not None:
        raise Refused(Refusal.BAKING, f"deploy {record.rollout.deploy_id} is still baking")
    return _begin_bake(record, worker, rollout, attempt=attempt)


def decide(
    record: Record,
    *,
    worker: WorkerId,
    epoch: int,
    cycle: int,
    body: Raw,
    schema: SchemaId,
    effects: Sequence[Effect],
    fallback: Fallback | None,
    attempt: str,
) -> Record:
    """Commit the decision of the next cycle: body, effects, consumed receipts, in one write.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED, OUT_OF_ORDER, EFFECT_PENDING, EFFECT_REPEATED, HALTED.
    """
    _require_owner(record, worker=worker, epoch=epoch)
    _require_next(record, cycle)
    _require_no_planned(record)
    _require_new_effects(record, effects)
    if record.control.halted and effects:
        raise Refused(Refusal.HALTED, f"{len(effects)} effects planned while halted")
    planned = planned_in(cycle, effects)
    progress = replace(record.progress, cycle=cycle, phase=Phase.DECIDED, release=worker.release)
    return replace(
        record,
        attempt=attempt,
        progress=progress,
        outbox=record.outbox + planned,
        receipts=(),
        schema=schema,
        body=body,
        fallback=fallback if record.rollout is not None else NO_FALLBACK,
    )


def settle(
    record: Record,
    *,
    worker: WorkerId,
    epoch: int,
    cycle: int,
    fates: Fates,
    cleanliness: Cleanliness,
    attempt: str,
) -> Record:
    """Commit the fates of a decided cycle's effects; count the cycle in a bake.

    Args:
        record: The record as it is.
        worker: The owner.
        epoch: The owner's epoch.
        cycle: The decided cycle.
        fates: A receipt or `DOUBTFUL` for every planned effect; a receipt for each
            doubtful one that is proven by now.
        cleanliness: Whether the cycle counts toward permanent.
        attempt: Id of this write.

    Raises:
        Refused: NOT_OWNER, NOT_DECIDED, EFFECT_UNKNOWN, EFFECT_PENDING.
    """
    _require_owner(record, worker=worker, epoch=epoch)
    if record.progress.phase is not Phase.DECIDED or record.progress.cycle != cycle:
        raise Refused(Refusal.NOT_DECIDED, f"cycle {cycle} is not the decided one")
    outbox, receipts = _apply_fates(record, fates)
    settled = replace(
        record,
        attempt=attempt,
        progress=replace(record.progress, phase=Phase.SETTLED),
        outbox=outbox,
        receipts=record.receipts + receipts,
    )
    return _count_clean(settled) if cleanliness is Cleanliness.CLEAN else settled


def miss(
    record: Record, *, worker: WorkerId, epoch: int, cycle: int, reason: str, attempt: str
) -> Record:
    """Give up the next cycle, with the reason; the caller checked the catch-up policy.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED, OUT_OF_ORDER.
    """
    _require_owner(record, worker=worker, epoch=epoch)
    _require_next(record, cycle)
    missed = (*record.progress.missed, Missed(cycle=cycle, reason=reason))[-MISSED_KEPT_MAX:]
    progress = replace(record.progress, cycle=cycle, phase=Phase.SETTLED, missed=missed)
    return replace(record, attempt=attempt, progress=progress)


def release(record: Record, *, worker: WorkerId, epoch: int, attempt: str) -> Record:
    """Give ownership up between two cycles: anyone warm may seize.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED.
    """
    _require_owner(record, worker=worker, epoch=epoch)
    _require_settled(record)
    ownership = replace(record.ownership, owner=None, last_owner=record.ownership.owner)
    return replace(record, attempt=attempt, ownership=ownership)


def command(record: Record, *, control: Control, attempt: str) -> Record:
    """Set what an operator asked for; ownership, progress and body stay as they are."""
    # What a newer release lets an operator ask for is not this one's to withdraw.
    kept = record.control.unknown_fields | control.unknown_fields
    return replace(record, attempt=attempt, control=replace(control, unknown_fields=kept))


def _owned_by(
    record: Record, worker: WorkerId, *, attempt: str, previous: WorkerId | None = None
) -> Record:
    held = record.ownership
    # A cycle in hand is finished by the new owner; only later ones are decided by it.
    ownership = Ownership(
        epoch=held.epoch + 1,
        owner=worker,
        last_owner=held.newest,
        since_cycle=record.progress.cycle + 1,
        previous=previous,
        unknown_fields=held.unknown_fields,
    )
    return replace(record, attempt=attempt, ownership=ownership)


def _begin_bake(record: Record, worker: WorkerId, rollout: Rollout, *, attempt: str) -> Record:
    """A release that did not own before is owner, with a way back if it is to bake."""
    previous = record.ownership.newest
    # Without somebody to return to there is nothing that a bake could lead back to.
    bakes = rollout.of > 0 and previous is not None
    owned = _owned_by(record, worker, attempt=attempt, previous=previous if bakes else None)
    return replace(owned, rollout=rollout if bakes else None, fallback=NO_FALLBACK)


def _give_back(record: Record) -> Record:
    """The previous release is owner again: its own body, and the bake is over."""
    ownership = replace(record.ownership, previous=None)
    back = replace(record, ownership=ownership, rollout=None, fallback=NO_FALLBACK)
    if record.fallback is None:
        return back
    return replace(back, schema=record.fallback.schema, body=record.fallback.body)


def _count_clean(record: Record) -> Record:
    if record.rollout is None:
        return record
    rollout = replace(record.rollout, clean_cycles=record.rollout.clean_cycles + 1)
    if rollout.clean_cycles < rollout.of:
        return replace(record, rollout=rollout)
    ownership = replace(record.ownership, previous=None)
    return replace(record, ownership=ownership, rollout=None, fallback=NO_FALLBACK)


def _apply_fates(record: Record, fates: Fates) -> tuple[tuple[Effect, ...], tuple[Receipt, ...]]:
    unknown = set(fates) - {effect.effect_id for effect in record.outbox}
    if unknown:
        raise Refused(Refusal.EFFECT_UNKNOWN, f"nobody planned {sorted(unknown)}")
    outbox: list[Effect] = []
    receipts: list[Receipt] = []
    for effect in record.outbox:
        fate = fates.get(effect.effect_id, effect.fate)
        if isinstance(fate, Receipt):
            _require_its_own(effect, fate)
            receipts.append(fate)
        elif fate is Fate.DOUBTFUL:
            outbox.append(replace(effect, fate=Fate.DOUBTFUL))
        else:
            raise Refused(Refusal.EFFECT_PENDING, f"{effect.effect_id} has no fate yet")
    return tuple(outbox), tuple(receipts)


def _require_its_own(effect: Effect, receipt: Receipt) -> None:
    if receipt.effect_id != effect.effect_id:
        raise Refused(
            Refusal.EFFECT_UNKNOWN,
            f"{effect.effect_id} got the receipt of {receipt.effect_id}",
        )


def _is_previous(record: Record, worker: WorkerId) -> bool:
    previous = record.ownership.previous
    return previous is not None and previous.release == worker.release


def _require_evidence(record: Record, seen: Evidence) -> None:
    found = evidence_of(record)
    if found != seen:
        raise Refused(
            Refusal.EVIDENCE_STALE,
            f"saw epoch {seen.epoch} at cycle {seen.cycle} {seen.phase.value}, "
            f"found epoch {found.epoch} at cycle {found.cycle} {found.phase.value}",
        )


def planned_in(cycle: int, effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return effects as `decide` puts them into the outbox."""
    return tuple(replace(effect, cycle=cycle, fate=Fate.PLANNED) for effect in effects)


def _require_other(record: Record, worker: WorkerId) -> None:
    if record.ownership.owner == worker:
        raise Refused(Refusal.ALREADY_OWNER, f"worker {worker.worker} owns it already")


def _require_owner(record: Record, *, worker: WorkerId, epoch: int) -> None:
    held = record.ownership
    if held.epoch != epoch or held.owner != worker:
        owner = held.owner.worker if held.owner else "nobody"
        raise Refused(
            Refusal.NOT_OWNER,
            f"worker {worker.worker} writes with epoch {epoch}, {owner} owns epoch {held.epoch}",
        )


def _require_settled(record: Record) -> None:
    if record.progress.phase is not Phase.SETTLED:
        raise Refused(Refusal.NOT_SETTLED, f"cycle {record.progress.cycle} is in hand")


def _require_next(record: Record, cycle: int) -> None:
    _require_settled(record)
    if cycle != record.progress.cycle + 1:
        expected = record.progress.cycle + 1
        raise Refused(Refusal.OUT_OF_ORDER, f"cycle {cycle} came, {expected} is next")


def _require_no_planned(record: Record) -> None:
    pending = [effect.effect_id for effect in record.outbox if effect.fate is Fate.PLANNED]
    if pending:
        raise Refused(Refusal.EFFECT_PENDING, f"{pending} have no fate yet")


def _require_new_effects(record: Record, effects: Sequence[Effect]) -> None:
    known = {effect.effect_id for effect in record.outbox}
    for effect in effects:
        if effect.effect_id in known:
            raise Refused(Refusal.EFFECT_REPEATED, f"{effect.effect_id} is in the outbox already")
        known.add(effect.effect_id)
