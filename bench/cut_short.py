"""Cycles that a worker began and was ended in, named for the count of the evidence. Pure.

Owns that forgiveness, and keeps it narrow: a worker that was killed, or whose release was made
to fail, may have begun a cycle that another one then runs. It is granted for the last cycle
that a killed worker began, and never for one that it had decided by the journal.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from bench.last_signs import AFTER_NS, LIFE_NS, Death
from foresight.evidence.count import Ended
from state.open_struct import decode_open
from state.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from foresight.evidence.report import Report
    from state.journal_frames import Line

ENDED: Final = Ended(failed_release="ended before it decided")


def killed_as_overdue(lines: Iterable[Line]) -> list[Death]:
    """Return the owners that the engine itself killed, as its seizes say."""
    return [
        Death(
            int(line.evidence["old_pid"]),
            int(line.evidence["old_start_ticks"]),
            round(line.at_ms * 1_000_000),
        )
        for line in lines
        if line.kind == "seize" and line.evidence.get("proof") == "overdue"
    ]


def deciders_in(lines: Iterable[Line]) -> dict[int, int]:
    """Return the pid of the owner that decided each cycle."""
    found: dict[int, int] = {}
    for line in lines:
        if line.kind == "decide":
            owner = decode_open(line.header, Record).ownership.owner
            assert owner is not None, "an owner decides"
            found[line.cycle] = owner.pid
    return found


def marked(
    reports: Sequence[Report],
    *,
    deaths: Iterable[Death],
    faulty: Collection[str],
    deciders: dict[int, int],
) -> list[Report]:
    """Return the reports, those of cycles that were cut short as of the release in `ENDED`.

    Args:
        reports: What the witness wrote.
        deaths: Workers that were killed.
        faulty: Releases that were made to fail their first cycle.
        deciders: Who decided each cycle.
    """
    began: dict[int, list[int]] = defaultdict(list)
    for index, report in enumerate(reports):
        if report.kind == "observe":
            began[report.pid].append(index)
    cut = {index for death in deaths for index in _last(death, began[death.pid], reports)}
    cut |= {index for index, each in enumerate(reports) if each.release in faulty}
    found = list(reports)
    for index in cut:
        if deciders.get(reports[index].cycle) != reports[index].pid:
            found[index] = reports[index]._replace(release=ENDED.failed_release)
    return found


def _last(death: Death, began: Sequence[int], reports: Sequence[Report]) -> Sequence[int]:
    mine = [index for index in began if -LIFE_NS < reports[index].at_ns - death.at_ns < AFTER_NS]
    return mine[-1:]
