"""The pending effects of a record: who gets a place, who gets a fate, who ends.

Owns the outbox as a value. What may be done with one effect while its outcome is unknown is in
`absence`; when the outbox of a record changes is in `transitions`.

    planned --a receipt--> gone              the next decision is handed the receipt
    planned --DOUBTFUL---> doubtful          carried from cycle to cycle until it has a receipt
    planned --DOUBTFUL---> gone, unknown     an effect at most once: it cannot be asked about
    planned --no room----> gone, refused     nobody has sent it

Doubtful effects never block anything: they are in nobody's way but for their places, and
those that find no place are refused one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from state.errors import Refusal, Refused
from state.record import Delivery, Effect, Fate, Outcome, Receipt

PLANNED_MAX: Final = 1024  # effects of one decision; one that plans more is at fault
PENDING_MAX: Final = 4096  # effects in an outbox: four such decisions that nobody answers
NO_ROOM: Final = "outbox full"

Fates = Mapping[str, Receipt | Fate]
"""For each effect id its receipt, or `Fate.DOUBTFUL` while its outcome is unknown."""


def planned_in(cycle: int, effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return effects as `decide` puts them into the outbox."""
    return tuple(
        replace(effect, cycle=cycle, fate=Fate.PLANNED, unproven=False) for effect in effects
    )


def with_room(outbox: Sequence[Effect]) -> Sequence[Effect]:
    """Return the effects that may be sent and asked about, as far as room goes.

    What was carried stands in front, so only effects of the newest decision are left out, and
    every owner of its cycle leaves out the same. They settle as refused; nobody has sent them.
    """
    return outbox[:PENDING_MAX]


def given_up(outbox: Sequence[Effect]) -> Fates:
    """Return the fates of a cycle that is settled without calling the application."""
    planned = (effect for effect in with_room(outbox) if effect.fate is Fate.PLANNED)
    return {effect.effect_id: Fate.DOUBTFUL for effect in planned}


def unproven(outbox: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return an outbox whose planned effects somebody who may still live may still send."""
    return tuple(
        replace(effect, fate=Fate.DOUBTFUL, unproven=True)
        if effect.fate is Fate.PLANNED
        else effect
        for effect in outbox
    )


def disowned(outbox: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return an outbox of which nobody who goes on has planned anything, nor knows who may send."""
    return tuple(replace(each, fate=Fate.DOUBTFUL, unproven=True) for each in outbox)


def settled(
    outbox: Sequence[Effect], fates: Fates
) -> tuple[tuple[Effect, ...], tuple[Receipt, ...]]:
    """Return what stays pending, and the receipts of what ended.

    Args:
        outbox: The effects of a decided cycle, behind those that were carried.
        fates: Of every planned one that has room; of a doubtful one if it is proven by now.

    Raises:
        Refused: EFFECT_UNKNOWN, EFFECT_PENDING.
    """
    _require_room_for(outbox, fates)
    ends = [_end_of(effect, fates) for effect in with_room(outbox)]
    kept = tuple(end for end in ends if isinstance(end, Effect))
    receipts = tuple(end for end in ends if isinstance(end, Receipt))
    refused = (_receipt(each, Outcome.REFUSED, NO_ROOM) for each in outbox[PENDING_MAX:])
    return kept, (*receipts, *refused)


def require_none_planned(outbox: Sequence[Effect]) -> None:
    """Refuse an outbox with an effect that somebody may be about to send."""
    pending = [effect.effect_id for effect in outbox if effect.fate is Fate.PLANNED]
    if pending:
        raise Refused(Refusal.EFFECT_PENDING, f"{pending} have no fate yet")


def require_plannable(outbox: Sequence[Effect], effects: Sequence[Effect]) -> None:
    """Refuse effects that no decision may plan: too many, or one that is there already."""
    if len(effects) > PLANNED_MAX:
        raise Refused(Refusal.TOO_MANY_EFFECTS, f"{len(effects)} planned, {PLANNED_MAX} at most")
    known = {effect.effect_id for effect in outbox}
    for effect in effects:
        if effect.effect_id in known:
            raise Refused(Refusal.EFFECT_REPEATED, f"{effect.effect_id} is in the outbox already")
        known.add(effect.effect_id)


def _end_of(effect: Effect, fates: Fates) -> Effect | Receipt:
    fate = fates.get(effect.effect_id, effect.fate)
    if isinstance(fate, Receipt):
        _require_its_own(effect, fate)
        return fate
    if fate is Fate.PLANNED:
        raise Refused(Refusal.EFFECT_PENDING, f"{effect.effect_id} has no fate yet")
    if effect.delivery is Delivery.AT_MOST_ONCE:
        return _receipt(effect, Outcome.UNKNOWN, "perhaps sent, and it cannot be asked about")
    return replace(effect, fate=Fate.DOUBTFUL)


def _receipt(effect: Effect, outcome: Outcome, reason: str) -> Receipt:
    return Receipt(effect_id=effect.effect_id, kind=effect.kind, outcome=outcome, reason=reason)


def _require_room_for(outbox: Sequence[Effect], fates: Fates) -> None:
    unknown = set(fates) - {effect.effect_id for effect in with_room(outbox)}
    if unknown:
        raise Refused(Refusal.EFFECT_UNKNOWN, f"nobody could send {sorted(unknown)}")


def _require_its_own(effect: Effect, receipt: Receipt) -> None:
    if receipt.effect_id != effect.effect_id:
        raise Refused(
            Refusal.EFFECT_UNKNOWN,
            f"{effect.effect_id} got the receipt of {receipt.effect_id}",
        )
