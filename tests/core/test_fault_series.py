"""The pure parts of the series with faults: the plan, the places of death, the counting.

A count that forgives too much proves nothing, so each forgiveness is tried from both sides.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import chained
from bench.broken_release import text_of
from bench.cut_short import ENDED, deciders_in, killed_as_overdue, marked
from bench.deployed import Deployed, deaths_in, unexpected_in
from bench.doubts import fates_in
from bench.fault_plan import (
    ALLOWED,
    EXAMPLE,
    MISLEADING,
    RELEASE_FAULTS,
    TRADING,
    Course,
    Fault,
    Place,
    plan,
)
from bench.fault_report import early_in
from bench.last_signs import AFTER_NS, LIFE_NS, Death, places_of
from bench.notes import note as write_note
from bench.notes import notes_in
from foresight.evidence.count import count_cycles
from foresight.evidence.report import Report, Reporter, newest_performed, was_performed
from state.record import Fate
from tests.records import (
    A,
    B,
    deciding,
    effect,
    memory_store,
    note,
    receipt,
    run_cycles,
    seize,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from state.memory_store import MemoryStore
    from state.outbox import Fates
    from state.record import WorkerId

COURSES = [EXAMPLE, TRADING]
AT_NS = 1_000 * LIFE_NS


# --- the plan --------------------------------------------------------------------------


@pytest.mark.parametrize("course", COURSES, ids=["example", "trading"])
def test_a_longer_plan_begins_with_the_shorter_one_of_its_seed(course: Course) -> None:
    """Otherwise a series that goes on would not be the one that was begun."""
    short, long = plan(course, seed=7, deploys=40), plan(course, seed=7, deploys=100)
    assert long[:40] == short
    assert [strike.number for strike in long] == list(range(1, 101))
    assert plan(course, seed=8, deploys=100) != long


@pytest.mark.parametrize("course", COURSES, ids=["example", "trading"])
def test_every_fault_comes_in_every_round(course: Course) -> None:
    length = sum(course.weights.values())
    strikes = plan(course, seed=1, deploys=3 * length)
    for start in range(0, 3 * length, length):
        faults = Counter(strike.fault for strike in strikes[start : start + length])
        assert faults == Counter(course.weights)
    wanted = set(Fault) - (MISLEADING if course is TRADING else set())
    assert set(course.weights) == wanted


def test_a_thousand_deploys_aim_at_every_place_often_enough() -> None:
    """Aims miss; twenty hits of each place need more than twenty aims."""
    strikes = plan(EXAMPLE, seed=3, deploys=1000)
    aimed = Counter(strike.place for strike in strikes if strike.fault is Fault.OWNER_KILL)
    assert set(aimed) == set(Place)
    assert min(aimed.values()) >= 28
    assert {strike.place for strike in strikes if strike.fault is not Fault.OWNER_KILL} == {None}


def test_a_strike_lies_within_its_course() -> None:
    for strike in plan(TRADING, seed=5, deploys=200):
        assert 0.0 <= strike.after_s <= TRADING.span_s
        assert strike.place is not Place.TAKE or strike.after_s == 0.0
        assert strike.pause_s in TRADING.pauses_s
        assert 0.0 <= strike.share <= 1.0


def test_every_fault_says_how_its_deploy_may_end() -> None:
    assert set(ALLOWED) == set(Fault)
    assert all("permanent" not in ALLOWED[fault] for fault in RELEASE_FAULTS)


# --- the deploys -----------------------------------------------------------------------


def deployed(fault: Fault, outcome: str, *struck: dict[str, object]) -> Deployed:
    return Deployed(1, fault.value, "", "r", outcome, "why", 1.0, list(struck), [])


def test_a_deploy_that_ends_otherwise_than_its_fault_accounts_for_is_named() -> None:
    fine = deployed(Fault.IMPORT_FAILS, "refused")
    assert unexpected_in([fine, deployed(Fault.OWNER_KILL, "returned")]) == []
    found = unexpected_in([deployed(Fault.NONE, "refused"), fine])
    assert found == ["1 none: refused why"]


def test_a_copy_that_was_not_refused_is_named() -> None:
    """Its deploy ends well all the same: who looks at outcomes alone never hears of it."""
    kept = deployed(Fault.COPIED, "permanent", {"whom": "copy", "signal": "refused"})
    ran = deployed(Fault.COPIED, "permanent", {"whom": "copy", "signal": "not refused: it runs"})
    assert unexpected_in([kept]) == []
    assert unexpected_in([kept, ran]) == [f"1 {Fault.COPIED}: not refused: it runs"]


OF_RELEASE = [each for each in Fault if text_of(each, name="Chained", period_s=0.5)]


@pytest.mark.parametrize("fault", OF_RELEASE)
def test_what_breaks_a_release_is_python_unless_its_fault_is_that_it_is_not(fault: Fault) -> None:
    """A slip in such a text would refuse the release at import, and its own fault never come."""
    text = Path(chained.__file__).read_text("utf-8") + text_of(fault, name="Chained", period_s=0.5)
    if fault is Fault.SYNTAX_ERROR:
        with pytest.raises(SyntaxError):
            compile(text, "chained.py", "exec")
    else:
        compile(text, "chained.py", "exec")


def test_every_fault_of_a_release_has_a_text() -> None:
    assert set(OF_RELEASE) >= RELEASE_FAULTS | {Fault.CLOCK_JUMP, Fault.FORK}


def test_only_a_killed_worker_counts_as_dead() -> None:
    def blow(whom: str, signal: str) -> dict[str, object]:
        return {"whom": whom, "signal": signal, "pid": 1, "start_ticks": 2, "at_ns": 3}

    done = deployed(
        Fault.BOTH_KILL,
        "refused",
        blow("owner", "SIGKILL"),
        blow("candidate", "SIGKILL"),
        blow("owner", "SIGSTOP"),
        blow("launcher", "SIGKILL"),
    )
    assert deaths_in([done]) == [Death(1, 2, 3), Death(1, 2, 3)]


# --- the places of death ---------------------------------------------------------------


def death(worker: WorkerId) -> Death:
    return Death(worker.pid, worker.start_ticks, AT_NS)


def said(kind: str, cycle: int, by: WorkerId = A, at_ns: int = AT_NS) -> Report:
    return Report(kind, cycle, by.pid, by.release, at_ns)


def place(store: MemoryStore, *reports: Report, of: WorkerId = A) -> Place | None:
    return places_of([death(of)], reports, store.journal())[0]


def owned() -> MemoryStore:
    store = memory_store()
    started(store)
    return store


def decided() -> MemoryStore:
    store = owned()
    store.transact(deciding(effect()), note("decide"))
    return store


def test_an_owner_dies_where_its_last_sign_says() -> None:
    owning, settled = owned(), decided()
    settled.transact(settle, note("settle"))
    assert place(owning) is Place.TAKE
    assert place(owning, said("observe", 11)) is Place.OBSERVE
    assert place(owning, said("observe", 11), said("decide", 11)) is Place.DECIDE
    assert place(owning, said("decided", 11), said("decide", 11)) is Place.COMMIT
    assert place(decided(), said("decided", 11)) is Place.PERFORM
    assert place(decided(), said("perform", 11)) is Place.PERFORM
    assert place(decided(), said("performed", 11)) is Place.SETTLE
    assert place(settled, said("performed", 11)) is Place.IDLE
    assert place(settled, said("observe", 12)) is Place.OBSERVE


def test_who_never_owned_died_in_no_place() -> None:
    assert place(decided(), said("observe", 11, B), of=B) is None


def test_the_signs_of_another_process_or_another_life_are_not_its_own() -> None:
    owning = owned()
    assert place(owning, said("observe", 11, B)) is Place.TAKE
    assert place(owning, said("observe", 11, at_ns=AT_NS - LIFE_NS)) is Place.TAKE
    assert place(owning, said("observe", 11, at_ns=AT_NS + AFTER_NS)) is Place.TAKE


def test_a_standby_that_dies_before_it_finished_what_it_found_died_in_its_take() -> None:
    store = decided()
    store.transact(lambda record: seize(record, B), note("seize"))
    assert place(store, of=B) is Place.TAKE
    assert place(store, said("performed", 11, B), of=B) is Place.SETTLE
    store.transact(settle, note("settle"))
    assert place(store, of=B) is Place.IDLE


# --- cycles that were cut short --------------------------------------------------------


def began(cycle: int, pid: int, release: str = "r", at_ns: int = AT_NS) -> Report:
    return Report("observe", cycle, pid, release, at_ns)


def doubled(
    *reports: Report, deaths: list[Death], deciders: dict[int, int], faulty: str = ""
) -> tuple[int, ...]:
    told = marked(reports, deaths=deaths, faulty={faulty}, deciders=deciders)
    return count_cycles(told, first=1, last=2, ended=ENDED).doubled


def test_what_a_killed_owner_only_began_may_be_run_by_another() -> None:
    again = (began(1, 7), began(2, 7), began(2, 8))
    by_eight = {1: 7, 2: 8}
    assert doubled(*again, deaths=[Death(7, 0, AT_NS)], deciders=by_eight) == ()
    assert doubled(*again, deaths=[], deciders=by_eight) == (2,)


def test_what_a_killed_owner_had_decided_must_not_be_run_again() -> None:
    again = (began(1, 7), began(2, 7), began(2, 8))
    assert doubled(*again, deaths=[Death(7, 0, AT_NS)], deciders={1: 7, 2: 7}) == (2,)


def test_only_the_last_cycle_before_its_death_is_forgiven() -> None:
    twice = (began(1, 7), began(1, 8), began(2, 7))
    assert doubled(*twice, deaths=[Death(7, 0, AT_NS)], deciders={1: 8, 2: 7}) == (1,)
    # Another process had this pid long before.
    long_ago = (began(1, 7, at_ns=AT_NS - LIFE_NS), began(1, 8), began(2, 8))
    assert doubled(*long_ago, deaths=[Death(7, 0, AT_NS)], deciders={1: 8, 2: 8}) == (1,)


def test_a_release_that_was_made_to_fail_did_not_run_its_cycle() -> None:
    failed = (began(1, 7), began(2, 8, "bad"), began(2, 7))
    assert doubled(*failed, deaths=[], deciders={1: 7, 2: 7}, faulty="bad") == ()
    assert doubled(*failed, deaths=[], deciders={1: 7, 2: 7}, faulty="other") == (2,)
    # By the journal it ran the cycle all the same.
    assert doubled(*failed, deaths=[], deciders={1: 7, 2: 8}, faulty="bad") == (2,)


def test_the_journal_says_who_decided_and_whom_the_engine_killed() -> None:
    store = owned()
    run_cycles(store)
    store.transact(lambda record: take(record, B, of=0), note("take"))
    run_cycles(store)
    overdue = {"proof": "overdue", "old_pid": B.pid, "old_start_ticks": 7}
    store.transact(lambda record: seize(record, A), note("seize", evidence=overdue))
    lines = store.journal()
    assert deciders_in(lines) == {11: A.pid, 12: B.pid}
    assert [(each.pid, each.start_ticks) for each in killed_as_overdue(lines)] == [(B.pid, 7)]


def test_a_cycle_that_began_before_it_was_due_is_named() -> None:
    """Every cycle is run once all the same where a false clock is believed for a second."""
    due = began(3, 7, at_ns=300)
    assert (
        early_in([began(2, 7, at_ns=200), due, said("perform", 3, at_ns=299)], period_ns=100) == []
    )
    assert early_in([due, began(4, 7, at_ns=399), began(4, 8, at_ns=400)], period_ns=100) == [4]


# --- doubtful effects ------------------------------------------------------------------


def test_a_doubt_lasts_from_its_settle_to_the_one_with_the_receipt() -> None:
    store = owned()
    store.transact(deciding(effect("lost"), effect("known")), note("decide"))
    doubtful: Fates = {"lost": Fate.DOUBTFUL, "known": receipt("known")}
    store.transact(lambda record: settle(record, doubtful), note("settle"))
    run = store.journal
    assert fates_in(run()).outcomes == {"confirmed": 1}
    assert [(doubt.effect_id, doubt.cycles) for doubt in fates_in(run()).doubts] == [("lost", None)]
    store.transact(deciding(), note("decide"))
    store.transact(lambda record: settle(record, {"lost": Fate.DOUBTFUL}), note("settle"))
    store.transact(deciding(), note("decide"))
    store.transact(lambda record: settle(record, {"lost": receipt("lost")}), note("settle"))
    store.transact(lambda record: take(record, B), note("take"))  # it carries the receipts along
    found = fates_in(run())
    assert found.outcomes == {"confirmed": 2}
    assert [(doubt.since_cycle, doubt.proven_cycle) for doubt in found.doubts] == [(11, 13)]
    assert found.doubts[0].cycles == 2


# --- notes and the witness's file ------------------------------------------------------


def test_a_note_that_a_kill_cut_short_never_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    assert notes_in(path) == []
    write_note(path, {"number": 1})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"number": 2')
    assert notes_in(path) == [{"number": 1}]
    write_note(path, {"number": 3})
    assert notes_in(path) == [{"number": 1}, {"number": 3}]


def test_the_end_of_a_witness_s_file_says_what_was_carried_out_last(tmp_path: Path) -> None:
    path = tmp_path / "witness.jsonl"
    assert newest_performed(path) == 0
    reporter = Reporter(path)
    for cycle in range(101, 1501):  # more than is looked at
        reporter.report(said("observe", cycle))
        reporter.report(said("perform", cycle))
    reporter.report(said("observe", 1501))
    reporter.close()
    assert newest_performed(path) == 1500
    assert was_performed(path, 101)
    assert was_performed(path, 1500)
    assert not was_performed(path, 1501)
    assert not was_performed(path, 15)
