"""Workers that end although nobody asked them to, or do not end although they said so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bench.installation import is_alive
from handoff.limits import LOG_BYTES_MAX, LOGS_OF_A_CHILD_MAX, STARTS_MAX
from handoff.rollout.table import Phase
from tests.process.hurt import ENTRY, Hurt, verify_nothing_lost

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

WATCHED_S = 8.0


def test_a_release_that_exits_with_0_in_its_bake_gives_way_to_the_previous_one(
    tmp_path: Path,
) -> None:
    """It was started again and again, and the bake never ended."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        deploy = hurt.put(hurt.release("v1", place="decide", fault="exit"), bake=3)
        assert deploy.phase is Phase.RETURNED, deploy
        hurt.wait_cycles(2)
        assert hurt.version() == "v0"


def test_a_first_release_that_exits_with_0_is_started_at_a_rate(tmp_path: Path) -> None:
    """It was started seven times a second, with a log file each."""
    with Hurt(tmp_path) as hurt:
        hurt.launcher = hurt.run(hurt.release("v0", place="import", fault="exit"), ENTRY)
        hurt.wait(lambda: len(logs(hurt)) > 1, "a second start")
        time.sleep(WATCHED_S)
        assert 2 < len(logs(hurt)) <= STARTS_MAX


FLOOD = """
import sys
import threading
import time


def flood():
    while True:
        sys.stderr.write("x" * 8000 + "\\n")
        sys.stderr.flush()
        time.sleep(0.0003)  # about 20 MB a second


threading.Thread(target=flood, daemon=True).start()
"""


def test_a_worker_that_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    """One left 220 MB in 12 seconds; it works on, and its last words are there."""
    with Hurt(tmp_path) as hurt:
        hurt.start(adding(hurt, "v0", FLOOD), ENTRY)
        until_s, largest = time.monotonic() + WATCHED_S, 0
        while time.monotonic() < until_s:
            largest = max([largest, *(path.stat().st_size for path in logs(hurt))])
            time.sleep(0.01)
        assert 0 < largest <= LOG_BYTES_MAX
        assert hurt.down() == 0
        assert len(logs(hurt)) <= LOGS_OF_A_CHILD_MAX
        assert logs(hurt)[-1].stat().st_size > 0


ENDLESS = """
import threading
import time

threading.Thread(target=time.sleep, args=(3600,)).start()
"""


def test_a_worker_that_said_that_it_leaves_and_does_not_end_is_ended_and_counts_as_nobody(
    tmp_path: Path,
) -> None:
    """A thread of its own keeps it: one stayed for each deploy, and passed for a standby."""
    with Hurt(tmp_path) as hurt:
        hurt.start(adding(hurt, "v0", ENDLESS), ENTRY)
        old = hurt.the_owner()
        deploy = hurt.put(hurt.release("v1"), bake=1)
        assert deploy.phase is Phase.PERMANENT, deploy
        hurt.wait(lambda: stopping(hurt, old.pid), "its last word")
        assert is_alive(old), "its thread keeps it"
        hurt.wait_other_owner(hurt.kill_owner())
        assert hurt.the_owner() != old
        hurt.wait(lambda: not is_alive(old), "its end")
        verify_nothing_lost(hurt)


def stopping(hurt: Hurt, pid: int) -> bool:
    return any(
        int(child["pid"]) == pid and child["stopping_s"] is not None for child in hurt.children()
    )


def adding(hurt: Hurt, version: str, text: str) -> Path:
    """Return the tree of a release whose module does something besides."""
    tree = hurt.release(version)
    module = tree / "faulty_worker.py"
    module.write_text(module.read_text("utf-8") + text, encoding="utf-8")
    return tree


def logs(hurt: Hurt) -> list[Path]:
    return sorted((hurt.home / "logs").glob("worker-*.log"))
