"""Which fault strikes which deploy of a series, as a function of the seed. Pure.

Owns the faults, the places of a cycle that a kill is aimed at, and how a deploy may end under
each fault. Who is struck, and how, is `striking`'s matter. A longer plan begins with the
shorter one of the same seed, so that a series can be made longer or go on.
"""

from __future__ import annotations

import enum
import random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Fault(enum.StrEnum):
    """What goes wrong in a deploy."""

    NONE = "none"
    CANDIDATE_KILL = "candidate killed"
    CANDIDATE_STOP = "candidate stopped and continued"
    OWNER_KILL = "owner killed"
    OWNER_STOP = "owner stopped over a boundary and continued"
    BOTH_KILL = "owner and candidate killed"
    LAUNCHER_KILL = "launcher killed and started again"
    LAUNCHER_REPLACE = "launcher replaces itself"
    DEPLOYER_KILL = "deployer killed"
    IMPORT_FAILS = "release crashes at import"
    SYNTAX_ERROR = "release has a syntax error"
    EXITS_ZERO = "release exits with status 0"
    FIRST_CYCLE_FAILS = "release fails its first cycle"
    BLIND = "release sees nothing"
    SLOW = "release is slower than its period"
    POISON = "release dies of what it performs"
    CLOCK_JUMP = "clock is wrong for a second"
    RENAMED = "all killed, and started under another host name"
    COPIED = "home copied, and the copy started"
    FORK = "owner killed that had forked a helper"
    PUT_BACK = "record before the newest put back"


class Place(enum.StrEnum):
    """Where in a cycle an owner is."""

    TAKE = "take"  # it owns, and has not begun a cycle
    OBSERVE = "observe"
    DECIDE = "decide"
    COMMIT = "commit"  # it has decided, and writes that down
    PERFORM = "perform"
    SETTLE = "settle"  # it has performed, and writes that down
    IDLE = "idle"  # it waits for the next boundary


class Strike(NamedTuple):
    """One fault.

    Attributes:
        number: Of the deploy, from 1.
        fault: What goes wrong.
        after_s: How long after the deploy began.
        place: Where in a cycle the owner is to be met; None where the moment is enough.
        share: How far into the place, 0 to 1.
        pause_s: How long a stopped process stands still, or a launcher is absent.
        standby: Whether the launcher that is started again keeps a standby.
    """

    number: int
    fault: Fault
    after_s: float
    place: Place | None
    share: float
    pause_s: float
    standby: bool


class Course(NamedTuple):
    """What a kind of series draws from.

    Attributes:
        weights: How often each fault comes in a round of all of them.
        span_s: Faults strike within this time from a deploy's begin.
        places: Where owners are met.
        pauses_s: How long a stopped process stands still.
    """

    weights: Mapping[Fault, int]
    span_s: float
    places: tuple[Place, ...]
    pauses_s: tuple[float, ...]


_ONCE: Final = dict.fromkeys(Fault, 1)
MISLEADING: Final = frozenset(
    {
        *(Fault.BLIND, Fault.SLOW, Fault.POISON, Fault.CLOCK_JUMP),
        *(Fault.RENAMED, Fault.COPIED, Fault.FORK, Fault.PUT_BACK),
    }
)
"""Faults that mislead rather than end; they come to the example worker only."""

# Half a second a cycle; an owner is overdue after 2.25 s.
EXAMPLE: Final = Course(
    weights=MappingProxyType(_ONCE | {Fault.OWNER_KILL: 7}),
    span_s=1.2,
    places=(*Place, Place.COMMIT, Place.SETTLE),  # the short ones are missed half the time
    pauses_s=(0.6, 0.8, 1.2, 4.0, 7.0),
)
# A second a cycle; an owner is overdue after 2.5 s. Its steps cannot all be told from outside.
TRADING: Final = Course(
    weights=MappingProxyType(
        {fault: 1 for fault in Fault if fault not in MISLEADING} | {Fault.OWNER_KILL: 3}
    ),
    span_s=5.0,
    places=(Place.TAKE, Place.OBSERVE, Place.PERFORM, Place.IDLE),
    pauses_s=(1.2, 1.6, 2.2, 5.0, 8.0),
)

