"""What happens while the launcher becomes new code in the same process is not lost by it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.installation import is_alive
from handoff.launcher.self_replacement import PREFLIGHT
from tests.process.hurt import Hurt, verify_counts, verify_nothing_lost

if TYPE_CHECKING:
    import subprocess

TRIALS_MAX = 5
TRIAL_S = 3.0
CHILDREN = Path("/proc/self/task") / str(os.getpid()) / "children"
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not CHILDREN.exists(), reason="tells at once who is whose child"),
]


def stopped_trial(launcher: subprocess.Popen[bytes]) -> int:
    """Ask a launcher to replace itself; return its trial run of the new code, stopped."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    for _ in range(TRIALS_MAX):  # on a busy machine one may be over before it is seen
        launcher.send_signal(signal.SIGUSR2)
        deadline_s = time.monotonic() + TRIAL_S
        while time.monotonic() < deadline_s:
            for pid in map(int, children.read_text(encoding="ascii").split()):
                if PREFLIGHT.encode() in command_of(pid):
                    os.kill(pid, signal.SIGSTOP)
                    return pid
    pytest.fail("its trial run was never met")


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_wish_to_stop_is_not_lost_by_the_exec(tmp_path: Path) -> None:
    """An init system that asked once would wait until it loses patience and kills."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        launcher = hurt.launcher
        assert launcher is not None
        trial = stopped_trial(launcher)
        launcher.send_signal(signal.SIGTERM)
        os.kill(trial, signal.SIGCONT)
        assert launcher.wait(30) == 0, hurt.last_words()
        hurt.launcher = None
        assert hurt.workers() == []
        assert hurt.owner() is None, "drained, not killed"
        verify_counts(hurt)


def test_a_worker_that_dies_during_the_exec_is_followed_by_another(tmp_path: Path) -> None:
    """The old code does not see it any more, and the new one finds a process that is none."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        launcher = hurt.launcher
        assert launcher is not None
        trial = stopped_trial(launcher)
        owner = hurt.kill_owner()
        hurt.wait(lambda: not is_alive(owner), "its end")
        os.kill(trial, signal.SIGCONT)
        hurt.wait_other_owner(owner)
        assert "launcher_replaced" in hurt.output.read_text(encoding="utf-8")
        assert not Path(f"/proc/{owner.pid}").exists(), "reaped, though nobody started it"
        verify_nothing_lost(hurt)
