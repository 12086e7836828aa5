"""One drill: fault after fault, each watched, judged and mended.

Owns the order and what becomes of each fault. A fault that goes otherwise than it must is a row
of the table like any other; the next one begins when everything is well again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from foresight.drill import candidates, copies, launchers, owners
from foresight.drill.faults import Needs
from foresight.evidence.errors import EvidenceError
from foresight.evidence.verdict import judge
from handoff.errors import HandoffError
from handoff.limits import MS
from state.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from foresight.drill.faults import Fault
    from foresight.drill.observer import Mark, Observer
    from foresight.drill.scene import Scene

HOW: Final[Mapping[str, Callable[[Scene], str]]] = {
    "candidate-killed": candidates.killed,
    "candidate-stopped": candidates.stopped,
    "candidate-import": candidates.cannot_import,
    "deployer-killed": candidates.deployer_killed,
    "deploy-superseded": candidates.superseded,
    "new-owner-killed": candidates.new_owner_killed,
    "owner-killed-before": owners.killed_before,
    "owner-killed-begun": owners.killed_begun,
    "owner-killed-decided": owners.killed_decided,
    "owner-stopped": owners.stopped,
    "launcher-killed": launchers.killed,
    "launcher-replaced": launchers.replaced,
    "launcher-second": launchers.second,
    "home-copied": launchers.copied,
    "abort-nothing": launchers.abort_nothing,
    "all-killed": launchers.all_killed,
    "record-damaged": copies.record_damaged,
    "record-put-back": copies.record_put_back,
    "record-cut": copies.record_cut,
    "journal-cut": copies.journal_cut,
    "journal-changed": copies.journal_changed,
}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one fault.

    Attributes:
        name: Its name.
        fault: What was done, and to whom.
        step: In which step.
        seen: What happened.
        evidence: The numbers; first of all what does not hold, if anything.
        holds: Whether everything does.
        problems: What does not.
        seconds: How long it took.
    """

    name: str
    fault: str
    step: str
    seen: str
    evidence: str
    holds: bool
    problems: tuple[str, ...]
    seconds: float


def run(
    faults: Sequence[Fault], scene: Scene, observer: Observer, say: Callable[[str], None]
) -> Iterator[Cell]:
    """Do one fault after the other; yield what became of each."""
    for number, fault in enumerate(faults, start=1):
        say(f"{number} of {len(faults)}: {fault.fault} ({fault.step})")
        begun_s = time.monotonic()
        seen, evidence, problems = _drilled(fault, scene, observer)
        yield Cell(
            name=fault.name,
            fault=fault.fault,
            step=fault.step,
            seen=seen,
            evidence="; ".join(filter(None, (*problems, evidence))),
            holds=not problems,
            problems=tuple(problems),
            seconds=round(time.monotonic() - begun_s, 1),
        )


def _drilled(fault: Fault, scene: Scene, observer: Observer) -> tuple[str, str, list[str]]:
    """Do one fault; return what was seen, the evidence and what does not hold."""
    problems: list[str] = []
    seen, evidence = "", ""
    try:
        if fault.needs is Needs.COPY:
            return HOW[fault.name](scene), "what runs was not touched", []
        mark = observer.begin()
        try:
            seen = HOW[fault.name](scene)
        except (EvidenceError, HandoffError, StateError) as error:
            problems.append(str(error))
        finally:
            scene.mend()
        evidence = _judged(fault, scene, observer, mark, problems)
    except (EvidenceError, HandoffError, StateError) as error:
        problems.append(str(error))
    return seen, evidence, problems


def _judged(fault: Fault, scene: Scene, observer: Observer, mark: Mark, problems: list[str]) -> str:
    late_ms_max = scene.instance.schedule.bounds.budget_ns / MS if fault.punctual else None
    window, trading = observer.end(mark)
    verdict = judge(window, trading, changes=fault.changes, late_ms_max=late_ms_max)
    problems.extend(verdict.problems)
    return verdict.evidence