_REFUSED: Final = frozenset({"refused"})
_RETURNED: Final = frozenset({"returned"})
_PERMANENT: Final = frozenset({"permanent"})
_ENDED: Final = _REFUSED | _RETURNED | _PERMANENT
BROKEN: Final = "broken"  # whoever drove the deploy could not see it to its end

ALLOWED: Final[Mapping[Fault, frozenset[str]]] = MappingProxyType(
    {
        Fault.NONE: _PERMANENT,
        Fault.CANDIDATE_KILL: _ENDED,  # it may have come too late, or after the take
        Fault.CANDIDATE_STOP: _ENDED,
        Fault.OWNER_KILL: _PERMANENT | _RETURNED,
        Fault.OWNER_STOP: _ENDED,
        Fault.BOTH_KILL: _ENDED,
        Fault.LAUNCHER_KILL: _ENDED | {BROKEN},
        Fault.LAUNCHER_REPLACE: _ENDED | {BROKEN},
        Fault.DEPLOYER_KILL: _ENDED | {BROKEN},
        Fault.IMPORT_FAILS: _REFUSED,
        Fault.SYNTAX_ERROR: _REFUSED,
        Fault.EXITS_ZERO: _REFUSED,
        Fault.FIRST_CYCLE_FAILS: _RETURNED,
        Fault.BLIND: _REFUSED | _RETURNED,
        Fault.SLOW: _REFUSED | _RETURNED,
        Fault.POISON: _RETURNED,
        Fault.CLOCK_JUMP: _PERMANENT,
        Fault.RENAMED: _ENDED | {BROKEN},
        Fault.COPIED: _PERMANENT,
        Fault.FORK: _PERMANENT | _RETURNED,
        Fault.PUT_BACK: _ENDED,  # a candidate cannot decide again what another release decided
    }
)
"""How a deploy may end under each fault."""

RELEASE_FAULTS: Final = frozenset(
    {
        *(Fault.IMPORT_FAILS, Fault.SYNTAX_ERROR, Fault.EXITS_ZERO, Fault.FIRST_CYCLE_FAILS),
        *(Fault.BLIND, Fault.SLOW, Fault.POISON),
    }
)
"""Faults of the release itself: nobody has to be struck."""

SLOW_BAKE: Final = 5
"""Clean cycles of a bake in which three slow ones running are seen."""


def plan(course: Course, *, seed: int, deploys: int) -> tuple[Strike, ...]:
    """Return the fault of each deploy.

    Args:
        course: What to draw from.
        seed: Decides everything.
        deploys: How many.
    """
    draw = random.Random(f"faults {seed}")  # noqa: S311 - a plan that can be drawn again
    faults = _rounds(draw, course)
    return tuple(_strike(number, faults, draw, course) for number in range(1, deploys + 1))


def _rounds(draw: random.Random, course: Course) -> Iterator[tuple[Fault, Place | None]]:
    """Yield all faults in another order each round; owners are killed in each place in turn."""
    places: list[Place] = []
    while True:
        faults = [fault for fault, times in course.weights.items() for _ in range(times)]
        draw.shuffle(faults)
        for fault in faults:
            if fault is not Fault.OWNER_KILL:
                yield fault, None
                continue
            if not places:
                places = list(course.places)
                draw.shuffle(places)
            yield fault, places.pop()


def _strike(
    number: int,
    faults: Iterator[tuple[Fault, Place | None]],
    draw: random.Random,
    course: Course,
) -> Strike:
    fault, place = next(faults)
    after_s = draw.uniform(0.0, course.span_s)
    return Strike(
        number=number,
        fault=fault,
        # Who waits for a take must not come after it.
        after_s=0.0 if place is Place.TAKE else round(after_s, 3),
        place=place,
        share=round(draw.random(), 3),
        pause_s=draw.choice(course.pauses_s),
        standby=draw.random() < 0.75,  # noqa: PLR2004 - as most installations do
    )
