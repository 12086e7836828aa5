"""A process killed at any moment loses no commit that it was told of, and breaks nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from state.journal_reader import verify_chain, verify_cycles
from state.local_store import read_only_snapshot
from state.record import Phase, Record, encode_record
from tests.crash.store_loop import open_store
from tests.records import empty, note, settle

ROOT = Path(__file__).resolve().parents[2]
KILLS = 30
COMMITS_MAX = 40  # before a kill; each takes about a millisecond


def killed_after(home: Path, name: str, commits: int, pause_s: float) -> list[str]:
    """Run a worker, kill it some time after so many commits; return what it acknowledged."""
    command = [sys.executable, "-m", "tests.crash.store_loop", "cycles", str(home), name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(commits)]
        time.sleep(pause_s)
        process.kill()
        told += process.stdout.readlines()
    return [line.strip() for line in told if line.endswith("\n")]


def reached(record: Record) -> tuple[int, int]:
    """How far a record got, as something that can be compared."""
    return record.progress.cycle, record.progress.phase is Phase.SETTLED


def promised(attempt: str) -> tuple[int, int]:
    kind, _, cycle = attempt.rpartition("-")
    return (int(cycle), kind == "settle") if cycle.isdigit() else (0, 0)


@pytest.mark.timeout(120)
def test_no_acknowledged_commit_is_lost_by_a_kill(tmp_path: Path) -> None:
    seed = time.time_ns()
    dice = random.Random(seed)  # noqa: S311 - moments, not secrets
    store = open_store(tmp_path)
    store.create(empty(10))
    store.close()
    for number in range(KILLS):
        commits, pause_s = dice.randrange(1, COMMITS_MAX), dice.random() * 0.003
        told = killed_after(tmp_path, f"w{number}", commits, pause_s)
        record = read_only_snapshot(tmp_path / "state")
        assert record.ownership.epoch == number + 1, f"seed {seed}"
        assert reached(record) >= max(map(promised, told)), f"seed {seed}"
        assert len(told) >= commits
        digest = encode_record(record)[1]
        verify_chain(tmp_path / "journal", digest=digest, cycle=record.progress.cycle)
    survivor = open_store(tmp_path)
    if survivor.read().progress.phase is Phase.DECIDED:
        survivor.transact(settle, note("settle"))
    record = survivor.read()
    report = verify_cycles(tmp_path / "journal")
    assert report.is_complete, f"seed {seed}: {report}"
    assert report.last == record.progress.cycle
    assert report.settled == report.decided == record.progress.cycle - 10
