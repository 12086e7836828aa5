"""The proof of a state: digests, the journal's chain, its cycles, every decision made again.

Owns what is proven and the words of it. How a release is asked to decide again is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handoff.commands.cycle_faults import faults_of, unproven_words
from handoff.replay.journal import ReplayedJournal, Unanswered, replay_journal
from state.cycle_audit import CycleRange, CycleReport
from state.journal_reader import unproven_cycles, verify_chain, verify_cycles
from state.local_store import read_only_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handoff.replay.verify import Verified


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        digest: Of the record.
        cycle: The newest one.
        faults: What is wrong, a sentence each.
        cycles: What was run, missed, lost and doubled.
        replayed: What came of deciding again.
        unproven: Cycles that this host's journal says nothing of: another host's does.
    """

    digest: str
    cycle: int
    faults: tuple[str, ...]
    cycles: CycleReport
    replayed: ReplayedJournal
    unproven: tuple[CycleRange, ...] = ()


def prove(
    home: Path,
    since_cycle: int | None,
    *,
    ask: Callable[[str, bytes], Verified | Unanswered],
    progress: Callable[[str], None],
) -> Proof:
    """Prove a state.

    Args:
        home: The state directory.
        since_cycle: The first cycle to decide again, or None for all that are recorded.
        ask: Lets a release answer for its part of the journal.
        progress: Told which release is at work.

    Raises:
        StateError: Record or journal cannot be read, or the chain between them does not hold.
    """
    found = read_only_generation(home / "state")
    journal, cycle = home / "journal", found.record.progress.cycle
    verify_chain(journal, digest=found.digest, cycle=cycle)
    report = verify_cycles(journal)
    replayed = replay_journal(journal, since_cycle, ask=ask, progress=progress)
    # A cycle that was missed by policy is accounted for: nothing is wrong with the state.
    faults = faults_of(msgspec.structs.replace(report, missed=()))
    for each in replayed.deviations:
        faults.append(f"cycle {each.cycle} comes out otherwise: {each.reason}")
    return Proof(
        digest=found.digest,
        cycle=cycle,
        faults=tuple(faults),
        cycles=report,
        replayed=replayed,
        unproven=unproven_cycles(journal),
    )


def as_json(proof: Proof) -> dict[str, Any]:
    """Return a proof as JSON builtins."""
    plain: dict[str, Any] = msgspec.to_builtins(proof)
    return {
        "ok": not proof.faults,
        "faults": plain["faults"],
        "digest": proof.digest,
        "cycles": plain["cycles"],
        "recomputed": plain["replayed"],
        "unproven": plain["unproven"],
    }


def lines_of(proof: Proof) -> Iterator[str]:
    """Yield a proof as lines of text."""
    again = proof.replayed
    yield f"record    digest {proof.digest[:16]} holds, cycle {proof.cycle}"
    yield "journal   the chain holds and leads to the record"
    yield f"cycles    {proof.cycles.decided} decided, {len(proof.cycles.missed)} missed"
    yield (
        f"decisions {again.checked} decided again alike, "
        f"{len(again.deviations)} otherwise, {again.skipped} not decided again"
    )
    for words in unproven_words(proof.unproven):
        yield f"          {words}"
    for each in again.unanswered:
        yield f"          {each.release} could not be asked: {each.reason}"
