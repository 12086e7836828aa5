"""What can go wrong in a worker of the tests: places and faults, as settings of a release."""

from __future__ import annotations

from bench.chained import Settings


class FaultySettings(Settings, frozen=True, kw_only=True):
    """What goes wrong.

    Attributes:
        place: `import`, `warm`, `took` (it owns, and nobody has heard of it), `observe`,
            `decide`, `commit`, `perform` or `performed`.
        fault: `kill`, `exit`, `hang`, `raise`, `memory`, `slow`, `violate`, `impure` or `clock`.
        every: Strikes only in cycles whose number this divides; 0 means in all.
        once: Path of a file that keeps a fault from striking twice; empty strikes always.
        catch_up_s: A cycle that is later than this is missed; None runs every cycle.
        budget_s: Longest time of a healthy cycle between two commits; None for half a period.
    """

    place: str = ""
    fault: str = ""
    every: int = 0
    once: str = ""
    catch_up_s: float | None = None
    budget_s: float | None = None
