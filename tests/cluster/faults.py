"""What strikes a cluster, in which order and for how long. Pure: a seed decides everything."""

from __future__ import annotations

import enum
import random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Fault(enum.StrEnum):
    """What strikes."""

    NONE = "nothing"  # a planned takeover alone
    OWNER_KILLED = "owner-killed"
    OWNER_STOPPED = "owner-stopped"
    STOPPED_BEFORE_SEND = "owner-stopped-before-it-sends"
    STOPPED_AFTER_SEND = "owner-stopped-after-it-sent"
    OWNER_HOST_KILLED = "owners-host-killed"
    OWNER_HOST_CUT = "owners-host-cut-off"
    OWNER_HOST_MUTE = "what-the-owners-host-says-is-lost"
    OWNER_HOST_DEAF = "what-etcd-says-to-the-owners-host-is-lost"
    OTHER_HOST_KILLED = "other-host-killed"
    OTHER_HOST_CUT = "other-host-cut-off"
    OTHER_STOPPED = "other-hosts-standby-stopped"
    LEADER_KILLED = "leader-killed"
    LEADER_STOPPED = "leader-stopped"
    LEADER_CUT = "leader-cut-off"
    LEADER_HALF_CUT = "what-the-leader-says-to-a-member-is-lost"
    FOLLOWER_KILLED = "follower-killed"
    FOLLOWER_STUTTERS = "follower-stutters"
    OWNER_HOST_AND_LEADER_KILLED = "owners-host-and-leader-killed"
    NO_MAJORITY = "no-majority"
    NO_MAJORITY_IN_BAKE = "no-majority-in-a-bake"


LEASE_S: Final = 3.0
DEPLOYS_EVERY: Final = 3  # rounds: a launcher starts ten workers in five minutes, no more
OUTAGES: Final = frozenset({Fault.NO_MAJORITY, Fault.NO_MAJORITY_IN_BAKE})
"""While they last nothing can be decided; afterwards the catch-up policy decides."""

OF_OWNER: Final = frozenset(
    {
        *(Fault.OWNER_KILLED, Fault.OWNER_STOPPED),
        *(Fault.STOPPED_BEFORE_SEND, Fault.STOPPED_AFTER_SEND),
        *(Fault.OWNER_HOST_KILLED, Fault.OWNER_HOST_AND_LEADER_KILLED),
        *(Fault.OWNER_HOST_CUT, Fault.OWNER_HOST_MUTE, Fault.OWNER_HOST_DEAF),
    }
)
"""They cost the owner its ownership."""

BEYOND_LEASE: Final = (4.0, 7.0)
"""Seconds from which to which a stop, or a cut, lasts."""

LASTS_S: Final[Mapping[Fault, tuple[float, float]]] = MappingProxyType(
    {
        Fault.NONE: (0.0, 0.0),
        Fault.OWNER_KILLED: (0.0, 0.0),
        Fault.LEADER_KILLED: (1.0, 4.0),
        Fault.LEADER_STOPPED: (1.0, 4.0),
        Fault.LEADER_CUT: (1.0, 4.0),
        Fault.LEADER_HALF_CUT: (1.0, 4.0),
        Fault.FOLLOWER_KILLED: (1.0, 3.0),
        Fault.FOLLOWER_STUTTERS: (3.0, 5.0),
        Fault.OTHER_STOPPED: (2.0, 6.0),
    }
)


class Strike(NamedTuple):
    """One round.

    Attributes:
        number: From 1.
        fault: What strikes.
        after_s: Seconds from calm, or from the begin of the deploy, until it does.
        lasts_s: Seconds until it is mended.
        deploys: Whether a new release is deployed in this round.
        there: Whether that is on the host that does not own.
    """

    number: int
    fault: Fault
    after_s: float
    lasts_s: float
    deploys: bool
    there: bool


def plan(
    *, seed: int, outage_s: float, period_s: float, only: Sequence[Fault] = ()
) -> Iterator[Strike]:
    """Yield round after round without an end: all faults in another order each time.

    Args:
        seed: Decides everything.
        outage_s: How long there is no majority, seconds.
        period_s: Length of a cycle, seconds.
        only: These, in this order, again and again; all if none.
    """
    draw = random.Random(f"cluster {seed}")  # noqa: S311 - a plan that can be drawn again
    number, rounds = 0, 0
    while True:
        faults = list(only or Fault)
        if not only:
            draw.shuffle(faults)
            if rounds:  # once is enough of what lasts that long
                faults = [fault for fault in faults if fault not in OUTAGES]
        rounds += 1
        for fault in faults:
            number += 1
            yield _strike(number, fault, draw, outage_s=outage_s, period_s=period_s)


def _strike(
    number: int, fault: Fault, draw: random.Random, *, outage_s: float, period_s: float
) -> Strike:
    after_s, there = draw.uniform(0.0, period_s), draw.random() < 0.5
    lasts_s = draw.uniform(*LASTS_S.get(fault, BEYOND_LEASE))
    # An outage outside of a bake touches nobody; a deploy of that round could take meanwhile.
    may_deploy = number % DEPLOYS_EVERY == 0 and fault is not Fault.NO_MAJORITY
    return Strike(
        number=number,
        fault=fault,
        after_s=round(after_s, 2),
        lasts_s=round(outage_s if fault in OUTAGES else lasts_s, 2),
        deploys=fault in {Fault.NONE, Fault.NO_MAJORITY_IN_BAKE} or may_deploy,
        there=there,
    )
