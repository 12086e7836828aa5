"""The deploys of a series with faults: how each ended, and who was struck. Pure.

Owns the note of one deploy and the counts over all of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.fault_plan import ALLOWED, Fault
from bench.last_signs import Death, places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.fault_plan import Place
    from bench.last_signs import Seen
    from state.journal_frames import Line

# In a blow that met a copy: whom it met, and what came of it if all is well.
COPY: Final = "copy"
REFUSED: Final = "refused"


class Deployed(NamedTuple):
    """One deploy of a series.

    Attributes:
        number: From 1.
        fault: What struck it.
        place: Where in a cycle the owner was to be met; empty where that did not matter.
        release: Its release, if it was built.
        outcome: How it ended, or `broken` where whoever drove it did not see its end.
        reason: Why it was not permanent.
        seconds: From its start to calm.
        struck: The blows that met somebody.
        abandoned: Deploys that left a candidate behind, which nobody drives any more.
        open_before: Positions that were open when it was asked for.
    """

    number: int
    fault: str
    place: str
    release: str
    outcome: str
    reason: str
    seconds: float
    struck: list[dict[str, Any]]
    abandoned: list[str]
    open_before: int = 0


def deaths_in(done: Iterable[Deployed]) -> list[Death]:
    """Return the workers that were killed; a candidate may have owned by then."""
    return [
        Death(blow["pid"], blow["start_ticks"], blow["at_ns"])
        for each in done
        for blow in each.struck
        if blow["signal"] == "SIGKILL" and blow["whom"] in ("owner", "candidate")
    ]


def unexpected_in(done: Iterable[Deployed]) -> list[str]:
    """Return the deploys that ended as their fault does not account for, or whose copy ran."""
    return [
        f"{each.number} {each.fault}: {each.outcome} {each.reason}".rstrip()
        for each in done
        if each.outcome not in ALLOWED[Fault(each.fault)]
    ] + [
        f"{each.number} {each.fault}: {blow['signal']}"
        for each in done
        for blow in each.struck
        if blow["whom"] == COPY and blow["signal"] != REFUSED
    ]


def owner_places(
    done: Iterable[Deployed], reports: Iterable[Seen], lines: Iterable[Line]
) -> Counter[Place]:
    """Count where in its cycle each owner was that was killed."""
    places = places_of(deaths_in(done), reports, lines)
    return Counter(place for place in places if place is not None)


def summary_of(
    done: Sequence[Deployed], reports: Iterable[Seen], lines: Iterable[Line]
) -> dict[str, Any]:
    """Return the counts as plain values."""
    blows = [f"{blow['whom']} {blow['signal']}" for each in done for blow in each.struck]
    ended: dict[str, dict[str, int]] = {}
    for each in done:
        outcomes = ended.setdefault(each.fault, {})
        outcomes[each.outcome] = outcomes.get(each.outcome, 0) + 1
    return {
        "faults": dict(sorted(ended.items())),
        "unexpected": unexpected_in(done),
        "blows": dict(Counter(blows)),
        "owners_killed_in": {
            place.value: times for place, times in owner_places(done, reports, lines).items()
        },
        "abandoned_candidates": sum(len(each.abandoned) for each in done),
    }


def rows_of(summary: dict[str, Any]) -> list[str]:
    """Return the counts for a reader."""
    rows = ["deploys by fault"]
    for fault, ended in summary["faults"].items():
        words = ", ".join(f"{outcome} {times}" for outcome, times in sorted(ended.items()))
        rows.append(f"  {fault:<42} {words}")
    rows += [f"  UNEXPECTED {each}" for each in summary["unexpected"]]
    for title, counts in (
        ("owners killed in", summary["owners_killed_in"]),
        ("blows", summary["blows"]),
    ):
        words = ", ".join(f"{name} {times}" for name, times in sorted(counts.items()))
        rows.append(f"{title}: {words or 'none'}")
    rows.append(f"candidates left without a driver: {summary['abandoned_candidates']}")
    return rows
