"""What may be done with an effect whose outcome is unknown.

Owns two rules, as pure functions: when the word of the outside world that it has no such
effect is final, and when nobody goes on asking. Who asks, how often and with which bounds is the
owner's matter.

*Absent* proves little by itself: a request may be under way, or an owner that was replaced may
be about to send one. It is final only if

1. every owner since the effect was planned is proven dead or has settled its cycle, and the
   in-flight bound has passed since; or
2. the outside world itself refuses the effect from now on, because its `not_after` passed there.

The first half of (1) is the record's to know. An owner is replaced with a proof of its death, or
else the same write marks what it planned as `unproven`, for good: a proof of a later owner's
death says nothing of the one before it. So such an effect never ends by waiting.

    it is absent, and        planned           doubtful           doubtful, unproven
    (2) enforced             written off       written off        written off
    (1) quiet                sent              written off        asked again
    a duplicate is refused   sent              asked again        sent
    none of these            asked again       asked again        asked again

What would be sent and may not be (halted, too late) is written off where the absence is final,
and asked about again where it is not.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from state.record import Delivery, Effect, Fate

CARRIED_NS_MIN: Final = 86_400 * 10**9  # one day: an outage that somebody notices and mends
CARRIED_CYCLES_MIN: Final = 1000  # and for slow cadences so many tries, one a cycle


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the outside world's word that it has no such effect.

    Attributes:
        quiet: Every request must have arrived before the question: the in-flight bound had passed
            since the asking worker came to own and since it last sent the effect itself.
        enforced: The outside world refuses the effect from now on; its `not_after` passed there.
            The clock of a sender proves nothing.
        repeatable: The outside world refuses a second effect with this id.
    """

    quiet: bool
    enforced: bool = False
    repeatable: bool = False


class Next(enum.Enum):
    """What the owner does with an absent effect."""

    SEND = "send"  # with the same id
    WRITE_OFF = "write_off"  # it never executed and never will
    ASK_AGAIN = "ask_again"  # later; until then it is doubtful


def when_absent(effect: Effect, absence: Absence, *, may_send: bool) -> Next:
    """Return what may be done with an effect that is absent.

    Args:
        effect: An effect that is asked about by its id, as the record has it.
        absence: What stands behind that.
        may_send: False while halted, after its `not_after` by the sender's own clock, and where
            the effect that it comes after did not execute.
    """
    final = absence.enforced or (absence.quiet and not effect.unproven)
    if may_send and not absence.enforced and _may_follow(effect, absence, final=final):
        return Next.SEND
    return Next.WRITE_OFF if final else Next.ASK_AGAIN


def _may_follow(effect: Effect, absence: Absence, *, final: bool) -> bool:
    """Tell whether one more request can do no harm, whatever else is under way."""
    if effect.fate is Fate.PLANNED:
        return final or absence.repeatable
    return effect.unproven and absence.repeatable


def is_repeated(effect: Effect) -> bool:
    """Tell whether a doubtful effect is sent again, once a cycle, until it has an answer."""
    return effect.delivery is Delivery.AT_LEAST_ONCE


def ends_unknown(effect: Effect, *, planned_ns: int, now_ns: int, cycle: int) -> bool:
    """Tell whether a doubtful effect ends as unknown because it was carried long enough.

    An effect that is asked about by its id is asked about until there is an answer. One that may
    be sent again ends at its `not_after`, and without one after the later of both bounds. An
    unproven one may never get an answer that counts: it ends after both bounds as well, counted
    from its `not_after`, because whoever enforces it can say so only then.

    Args:
        effect: A doubtful effect.
        planned_ns: Boundary of the cycle that planned it, wall-clock nanoseconds UTC.
        now_ns: Wall-clock time, nanoseconds UTC.
        cycle: The newest cycle.
    """
    since_ns = planned_ns
    if effect.delivery is Delivery.AT_LEAST_ONCE:
        if effect.not_after_ns is not None:
            return now_ns >= effect.not_after_ns
    elif effect.unproven:
        since_ns = max(planned_ns, effect.not_after_ns or 0)
    else:
        return False
    return now_ns - since_ns >= CARRIED_NS_MIN and cycle - effect.cycle >= CARRIED_CYCLES_MIN
