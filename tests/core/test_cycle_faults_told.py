"""What the check of cycles complains about: every fault, and few lines for many of a kind."""

from __future__ import annotations

from handoff.commands.cycle_faults import faults_of, nowhere_faults, overdue_faults
from state.cycle_audit import CycleRange, CycleReport
from state.etcd.put_back import Kept
from state.record import Missed


def late(cycle: int) -> Missed:
    return Missed(cycle=cycle, reason=f"{1000 - cycle}.5 s late, beyond the catch-up limit")


def test_an_outage_is_one_line_however_long_it_was() -> None:
    """It was one line for each cycle: 1 262 on stderr, and the other fault among them."""
    failed = Missed(cycle=500, reason="failed: decide raised KeyError: 'price'")
    missed = (*map(late, range(1, 500)), failed, *map(late, range(501, 900)), late(950))
    report = CycleReport(missed=missed, missing=(CycleRange(first=3, last=3),))
    assert faults_of(report) == [
        "cycles 1 to 499 were missed: the first 999.5 s late, beyond the catch-up limit",
        "cycle 500 was missed: failed: decide raised KeyError: 'price'",
        "cycles 501 to 899 were missed: the first 499.5 s late, beyond the catch-up limit",
        "cycle 950 was missed: 50.5 s late, beyond the catch-up limit",
        "cycle 3 is missing",
    ]


def test_neighbours_of_every_kind_are_one_fault() -> None:
    report = CycleReport(
        missing=(CycleRange(first=3, last=9),), doubled=(11, 12, 14), unsettled=(20,)
    )
    assert faults_of(report) == [
        "cycles 3 to 9 are missing",
        "cycles 11 to 12 were run more than once",
        "cycle 14 was run more than once",
        "cycle 20 was never settled",
    ]


def test_cycles_that_nobody_decides_are_a_fault_and_a_stop_is_none() -> None:
    assert overdue_faults(CycleRange(first=5, last=4), owned=False) == []
    assert overdue_faults(CycleRange(first=5, last=14), owned=True) == [
        "cycles 5 to 14 have begun, and nobody decided: see `status`"
    ]
    assert overdue_faults(CycleRange(first=5, last=5), owned=False) == [
        "cycle 5 has begun before the planned stop, and nobody decided: see `status`"
    ]


def test_what_no_host_proves_says_who_was_asked() -> None:
    nowhere = [CycleRange(first=0, last=64), CycleRange(first=70, last=70)]
    asked = [Kept(home="4f00", host="alpha", last=12)]
    assert nowhere_faults(nowhere, asked) == [
        "cycles 0 to 64 are proven by no host; known are alpha (home 4f00) to cycle 12",
        "cycle 70 is proven by no host; known are alpha (home 4f00) to cycle 12",
    ]
    assert nowhere_faults(nowhere[1:], []) == [
        "cycle 70 is proven by no host; no other host is known"
    ]
    assert nowhere_faults([], asked) == []
