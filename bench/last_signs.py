"""Where in its cycle a worker was when it was killed, by the last sign it left. Pure.

Owns the order of the signs: what a worker tells the witness, and its lines in the journal.
Both are read after its death, so a sign that was under way counts where it arrived.
"""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bench.fault_plan import Place
from state.open_struct import decode_open
from state.record import Phase, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from state.journal_frames import Line

LIFE_NS: Final = 60_000_000_000  # no pid comes back to another worker within it
AFTER_NS: Final = 2_000_000_000  # a witness may hear of it after the death


class Seen(Protocol):
    """A report to a witness, of either kind."""

    @property
    def kind(self) -> str:
        """What is done."""

    @property
    def cycle(self) -> int:
        """In which cycle."""

    @property
    def pid(self) -> int:
        """By whom."""

    @property
    def at_ns(self) -> int:
        """When."""


class Death(NamedTuple):
    """A worker that was killed."""

    pid: int
    start_ticks: int
    at_ns: int


class _Step(NamedTuple):
    cycle: int
    order: int
    place: Place


_REPORTS: Final[Mapping[str, tuple[int, Place]]] = MappingProxyType(
    {
        "observe": (1, Place.OBSERVE),
        "decide": (2, Place.DECIDE),
        "decided": (3, Place.COMMIT),
        "perform": (5, Place.PERFORM),
        "resolve": (5, Place.PERFORM),
        "performed": (6, Place.SETTLE),
    }
)


def places_of(
    deaths: Iterable[Death], reports: Iterable[Seen], lines: Iterable[Line]
) -> list[Place | None]:
    """Return where each killed worker was; None for one that never owned."""
    owned = _steps_in_journal(lines)
    told: dict[int, list[Seen]] = defaultdict(list)
    for report in reports:
        if report.kind in _REPORTS:
            told[report.pid].append(report)
    return [_place(death, owned, told[death.pid]) for death in deaths]


def _place(
    death: Death, owned: Mapping[tuple[int, int], _Step], told: Sequence[Seen]
) -> Place | None:
    last = owned.get((death.pid, death.start_ticks))
    if last is None:
        return None
    steps = [last]
    for report in told:
        if -LIFE_NS < report.at_ns - death.at_ns < AFTER_NS:
            order, place = _REPORTS[report.kind]
            steps.append(_Step(report.cycle, order, place))
    return max(steps, key=lambda step: step[:2]).place


def _steps_in_journal(lines: Iterable[Line]) -> dict[tuple[int, int], _Step]:
    """Return the newest step of each owner, by pid and start ticks."""
    found: dict[tuple[int, int], _Step] = {}
    for line in lines:
        owner = decode_open(line.header, Record).ownership.owner if line.header else None
        step = _step(line)
        if owner is not None and step is not None:
            found[owner.pid, owner.start_ticks] = step
    return found


def _step(line: Line) -> _Step | None:
    match line.kind:
        case "take" | "seize" | "genesis" if line.phase is Phase.DECIDED:
            return _Step(line.cycle, 4, Place.TAKE)  # it has the effects of another to finish
        case "take" | "seize":
            return _Step(line.cycle + 1, 0, Place.TAKE)
        case "decide":
            return _Step(line.cycle, 4, Place.PERFORM)
        case "settle" | "miss":
            return _Step(line.cycle, 7, Place.IDLE)
        case _:
            return None
