"""Every cycle is accounted for once, or the report says which one is not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from state.cycle_audit import CycleRange, CycleReport, audit_cycles, effective
from state.memory_store import Moment
from tests.records import (
    B,
    deciding,
    memory_store,
    miss,
    note,
    owned,
    run_cycles,
    seize,
    settle,
    started,
    take,
    taken_back,
)

if TYPE_CHECKING:
    from state.journal_frames import Line
    from state.memory_store import MemoryStore


class Killed(Exception):
    """Stands for a process that ends between two steps."""


def kill_between(store: MemoryStore) -> None:
    def interrupt(moment: Moment) -> None:
        if moment is Moment.BETWEEN:
            raise Killed

    store.interrupt = interrupt
    with pytest.raises(Killed):
        store.transact(deciding(), note("decide"))
    store.interrupt = lambda _: None


def busy_journal() -> list[Line]:
    """Three cycles, one missed, one by a new owner after a line that 0.2.0 took back."""
    store = memory_store()
    run_cycles(started(store), 3)
    store.transact(miss, note("miss"))
    kill_between(store)
    taken_back(store)
    store.transact(lambda record: take(record, B), note("take"))
    run_cycles(store)
    return store.journal()


def without(lines: list[Line], *kinds_at: tuple[str, int]) -> list[Line]:
    return [line for line in lines if (line.kind, line.cycle) not in kinds_at]


def test_a_complete_journal_counts_each_cycle_once() -> None:
    report = audit_cycles(busy_journal())
    assert report.is_complete
    assert (report.first, report.last) == (11, 15)
    assert (report.decided, report.settled) == (4, 4)
    assert [(each.cycle, each.reason) for each in report.missed] == [(14, "too old")]


def test_what_never_happened_does_not_count() -> None:
    lines = busy_journal()
    assert [line.cycle for line in lines if line.kind == "decide"] == [11, 12, 13, 15, 15]
    counted = list(effective(lines))
    assert [line.cycle for line in counted if line.kind == "decide"] == [11, 12, 13, 15]
    assert "aborted" not in {line.kind for line in counted}


def test_a_new_segment_between_a_line_and_its_end_changes_nothing() -> None:
    lines = busy_journal()
    at = next(index for index, line in enumerate(lines) if line.kind == "aborted")
    fields = {name: getattr(lines[0], name) for name in lines[0].__struct_fields__}
    segment = type(lines[0])(**(fields | {"kind": "segment", "cycle": 14}))
    assert audit_cycles([*lines[:at], segment, *lines[at:]]) == audit_cycles(lines)


def test_a_cycle_that_nobody_decided_is_missing() -> None:
    report = audit_cycles(without(busy_journal(), ("decide", 12), ("settle", 12), ("decide", 13)))
    assert report.missing == (CycleRange(first=12, last=13),)
    assert not report.is_complete


def test_a_cycle_that_was_decided_twice_is_doubled() -> None:
    lines = busy_journal()
    again = [line for line in lines if line.cycle == 12]
    at = lines.index(again[-1]) + 1
    report = audit_cycles([*lines[:at], *again, *lines[at:]])
    assert report.doubled == (12,)
    assert not report.is_complete


def test_a_decided_cycle_that_was_left_behind_is_unsettled() -> None:
    report = audit_cycles(without(busy_journal(), ("settle", 12)))
    assert report.unsettled == (12,)
    assert not report.is_complete


def test_the_newest_cycle_may_still_be_in_hand() -> None:
    report = audit_cycles(busy_journal()[:-1])
    assert report.is_complete
    assert (report.last, report.settled) == (15, 3)


def test_a_newest_line_ahead_of_the_record_has_happened() -> None:
    """The line is the commit: what the next reader of the record finishes counts already."""
    store = memory_store()
    run_cycles(started(store), 1)
    kill_between(store)
    before = audit_cycles(store.journal())
    assert (before.decided, before.last, before.is_complete) == (2, 12, True)
    store.transact(settle, note("settle"))
    assert audit_cycles(store.journal()).settled == 2


def test_a_gap_is_reported_with_the_cycles_that_it_hides() -> None:
    store = memory_store()
    run_cycles(started(store), 2)
    kept = store.lines[:4]
    store_after = memory_store()
    run_cycles(started(store_after), 2)
    store_after.lines = kept
    store_after.last = store.journal()[3]  # a journal that lost its end
    store_after.transact(deciding(), note("decide"))
    store_after.transact(settle, note("settle"))
    report = audit_cycles(store_after.journal())
    assert [(gap.seq, gap.cycle) for gap in report.gaps] == [(5, 12)]
    assert report.gaps[0].parent == store.journal()[3].result
    assert report.missing == (CycleRange(first=12, last=12),)
    assert not report.is_complete


def test_a_gap_at_the_end_names_the_cycle_that_it_hides() -> None:
    """Nothing follows that would: a bot that stopped there must not look complete."""
    store = memory_store()
    run_cycles(started(store), 1)
    *_, settled = store.journal()
    gap = replace(settled, kind="gap", seq=settled.seq + 1, cycle=13)
    report = audit_cycles([*store.journal(), gap])
    assert (report.missing, report.last) == ((CycleRange(first=12, last=13),), 13)


def test_a_run_of_lines_may_begin_anywhere() -> None:
    lines = busy_journal()
    begun = next(index for index, line in enumerate(lines) if line.cycle == 12)
    report = audit_cycles(lines[begun:])
    assert (report.first, report.last, report.decided, report.is_complete) == (12, 15, 3, True)
    report = audit_cycles(lines[begun + 1 :])
    assert (report.first, report.last, report.decided, report.is_complete) == (12, 15, 2, True)


def test_without_cycles_there_is_nothing_to_report() -> None:
    assert audit_cycles([]) == CycleReport()
    store = memory_store()
    started(store)
    assert audit_cycles(store.journal()) == CycleReport()
    assert owned().progress.cycle == 10
    store.transact(lambda record: seize(record, B), note("seize"))
    assert audit_cycles(store.journal()).first is None


def test_each_missed_cycle_has_its_own_reason() -> None:
    """The record keeps the newest ones together; a line speaks of its own."""
    store = memory_store()
    started(store)
    for reason in ("too old", "too costly"):
        store.transact(partial(miss, reason=reason), note("miss"))
    report = audit_cycles(store.journal())
    assert [each.reason for each in report.missed] == ["too old", "too costly"]


def test_a_missed_cycle_without_a_reason_is_still_missed() -> None:
    store = memory_store()
    started(store)
    store.transact(miss, note("miss"))
    *before, line = store.journal()
    fields = {name: getattr(line, name) for name in line.__struct_fields__}
    bare = type(line)(**(fields | {"header": before[0].header}))
    report = audit_cycles([*before, bare])
    assert [(each.cycle, each.reason) for each in report.missed] == [(11, "")]
