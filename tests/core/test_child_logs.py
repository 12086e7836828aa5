"""What children print is bounded while they run, and their last words stay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handoff.launcher.child_logs import ChildLogs, cut
from handoff.limits import (
    LOG_BYTES_CUT,
    LOG_BYTES_KEPT,
    LOG_LOOK_S,
    LOG_LOOK_SOON_S,
    LOGS_OF_A_CHILD_MAX,
)

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"line %09d\n"
LINE_BYTES = len(LINE % 0)


def write_lines(path: Path, number: int) -> None:
    with path.open("ab") as file:
        file.write(b"".join(LINE % each for each in range(number)))


def test_of_the_logs_of_one_child_only_the_newest_stay(tmp_path: Path) -> None:
    """A worker that ended at once left 4 390 files in half a minute."""
    logs = ChildLogs(tmp_path)
    for number in range(3 * LOGS_OF_A_CHILD_MAX):
        os.close(logs.open(f"worker-7-{number}", ()))
        os.utime(logs.path_of(f"worker-7-{number}"), ns=(number, number))
    kept = sorted(int(path.stem.rpartition("-")[2]) for path in tmp_path.glob("worker-*.log"))
    assert kept == list(range(2 * LOGS_OF_A_CHILD_MAX, 3 * LOGS_OF_A_CHILD_MAX))


def test_logs_of_others_and_of_the_living_stay(tmp_path: Path) -> None:
    logs = ChildLogs(tmp_path)
    for name in ("launcher", "page", "deploy-d1", "worker-1-1"):
        logs.path_of(name).touch()
        os.utime(logs.path_of(name), ns=(0, 0))
    living = logs.path_of("worker-1-1")
    for number in range(2 * LOGS_OF_A_CHILD_MAX):
        os.close(logs.open(f"worker-7-{number}", [living]))
    kept = list(tmp_path.glob("worker-*.log"))
    assert living in kept
    assert len(kept) == LOGS_OF_A_CHILD_MAX
    assert all(logs.path_of(name).exists() for name in ("launcher", "page", "deploy-d1"))


def test_a_log_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    write_lines(path, 1000)
    before = path.read_bytes()
    assert cut(path) == len(before)
    assert path.read_bytes() == before
    assert cut(tmp_path / "absent.log") == 0


def test_a_log_that_grew_too_large_keeps_its_last_words_and_goes_on(tmp_path: Path) -> None:
    """The child keeps its descriptor; what it prints next follows what was kept."""
    path = tmp_path / "worker.log"
    number = LOG_BYTES_CUT // LINE_BYTES + 1
    child = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        write_lines(path, number)
        kept = cut(path)
        os.write(child, b"and on\n")
    finally:
        os.close(child)
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[-1] == b"and on\n"
    assert lines[-2] == LINE % (number - 1)
    assert lines[:-1] == [LINE % each for each in range(number - len(lines) + 1, number)]
    assert LOG_BYTES_KEPT - LINE_BYTES <= kept <= LOG_BYTES_KEPT


def test_a_log_that_grows_fast_is_looked_at_again_sooner(tmp_path: Path) -> None:
    logs = ChildLogs(tmp_path)
    path = logs.path_of("worker-7-1")
    path.touch()
    logs.look([path], 100.0)
    assert logs.next_look_s == 100.0 + LOG_LOOK_S
    write_lines(path, 2 * LOG_BYTES_CUT // LINE_BYTES)
    logs.look([path], 100.0 + LOG_LOOK_S / 2)
    assert path.stat().st_size > LOG_BYTES_CUT, "it is not time yet"
    write_lines(logs.path_of("other"), 2_000_000 // LINE_BYTES)
    logs.look([path, logs.path_of("other")], 200.0)
    assert path.stat().st_size <= LOG_BYTES_KEPT
    assert logs.next_look_s == 200.0 + LOG_LOOK_SOON_S


def test_the_log_that_a_process_writes_to_already_is_its_log(tmp_path: Path) -> None:
    """Who is adopted has a name of the launcher before, and a log of that name."""
    logs = ChildLogs(tmp_path)
    assert logs.path_of_process(os.getpid(), "adopted-7-1") == logs.path_of("adopted-7-1")
