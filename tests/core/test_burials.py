"""What a worker left behind is ended, and nobody else."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff.launcher.burials import Burials
from handoff.limits import HELPERS_KILL_S
from handoff.processes import HAS_PIDFD, KILL, identity_of, spawn, watch
from handoff.sessions import command_of, members_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff.processes import Identity, Watched

pytestmark = pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here")

NOW_S = 1000.0
WAIT_S = 20.0

# A leader that forks one helper, says its number and ends.
FORKING = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.{handler})
helper = os.fork()
if helper == 0:
    time.sleep(120)
    os._exit(0)
os.write(1, b"%d\\n" % helper)
"""


def dead_leader(handler: str) -> tuple[Watched, Watched]:
    """Return a leader that is dead and not reaped, and the helper that it left."""
    reading, writing = os.pipe()
    try:
        argv = [sys.executable, "-c", FORKING.format(handler=handler)]
        leader = spawn(argv, environment={}, output=writing)
    finally:
        os.close(writing)
    assert select.select([reading], [], [], WAIT_S)[0], "the helper never began"
    identity = identity_of(int(os.read(reading, 32)))
    os.close(reading)
    assert identity is not None
    helper = watch(identity)
    assert helper is not None
    assert leader.wait(WAIT_S)
    return leader, helper


@pytest.fixture
def obedient() -> Iterator[tuple[Watched, Watched]]:
    leader, helper = dead_leader("SIG_DFL")
    yield leader, helper
    helper.send(KILL)
    helper.close()


@pytest.fixture
def stubborn() -> Iterator[tuple[Watched, Watched]]:
    leader, helper = dead_leader("SIG_IGN")
    yield leader, helper
    helper.send(KILL)
    helper.close()


def is_reaped(leader: Identity) -> bool:
    try:
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return not Path(f"/proc/{leader.pid}").exists()


def test_a_helper_is_asked_to_end_and_its_worker_reaped_after_it(
    obedient: tuple[Watched, Watched],
) -> None:
    """It went on with all that its worker had: sockets, files, a venue's session."""
    leader, helper = obedient
    identity, burials = leader.identity, Burials()
    burials.begin(leader, NOW_S)
    assert burials.is_leader(identity.pid)
    assert helper.wait(WAIT_S)
    burials.go_on(NOW_S)
    assert is_reaped(identity)
    assert burials.next_look_s(NOW_S) is None


def test_a_helper_that_does_not_end_is_killed_before_its_worker_is_reaped(
    stubborn: tuple[Watched, Watched],
) -> None:
    """Once the leader is reaped the number of its session may be a stranger's."""
    leader, helper = stubborn
    identity, burials = leader.identity, Burials()
    burials.begin(leader, NOW_S)
    burials.go_on(NOW_S + HELPERS_KILL_S - 0.1)
    assert not helper.gone()
    assert not is_reaped(identity)
    burials.go_on(NOW_S + HELPERS_KILL_S)
    assert helper.wait(WAIT_S)
    assert not is_reaped(identity)
    burials.go_on(NOW_S + HELPERS_KILL_S)
    assert is_reaped(identity)


def test_of_who_ended_unseen_only_what_has_its_command_is_ended(
    obedient: tuple[Watched, Watched],
) -> None:
    """Its launcher ended with it; the number of its session may be a stranger's by now."""
    leader, helper = obedient
    leader.reap()
    burials, command = Burials(), command_of(helper.identity.pid)
    burials.begin_unseen(leader.identity, [*command, "--of-a-stranger"], NOW_S)
    assert burials.next_look_s(NOW_S) is None
    assert not helper.wait(0.2)
    burials.begin_unseen(leader.identity, command, NOW_S)
    assert helper.wait(WAIT_S)
    assert not burials.is_leader(leader.identity.pid), "it is nobody's to reap"


def test_whoever_began_before_the_leader_is_none_of_its_session(
    stubborn: tuple[Watched, Watched],
) -> None:
    """The number of an adopted worker may have been given to somebody else meanwhile."""
    leader, helper = stubborn
    later = leader.identity._replace(start_ticks=helper.identity.start_ticks + 1)
    assert members_left(later) == []
    found = members_left(leader.identity)
    assert [each.identity for each in found] == [helper.identity]
    for each in found:
        each.close()
    leader.reap()
    leader.close()


def test_a_session_whose_number_a_living_process_has_is_left_alone() -> None:
    session = os.getsid(0)
    living = identity_of(session) or identity_of(os.getpid())
    assert living is not None
    assert members_left(living) == []
