"""What deploys and standstills proved of the page: one line a claim, with its figures.

Owns the claims. They are made of what a browser noted, what somebody who asked got, and what the
record said meanwhile; none of it is the page's own word.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from foresight.demo.proof import Line, Proof
from tests.dashboard.standstill import SEEN_MS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.dashboard.asking import Asked
    from tests.dashboard.eyewitness import Seen

SHOWN_MAX: Final = 3


class Deployed(NamedTuple):
    """One deploy."""

    release: str
    outcome: str
    code: int


class Evidence(NamedTuple):
    """Everything that was seen.

    Attributes:
        wanted: How many deploys had to become permanent.
        deploys: All that were tried, in their order.
        asked: What came of the requests meanwhile.
        seen: The browser's notes of the deploys; None if it loaded the page anew.
        loads: Documents that it loaded meanwhile.
        complaints: What its console and its own requests complained of.
        owned_ms: Since when the record named a release as the owner's, wall-clock milliseconds.
        stood: For each kind of standstill after how many milliseconds it was seen; None: never.
        seconds: How long all of it took.
    """

    wanted: int
    deploys: Sequence[Deployed]
    asked: Asked
    seen: Seen | None
    loads: int
    complaints: Sequence[str]
    owned_ms: Mapping[str, float]
    stood: Mapping[str, Sequence[float | None]]
    seconds: float


def prove(found: Evidence) -> Proof:
    """Return what the evidence proves."""
    late = _late_ms(found)
    lines = (
        _deploys(found),
        _versions(found, late),
        Line(found.loads == 0, "no reload", f"documents loaded while deploying: {found.loads}"),
        _requests(found.asked),
        Line(found.asked.late == 0, "in time", f"{found.asked.late} without an answer in 5 s"),
        _browser(found.complaints),
        _freshness(found.seen),
        *(_stood(name, times) for name, times in found.stood.items()),
    )
    return Proof(lines, _numbers(found, lines, late))


def _deploys(found: Evidence) -> Line:
    good = sum(each.code == 0 for each in found.deploys)
    others = Counter(each.outcome for each in found.deploys if each.code != 0)
    said = [f"{good} of {found.wanted} permanent", *(f"{n} {how}" for how, n in others.items())]
    return Line(good == found.wanted, "deploys", ", ".join(said))


def _versions(found: Evidence, late: Sequence[float]) -> Line:
    wanted = [each.release for each in found.deploys if each.code == 0]
    shown = [release for release, _ in found.seen.versions][1:] if found.seen is not None else []
    how = "in order" if shown == wanted else "others than deployed"
    said = f"{len(shown)} changes shown, {how}"
    if late:
        median, most = statistics.median(late), max(late)
        said += f"; {median:.0f} ms after the record, at most {most:.0f} ms"
    return Line(shown == wanted, "versions", said)


def _late_ms(found: Evidence) -> list[float]:
    shown = found.seen.versions[1:] if found.seen is not None else ()
    return [at - found.owned_ms[release] for release, at in shown if release in found.owned_ms]


def _requests(asked: Asked) -> Line:
    said = f"{asked.sent} by a connection each, {len(asked.failed)} failed{asked.examples}"
    said += f"; {asked.median_ms:.1f} ms, at most {asked.worst_ms:.0f} ms"
    said += f"; pages that answered: {len(asked.by)}"
    return Line(asked.sent > 0 and not asked.failed, "requests", said)


def _browser(complaints: Sequence[str]) -> Line:
    examples = f": {'; '.join(complaints[:SHOWN_MAX])}" if complaints else ""
    return Line(not complaints, "browser", f"{len(complaints)} complaints{examples}")


def _freshness(seen: Seen | None) -> Line:
    times = (len(seen.old) + 1) // 2 if seen is not None else 0
    return Line(times == 0, "looked old", f"{times} times while deploying")


def _stood(name: str, times: Sequence[float | None]) -> Line:
    holds = all(each is not None and each <= SEEN_MS_MAX for each in times)
    said = ", ".join("never" if each is None else f"{each:.0f} ms" for each in times)
    return Line(holds, name, f"seen after {said}")


def _numbers(found: Evidence, lines: Sequence[Line], late: Sequence[float]) -> dict[str, Any]:
    return {
        "passed": all(line.holds for line in lines),
        "failed": [line.claim for line in lines if not line.holds],
        "deploys": [each._asdict() for each in found.deploys],
        "asked": found.asked._asdict(),
        "loads": found.loads,
        "complaints": list(found.complaints),
        "shown_after_ms": [round(each, 1) for each in late],
        "stood_ms": {name: list(times) for name, times in found.stood.items()},
        "seconds": round(found.seconds, 1),
        "proof": [line._asdict() for line in lines],
    }
