"""Recorded cycles, decided again, give what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.replay import replay_lines
from tests.records import (
    B,
    decide,
    decided_again,
    effect,
    memory_store,
    note,
    run_cycles,
    started,
    take,
    worker,
)

if TYPE_CHECKING:
    from state.journal_frames import Line
    from state.record import Record


def journal() -> list[Line]:
    """Cycles 11 to 71 with a checkpoint at 64, a bake from 31 on and a return at 61."""
    store = memory_store()
    run_cycles(started(store), 20)
    store.transact(lambda record: take(record, B, of=99), note("take"))
    run_cycles(store, 30)
    store.transact(lambda record: take(record, worker("a2", "r1")), note("take"))
    run_cycles(store, 11)
    return store.journal()


def test_every_cycle_is_decided_again_with_the_same_outcome() -> None:
    found = replay_lines(journal(), decided_again)
    assert (found.checked, found.skipped, found.deviations) == (61, 0, ())


def test_before_the_first_body_nothing_can_be_decided_again() -> None:
    lines = journal()
    begun = next(index for index, line in enumerate(lines) if line.cycle == 62)
    found = replay_lines(lines[begun:], decided_again)
    assert (found.checked, found.skipped, found.deviations) == (7, 3, ())


def test_another_outcome_is_named_and_the_next_checkpoint_starts_afresh() -> None:
    def forgetful(record: Record, line: Line) -> Record:
        if line.cycle == 60:
            return decide(record, effect("another"))
        return decided_again(record, line)

    found = replay_lines(journal(), forgetful)
    assert [deviation.cycle for deviation in found.deviations] == [60]
    deviation = found.deviations[0]
    assert deviation.expected != deviation.found
    # The return of the previous release carried its body; without it 61 to 64 were skipped.
    assert found.checked + found.skipped == 60
    assert found.skipped <= 4
