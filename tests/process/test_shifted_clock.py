"""A host whose wall clock is wrong by a constant: what the hosts of a cluster are tried with."""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.process import shifted_clock
from tests.process.other_hosts import PATH, Host, can_be

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not can_be(), reason="user namespaces are not permitted"),
    pytest.mark.skipif(shifted_clock.library() is None, reason=shifted_clock.ABSENT),
]
AHEAD_MS = 100_000  # so far that no slow machine looks like it
READ = """
import time
print(time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns())
time.sleep(0.01)
"""


def test_its_date_is_another_one_and_its_monotonic_clocks_are_not(tmp_path: Path) -> None:
    """By a program that the shell knows and by ours, which can still wait."""
    variables = {"PATH": PATH, **shifted_clock.VARIABLES}
    with Host(
        tmp_path / "host", "ahead", boot=str(uuid.uuid4()), machine="", clock_ms=AHEAD_MS
    ) as host:
        before_ns = _clocks()
        date = host.run("date", "+%s", variables=variables)
        read = host.run(sys.executable, "-c", READ, variables=variables)
        after_ns = _clocks()
    assert read.returncode == 0, read.stderr
    mono, boot, wall = map(int, read.stdout.split())
    ahead_ns = AHEAD_MS * 1_000_000
    assert before_ns[0] <= mono <= after_ns[0]
    assert before_ns[1] <= boot <= after_ns[1]
    assert before_ns[2] + ahead_ns <= wall <= after_ns[2] + ahead_ns
    assert int(date.stdout) >= (before_ns[2] + ahead_ns) // 1_000_000_000


def _clocks() -> tuple[int, int, int]:
    return time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
