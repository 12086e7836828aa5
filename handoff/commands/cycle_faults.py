"""What is wrong with a run of cycles, in words: a few lines, however much it is.

Owns the sentences that `cycles --check` and `state verify` complain with. The count is
`state.cycle_audit`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from state.cycle_audit import CycleRange, CycleReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from state.etcd.put_back import Kept
    from state.record import Missed

_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


def faults_of(report: CycleReport) -> list[str]:
    """Return what is wrong with a run of cycles; missed by policy still counts as missed.

    Neighbours are one fault: an outage of a day is one, not a thousand.
    """
    faults = [_missed_fault(each) for each in _runs_of_missed(report.missed)]
    faults += [f"{_named(each)} {_verb(each)} missing" for each in report.missing]
    doubled, unsettled = _ranges(report.doubled), _ranges(report.unsettled)
    faults += [f"{_named(each)} {_verb(each, past=True)} run more than once" for each in doubled]
    faults += [f"{_named(each)} {_verb(each, past=True)} never settled" for each in unsettled]
    faults += [f"cycle {gap.cycle}: the journal does not lead to the record" for gap in report.gaps]
    return faults


def unproven_words(unproven: Iterable[CycleRange]) -> list[str]:
    """Return which cycles a host's journal says nothing of, because it came later; no fault."""
    return [
        f"cycles up to {each.last} are not proven here: this host came later"
        if not each.first
        else f"{_named(each)} {_verb(each)} not proven here: this host was away"
        for each in unproven
    ]


def nowhere_faults(nowhere: Iterable[CycleRange], journals: Sequence[Kept]) -> list[str]:
    """Return which cycles no host's journal has.

    Args:
        nowhere: Those cycles.
        journals: The other hosts' journals, as they said last.
    """
    asked = ", ".join(f"{each.words()} to cycle {each.last}" for each in journals)
    known = f"; known are {asked}" if asked else "; no other host is known"
    return [f"{_named(each)} {_verb(each)} proven by no host{known}" for each in nowhere]


def overdue_faults(overdue: CycleRange, *, owned: bool) -> list[str]:
    """Return what is wrong with cycles that should be decided by now.

    Args:
        overdue: Those cycles, or an empty range.
        owned: No planned stop lasts: somebody should own.
    """
    if not overdue.count:
        return []
    begun = "has" if overdue.count == 1 else "have"
    before = "" if owned else " before the planned stop"
    return [f"{_named(overdue)} {begun} begun{before}, and nobody decided: see `status`"]


def _runs_of_missed(missed: Sequence[Missed]) -> list[list[Missed]]:
    runs: list[list[Missed]] = []
    for each in missed:
        if runs and runs[-1][-1].cycle == each.cycle - 1 and _alike(runs[-1][0], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _alike(one: Missed, other: Missed) -> bool:
    """Tell whether two reasons differ by their numbers only."""
    return _NUMBER.sub("", one.reason) == _NUMBER.sub("", other.reason)


def _missed_fault(run: Sequence[Missed]) -> str:
    missed = CycleRange(first=run[0].cycle, last=run[-1].cycle)
    first = "" if missed.count == 1 else "the first "
    return f"{_named(missed)} {_verb(missed, past=True)} missed: {first}{run[0].reason}"


def _ranges(cycles: Iterable[int]) -> list[CycleRange]:
    ranges: list[CycleRange] = []
    for cycle in cycles:
        if ranges and ranges[-1].last == cycle - 1:
            ranges[-1] = CycleRange(first=ranges[-1].first, last=cycle)
        else:
            ranges.append(CycleRange(first=cycle, last=cycle))
    return ranges


def _named(cycles: CycleRange) -> str:
    if cycles.count == 1:
        return f"cycle {cycles.first}"
    return f"cycles {cycles.first} to {cycles.last}"


def _verb(cycles: CycleRange, *, past: bool = False) -> str:
    if past:
        return "was" if cycles.count == 1 else "were"
    return "is" if cycles.count == 1 else "are"
