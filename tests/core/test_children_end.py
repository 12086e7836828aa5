"""That a child ended well is seen and never inferred, and what cannot be watched does not run."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest

from deploy import commands
from handoff import processes
from handoff.child_signals import take_signals
from handoff.processes import identity_of, pidfds_work, proven_dead, spawn, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND_S = 30.0


@pytest.fixture
def ignoring() -> Iterator[None]:
    """Be a program whose parent ignored SIGCHLD, as some service managers do."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.fixture
def without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HAS_PIDFD", False)


def refusing(number: int) -> object:
    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.usefixtures("ignoring")
def test_a_program_that_failed_did_not_succeed_because_its_parent_ignores_children() -> None:
    """The kernel then keeps no exit status, and the library takes none for success."""
    done = commands.run(["/bin/sh", "-c", "exit 3"], limit_s=BOUND_S, environment={})
    assert done.code == 3


@pytest.mark.usefixtures("ignoring")
def test_both_programs_of_a_pair_are_seen_to_end() -> None:
    words = (["/bin/sh", "-c", "exit 3"], ["/bin/sh", "-c", "exit 4"])
    pair = commands.run_pair(*words, limit_s=BOUND_S, environments=({}, {}))
    assert [each.code for each in pair] == [3, 4]


@pytest.mark.usefixtures("ignoring")
def test_a_program_of_ours_begins_with_the_signals_that_it_relies_on() -> None:
    """Somebody may have blocked TERM for us: then nothing could stop it in order."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        take_signals()
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("call", ["pidfd_open", "pidfd_send_signal", "waitid"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EINVAL])
def test_a_system_that_refuses_one_call_is_found_out(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """A container's filter or an old kernel: the library has a call that the system has not."""
    place = signal if call == "pidfd_send_signal" else os
    monkeypatch.setattr(place, call, refusing(number))
    assert not pidfds_work()


def test_no_free_descriptor_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes; without descriptors a process would be watched worse for as long as it lives."""
    expected = pidfds_work()
    monkeypatch.setattr(os, "pidfd_open", refusing(errno.EMFILE), raising=False)
    assert expected <= pidfds_work()


@pytest.mark.skipif(not processes.HAS_PIDFD, reason="nothing is opened here")
def test_what_cannot_be_watched_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that nobody watches goes on trading when everybody believes it never began."""
    begun: list[int] = []

    def start(*arguments: object, **options: object) -> int:
        begun.append(real(*arguments, **options))  # type: ignore[arg-type]
        return begun[0]

    real = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", start)
    monkeypatch.setattr(os, "pidfd_open", refusing(errno.EMFILE))
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="Too many open files"):
            spawn(["/bin/sleep", "60"], environment={}, output=null)
    finally:
        os.close(null)
    found = os.waitid(os.P_PID, begun[0], os.WEXITED)  # returns at once, or never
    assert found is not None
    assert found.si_status == signal.SIGKILL


@pytest.mark.usefixtures("without_pidfd")
def test_without_pidfds_a_child_is_waited_for_ended_and_seen_to_end() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        watched = spawn(["/bin/sleep", "60"], environment={}, output=null)
    finally:
        os.close(null)
    assert (watched.pidfd, watched.gone()) == (None, False)
    assert not watched.wait(0.1)
    assert watched.send(signal.SIGKILL)
    assert watched.wait(BOUND_S)
    how = watched.reap()
    assert how is not None
    assert how.signal == signal.SIGKILL


@pytest.mark.usefixtures("without_pidfd")
def test_without_pidfds_what_cannot_be_seen_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hidden `/proc` beside a filter of system calls: then only a signal's answer is left."""
    identity = identity_of(os.getpid())
    assert identity is not None
    assert proven_dead(identity._replace(start_ticks=identity.start_ticks + 1))
    unseen = ["S", *["0"] * 19]
    monkeypatch.setattr(processes, "stat_fields", lambda _: unseen)
    assert not proven_dead(identity)
    assert watch(identity) is not None
