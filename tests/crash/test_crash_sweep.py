"""Whatever one system call of a commit does, nothing is torn, lost or doubled.

A sample of the points that `make crash` tries, on real processes under strace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash import sweep
from tests.crash.__main__ import recovery_points, run_points, sampled, totals
from tests.crash.judge import judge
from tests.crash.sweep import STEPS, Sweep, Trial
from tests.crash.victim import Victim, genesis, open_store
from tests.put_back import WAYS
from tests.records import worker

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 40
SAMPLE_RECOVERIES = 20
SAMPLE_PUT_BACKS = 18
pytestmark = pytest.mark.timeout(180)


@pytest.mark.slow
def test_a_fault_at_any_call_tears_loses_and_doubles_nothing(tmp_path: Path) -> None:
    reason = sweep.why_impossible()
    if reason:
        pytest.skip(reason)
    sweeper = Sweep(tmp_path)
    points = [point for step in STEPS for point in sweeper.points(step)]
    assert {point.fault for point in points} == set(sweep.FAULTS)
    trials = run_points(sweeper, sampled(points, SAMPLE), keep=True)
    again = recovery_points(sweeper, trials)
    trials += run_points(sweeper, sampled(again, SAMPLE_RECOVERIES))
    assert [each for each in trials if not each.is_clean] == []
    found = totals(trials)
    assert found["points"] == SAMPLE + SAMPLE_RECOVERIES
    assert (found["torn"], found["lost"], found["doubled"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_record_put_back_after_a_kill_at_any_call_tears_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """Six ways of putting one back; an older runbook advised the first of them."""
    reason = sweep.why_impossible()
    if reason:
        pytest.skip(reason)
    sweeper = Sweep(tmp_path)
    points = [point for step in sweep.PUT_BACK_STEPS for point in sweeper.points(step)]
    put_backs = sampled(sweeper.put_backs(points), SAMPLE_PUT_BACKS)
    assert {each.put_back for each in put_backs} == set(WAYS)
    trials = run_points(sweeper, put_backs)
    assert [each for each in trials if not each.is_clean] == []
    assert len(trials) == SAMPLE_PUT_BACKS


def test_a_victim_that_is_killed_is_seen_to_be(tmp_path: Path) -> None:
    """A sweep whose faults never strike would find nothing wrong for ever."""
    reason = sweep.why_impossible()
    if reason:
        pytest.skip(reason)
    sweeper = Sweep(tmp_path)
    points = sweeper.points("decide")
    last = [each for each in points if each.fault == "KILL" and '"end' in each.where]
    renamed = [each for each in points if each.fault == "KILL" and "record.json.new" in each.where]
    assert all(isinstance(each, Trial) and each.struck for each in run_points(sweeper, last))
    trials = run_points(sweeper, renamed, keep=True)
    assert all(each.is_clean for each in trials)
    assert len({sweep.fingerprint(each.wreck) for each in trials if each.wreck}) > 1


@pytest.mark.parametrize("what", ["torn", "lost", "doubled"])
def test_the_verdict_can_be_bad(tmp_path: Path, what: str) -> None:
    """A judge that finds nothing in a bad home would find nothing anywhere."""
    home, acks = tmp_path / "home", tmp_path / "acks"
    home.mkdir()
    store = open_store(home)
    victim = Victim(store, worker("a"), acks)
    store.create(genesis())
    record = victim.seize(store.read())
    for _ in range(3):
        record = victim.settle(victim.decide(record))
    assert judge(home, acks).is_clean
    path = home / "state" / "record.json"
    match what:
        case "torn":
            path.write_bytes(path.read_bytes()[:-9])
        case "lost":
            victim.say("done", "decide-0123456789abcdef")
        case _:
            victim.say("sent", f"order-11-{'0' * 16}")
    store.close()
    assert getattr(judge(home, acks), what)
