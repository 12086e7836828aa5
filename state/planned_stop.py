"""Planned stops: from the moment at which the owner was asked to leave until the next one.

Owns what a stop is, as the journal's lines tell it: a `release` that was asked for opens it, the
next change of owner closes it. A cycle whose boundary lies in between was due to nobody: given up
later it was stopped, not missed. One that was due before or after is none of its business. A
cycle that is given up carries the stop it fell into, so that it can be told without the lines
before it, which may have been pruned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.journal_frames import Line

ASKED: Final = "asked to"  # reason of a release, also as 0.2.0 wrote it
CATCH_UP: Final = "beyond the catch-up limit"  # ends the reason of a cycle given up by policy
ASKED_MS: Final = "asked_ms"  # evidence of a release: when it was asked for
FROM_MS: Final = "stopped_from_ms"  # evidence of a cycle given up: the stop that it fell into
UNTIL_MS: Final = "stopped_until_ms"


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One planned stop, milliseconds since 1970 UTC.

    Attributes:
        from_ms: When the owner was asked to leave.
        until_ms: When the next one came; None while there is none.
    """

    from_ms: float
    until_ms: float | None = None

    def covers(self, boundary_ms: float) -> bool:
        """Tell whether a cycle began in it."""
        ended = self.until_ms is not None and boundary_ms >= self.until_ms
        return self.from_ms <= boundary_ms and not ended

    def evidence(self) -> dict[str, str | int | float]:
        """Return what the line of a cycle given up says of it."""
        until = {} if self.until_ms is None else {UNTIL_MS: self.until_ms}
        return {FROM_MS: self.from_ms, **until}


class Stops:
    """The stops that a run of lines tells of and whose cycles may still come."""

    def __init__(self) -> None:
        """Start without any."""
        self._stops: list[Stop] = []

    @property
    def open(self) -> Stop | None:
        """The stop that nobody ended yet."""
        last = self._stops[-1] if self._stops else None
        return last if last is not None and last.until_ms is None else None

    def add(self, line: Line) -> None:
        """Take the next line, oldest first."""
        if line.kind == "release" and line.evidence.get("reason") == ASKED:
            self._stops.append(Stop(from_ms=_number(line, ASKED_MS) or line.at_ms))
        elif line.kind in {"seize", "take"} and self.open is not None:
            self._stops[-1] = msgspec.structs.replace(self._stops[-1], until_ms=line.at_ms)
        elif line.kind in {"decide", "miss"} and line.scheduled_ms is not None:
            self._pass(line, line.scheduled_ms)

    def _pass(self, line: Line, boundary_ms: float) -> None:
        told = _told_by(line)
        if told is not None and told not in self._stops:
            self._stops.insert(0, told)
        # Cycles come in their order: what ended before this one covers none that follows.
        self._stops = [
            stop for stop in self._stops if stop.until_ms is None or stop.until_ms > boundary_ms
        ]

    def covering(self, boundary_ms: float) -> Stop | None:
        """Return the stop in which a cycle began, or None."""
        return next((stop for stop in self._stops if stop.covers(boundary_ms)), None)

    def has_stopped(self, line: Line) -> bool:
        """Tell whether a cycle that was given up had begun in a stop; the line is added already."""
        by_policy = str(line.evidence.get("reason", "")).endswith(CATCH_UP)
        if line.kind != "miss" or line.scheduled_ms is None or not by_policy:
            return False
        return self.covering(line.scheduled_ms) is not None


def stops_before(lines: Iterable[Line]) -> Stops:
    """Return the stops whose cycles a new owner may have to give up.

    Args:
        lines: The journal's newest, oldest first. Where the owner before died while it gave up
            cycles, its lines tell of the stop.
    """
    stops = Stops()
    for line in lines:
        stops.add(line)
    return stops


def _told_by(line: Line) -> Stop | None:
    from_ms, until_ms = _number(line, FROM_MS), _number(line, UNTIL_MS)
    return Stop(from_ms=from_ms, until_ms=until_ms) if from_ms and until_ms else None


def _number(line: Line, name: str) -> float:
    value = line.evidence.get(name, 0)
    return float(value) if isinstance(value, int | float) else 0.0
