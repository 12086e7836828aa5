"""Who may change the record, and how: six transitions of ownership and progress, and what is asked.

Every function here is `Record -> Record`. It either returns the next record or raises
`Refused` and nothing has changed; a store applies it under a lock or by compare-and-swap,
a simulator applies it to a value, and the same proof covers all of them. Time and proof
come in as arguments. No file, clock, process or log enters here.

Who owns. The epoch rises by one each time, and whoever writes with an older one is refused:

    nobody --seize--> owner A --take--> owner B, baking --settle, the last clean one--> owner B
    owner A --release--> nobody         owner B, baking --take or seize by A's release--> owner A

How far it got. Only the owner writes these, and only with its own epoch:

                  .---------------- miss n+1 ----------------.
                  |                                          v
    (n, settled) -+- decide n+1 -> (n+1, decided) - settle -> (n+1, settled)

A record that an etcd had forgotten goes on by `begin_anew`, on an operator's word alone.

A seize from a dead owner counts against the step that was next (`attempts`), every write above
sets the count to 0, and at its limit `miss` and a `settle` that learnt nothing are all that is
left. What becomes of effects is in `outbox`, what may be done about a doubtful one in `absence`.

`take` and `decide n+1` are one race on one record: whichever is applied first, the other
is refused. That is the whole of the handoff; nothing else in this project decides who owns.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from state.attempts import attempts_after_seize, attempts_spent, require_attempts_left
from state.errors import Refusal, Refused
from state.outbox import (
    Fates,
    disowned,
    planned_in,
    require_none_planned,
    require_plannable,
    settled,
    unproven,
)
from state.record import (
    MARKS_MAX,
    MISSED_KEPT_MAX,
    Cadence,
    Control,
    Effect,
    Evidence,
    Fallback,
    Missed,
    Ownership,
    Phase,
    Progress,
    Receipt,
    Record,
    Rollout,
    SchemaId,
    WorkerId,
)
from state.requirements import (
    require_bake,
    require_cadence,
    require_evidence,
    require_in_hand,
    require_in_time,
    require_next,
    require_no_bake,
    require_other,
    require_owner,
    require_settled,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from msgspec import Raw

NO_FALLBACK: Final[Fallback | None] = None


class Proof(enum.Enum):
    """What a worker that seizes knows of the owner it replaces."""

    NONE = "none"  # nothing; enough only where the record names no owner
    DEAD = "dead"  # its process is proven gone
    OVERDUE = "overdue"  # on one host it was killed first and is proven gone
    LEASE_ENDED = "lease_ended"  # it may write no more, but it may live, and send


class Cleanliness(enum.Enum):
    """How a settled cycle counts in a bake."""

    CLEAN = "clean"  # counts toward permanent
    OUTSIDE = "outside"  # the outside world failed: neither clean nor bad


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
    require_evidence(record, seen)
    require_other(record, candidate)
    require_settled(record)
    require_none_planned(record.outbox)
    returning = _is_previous(record, candidate)
    if not returning:
        require_no_bake(record)
    require_in_time(now_ns=now_ns, deadline_ns=deadline_ns)
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
    due: bool = False,
    rollout: Rollout | None = None,
) -> Record:
    """Make a warm worker the owner because there is none, or none that can go on.

    A cycle in hand stays in hand: its planned effects are now this worker's to resolve. Without
    a proof of death they are marked in the same write, for good: the old owner may still send.
    A worker of the previous release gets the body in the shape that it reads. An approved
    candidate of a release that never owned bakes from here on, as if it had taken.

    Args:
        record: The record as it is.
        worker: Who seizes.
        seen: What the worker read when it judged the owner.
        proof: What it knows of the owner.
        attempt: Id of this write.
        due: Whether the boundary of the cycle in hand or of the next one has passed, by the clock
            that the worker believes.
        rollout: The bake that starts if the worker's release is a new one; None for a standby.

    Raises:
        Refused: EVIDENCE_STALE, ALREADY_OWNER, OWNER_ALIVE, BAKING.
    """
    require_evidence(record, seen)
    require_other(record, worker)
    held = record.ownership
    if held.owner is not None and proof is Proof.NONE:
        raise Refused(Refusal.OWNER_ALIVE, f"worker {held.owner.worker} owns it")
    attempts = attempts_after_seize(record, worker=worker, due=due)
    record = replace(record, progress=replace(record.progress, attempts=attempts))
    if proof is Proof.LEASE_ENDED:
        record = replace(record, outbox=unproven(record.outbox))
    if _is_previous(record, worker):
        return _give_back(_owned_by(record, worker, attempt=attempt))
    if rollout is None or held.newest is None or held.release == worker.release:
        return _owned_by(record, worker, attempt=attempt, previous=held.previous)
    require_no_bake(record)
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

    Doubtful effects are in nobody's way here. What finds no room in the outbox is refused when
    the cycle settles; the decision stands.

    Args:
        record: The record as it is.
        worker: The owner.
        epoch: The owner's epoch.
        cycle: The next cycle.
        body: The application's new state.
        schema: Schema of the body.
        effects: What is to be done outside.
        fallback: The body as the previous release reads it; kept only during a bake.
        attempt: Id of this write.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED, OUT_OF_ORDER, ATTEMPTS_SPENT, EFFECT_PENDING,
            EFFECT_REPEATED, TOO_MANY_EFFECTS, HALTED.
    """
    require_owner(record, worker=worker, epoch=epoch)
    require_next(record, cycle)
    require_attempts_left(record)
    require_none_planned(record.outbox)
    require_plannable(record.outbox, effects)
    if record.control.halted and effects:
        raise Refused(Refusal.HALTED, f"{len(effects)} effects planned while halted")
    decided = replace(record.progress, phase=Phase.DECIDED, release=worker.release)
    return replace(
        record,
        attempt=attempt,
        progress=_advanced(decided, to=cycle),
        outbox=record.outbox + planned_in(cycle, effects),
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
        fates: A receipt or `DOUBTFUL` for every planned effect that has room; a receipt for each
            doubtful one that ended by now. At the limit of attempts no receipt at all.
        cleanliness: Whether the cycle counts toward permanent; one that is given up never does.
        attempt: Id of this write.

    Raises:
        Refused: NOT_OWNER, NOT_DECIDED, ATTEMPTS_SPENT, EFFECT_UNKNOWN, EFFECT_PENDING.
    """
    require_owner(record, worker=worker, epoch=epoch)
    require_in_hand(record, cycle)
    if any(isinstance(fate, Receipt) for fate in fates.values()):
        require_attempts_left(record)
    outbox, receipts = settled(record.outbox, fates)
    after = replace(
        record,
        attempt=attempt,
        progress=_advanced(replace(record.progress, phase=Phase.SETTLED), to=cycle),
        outbox=outbox,
        receipts=record.receipts + receipts,
    )
    clean = cleanliness is Cleanliness.CLEAN and not attempts_spent(record)
    return _count_clean(after) if clean else after


def miss(
    record: Record, *, worker: WorkerId, epoch: int, cycle: int, reason: str, attempt: str
) -> Record:
    """Give up the next cycle, with the reason: too old by the catch-up policy, or too costly.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED, OUT_OF_ORDER.
    """
    require_owner(record, worker=worker, epoch=epoch)
    require_next(record, cycle)
    missed = (*record.progress.missed, Missed(cycle=cycle, reason=reason))[-MISSED_KEPT_MAX:]
    progress = _advanced(replace(record.progress, missed=missed), to=cycle)
    return replace(record, attempt=attempt, progress=progress)


def release(record: Record, *, worker: WorkerId, epoch: int, attempt: str) -> Record:
    """Give ownership up between two cycles: anyone warm may seize.

    Raises:
        Refused: NOT_OWNER, NOT_SETTLED.
    """
    require_owner(record, worker=worker, epoch=epoch)
    require_settled(record)
    ownership = replace(record.ownership, owner=None, last_owner=record.ownership.owner)
    return replace(record, attempt=attempt, ownership=ownership)


def begin_anew(record: Record, *, above: int, attempt: str) -> Record:
    """Let a history go on that an etcd had forgotten, under an epoch that nobody has seen.

    An operator's word stands behind it: nothing runs on any host. What was planned or in doubt
    counts as somebody else's: it is asked about, and no proof of a death writes it off.

    Args:
        record: The newest record that is known.
        above: The highest epoch that was seen anywhere.
        attempt: Id of this write.
    """
    held = record.ownership
    epoch = max(above, held.epoch) + 1
    ownership = replace(held, epoch=epoch, owner=None, last_owner=held.newest)
    return replace(record, attempt=attempt, ownership=ownership, outbox=disowned(record.outbox))


def command(record: Record, *, control: Control, attempt: str) -> Record:
    """Set what an operator asked for; ownership, progress and body stay as they are."""
    # What a newer release lets an operator ask for is not this one's to withdraw.
    kept = record.control.unknown_fields | control.unknown_fields
    said = replace(control, marks=record.control.marks, unknown_fields=kept)
    return replace(record, attempt=attempt, control=said)


def mark(
    record: Record, name: str, *, at_ns: int, attempt: str, instead_of: Collection[str] = ()
) -> Record:
    """Keep a word of an operator to the application; what it means is not the engine's matter.

    Args:
        record: The record.
        name: The word; said again, it counts again.
        at_ns: When it was asked, nanoseconds UTC; moved on where a clock that was set back would
            make it older than one that was said before.
        attempt: Id of this write.
        instead_of: Words that it replaces.

    Raises:
        Refused: TOO_MANY_MARKS.
    """
    known = record.control.marks
    after_ns = max([at_ns, *(before_ns + 1 for before_ns in known.values())])
    gone = {name, *instead_of}
    marks = {word: at for word, at in known.items() if word not in gone} | {name: after_ns}
    if len(marks) > MARKS_MAX:
        raise Refused(Refusal.TOO_MANY_MARKS, f"{len(marks)} words, {MARKS_MAX} at most")
    return replace(record, attempt=attempt, control=replace(record.control, marks=marks))


def promote(record: Record, *, deploy: str, release: str, epoch: int, attempt: str) -> Record:
    """Let the next clean cycle be the last of a bake, however many were wanted.

    The way back stays until then, and whoever owns goes on as before. Said again it is the same.

    Args:
        record: The record as it is.
        deploy: Id of the deploy that is meant, as its asker saw it.
        release: Its release, likewise.
        epoch: The epoch in which it owned, likewise: a bake begun anew is another one.
        attempt: Id of this write.

    Raises:
        Refused: NOT_BAKING, EVIDENCE_STALE.
    """
    bake = require_bake(record, deploy=deploy, release=release, epoch=epoch)
    enough = replace(bake, of=bake.clean_cycles)
    return replace(record, attempt=attempt, rollout=enough)


def number_by(record: Record, cadence: Cadence) -> Record:
    """Say what the cycle numbers mean, where the record does not say it: beside a decide.

    An owner that cannot prove that its numbers are those of the journal does not own.

    Raises:
        Refused: OTHER_CADENCE.
    """
    require_cadence(record, cadence)
    return replace(record, cadence=record.cadence or cadence)


def _owned_by(
    record: Record, worker: WorkerId, *, attempt: str, previous: WorkerId | None = None
) -> Record:
    held, progress = record.ownership, record.progress
    if held.release != worker.release:
        progress = replace(progress, attempts=0)
    # A cycle in hand is finished by the new owner; only later ones are decided by it.
    ownership = Ownership(
        epoch=held.epoch + 1,
        owner=worker,
        last_owner=held.newest,
        since_cycle=record.progress.cycle + 1,
        previous=previous,
        unknown_fields=held.unknown_fields,
    )
    return replace(record, attempt=attempt, ownership=ownership, progress=progress)


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


def _advanced(progress: Progress, *, to: int) -> Progress:
    """One step further: what it had cost is paid."""
    return replace(progress, cycle=to, attempts=0)


def _is_previous(record: Record, worker: WorkerId) -> bool:
    previous = record.ownership.previous
    return previous is not None and previous.release == worker.release
