"""Processes that write at once write one after the other."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from state.journal_reader import read_lines, verify_chain
from tests.crash.store_loop import open_store
from tests.records import empty

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 3
COMMITS = 200


@pytest.mark.timeout(120)
def test_every_commit_of_every_process_counts_once(tmp_path: Path) -> None:
    open_store(tmp_path).create(empty())
    command = [sys.executable, "-m", "tests.crash.store_loop", "count", str(tmp_path), str(COMMITS)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    told = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    total = PROCESSES * COMMITS
    assert open_store(tmp_path).read().control.note == str(total)
    expected = [f"count-{number}" for number in range(1, total + 1)]
    assert sorted(itertools.chain(*told)) == sorted(expected)
    attempts = [line.attempt for line in read_lines(tmp_path / "journal")]
    assert attempts[1:] == expected
    assert verify_chain(tmp_path / "journal") is not None
