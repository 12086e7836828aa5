"""Changes of owner as marks on the strip of cycles: taken over, crashed, returned, stopped, begun.

Owns which change a journal line is, and the cycle that it stands at: the first that the new owner
decides, or the last before a stop. No clock and no file enters.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from foresight.dashboard.cycles import CycleLine
from state.record import Phase


class Turn(enum.StrEnum):
    """How the owner changed."""

    TAKEN = "taken"  # a deploy: handed over in good health
    CRASHED = "crashed"  # the owner was gone or hung; another worker of its release went on
    RETURNED = "returned"  # back to the release before
    STOPPED = "stopped"  # given up on purpose
    BEGUN = "begun"  # nobody owned before


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One change.

    Attributes:
        cycle: Where it stands.
        turn: Which.
        release: The release that owned then; the one that stopped, where it was a stop.
        before: The release that owned before, or an empty string.
    """

    cycle: int
    turn: Turn
    release: str
    before: str = ""


def turns_of(lines: Iterable[CycleLine]) -> tuple[Turned, ...]:
    """Return the changes of owner, oldest first.

    Args:
        lines: Lines that happened, oldest first.
    """
    found: list[Turned] = []
    before, is_owned = "", False
    for line in lines:
        turn = _turn(line, before, is_owned=is_owned)
        if turn is not None:
            found.append(Turned(cycle=_place(line), turn=turn, release=line.release, before=before))
        before = line.release or before
        is_owned = line.kind != "release" and (is_owned or bool(line.release))
    return tuple(found)


def _turn(line: CycleLine, before: str, *, is_owned: bool) -> Turn | None:
    match line.kind:
        case "take":
            return Turn.TAKEN
        case "release":
            return Turn.STOPPED
        case "seize" if before and before != line.release:
            return Turn.RETURNED
        case "seize":
            return Turn.CRASHED if is_owned else Turn.BEGUN
        case _:
            return None


def _place(line: CycleLine) -> int:
    """Return the cycle that a change stands at; a decided one is gone on with."""
    is_between = line.phase is Phase.SETTLED and line.kind != "release"
    return line.cycle + 1 if is_between else line.cycle
