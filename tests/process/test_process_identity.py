"""A pid alone names nobody: who a process is, and what proves that it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from handoff.processes import HAS_PIDFD, KILL, Identity, identity_of, proven_dead, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not HAS_PIDFD, reason="elsewhere `ps` tells when a process began"),
]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command) as process:
        yield process
        process.kill()


def identity(process: subprocess.Popen[bytes]) -> Identity:
    found = identity_of(process.pid)
    assert found is not None
    return found


@pytest.mark.parametrize("member", ["start_ticks", "boot_id"])
def test_a_stranger_who_got_the_pid_of_a_dead_process_is_not_signalled(
    child: subprocess.Popen[bytes], member: str
) -> None:
    """A stale pid file and a reboot: whoever has the number now has nothing to do with us."""
    living = identity(child)
    stale = {
        "start_ticks": living._replace(start_ticks=living.start_ticks - 1),
        "boot_id": living._replace(boot_id="another boot"),
    }[member]
    assert watch(stale) is None
    assert proven_dead(stale)
    assert not proven_dead(living)
    watched = watch(living)
    assert watched is not None
    assert watched.send(KILL)
    assert watched.wait(30)
    watched.close()


def test_a_process_of_another_namespace_is_never_proven_dead(
    child: subprocess.Popen[bytes],
) -> None:
    """Its number means somebody else here, or nobody."""
    elsewhere = identity(child)._replace(pid_namespace="pid:[1]", start_ticks=1)
    assert not proven_dead(elsewhere)
    watched = watch(elsewhere)
    assert watched is not None
    assert not watched.gone()


def test_when_a_process_began_is_told_by_no_clock_that_can_be_set() -> None:
    """Ticks since boot: a wall clock that is set makes nobody look dead, or like another."""
    me = identity_of(os.getpid())
    assert me is not None
    booted_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    age_s = booted_s - me.start_ticks / os.sysconf("SC_CLK_TCK")
    assert 0 <= age_s < booted_s


def test_whoever_cannot_see_the_boot_id_takes_nobody_for_dead(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `/proc/sys` is hidden there is no boot id to compare, and every process seemed dead."""
    living = identity(child)
    monkeypatch.setattr("handoff.processes.boot_id", str)
    assert not proven_dead(living)
    watched = watch(living)
    assert watched is not None
    watched.close()
