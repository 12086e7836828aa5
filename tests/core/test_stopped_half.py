"""What counts as stopped: nobody decides any more, and not only that nobody answers.

Whoever reads "stopped" walks away. A launcher that was killed while it drained leaves an owner that
trades on, and one whose queue is full answers nobody and runs.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from handoff.commands.looking import has_stopped
from handoff.errors import NotRunning, StoppedHalf, WireBroken
from handoff.processes import identity_of
from handoff.rollout import launcher_client
from handoff.rollout.launcher_client import LauncherClient
from state.local_store import LocalStore
from state.record import Ownership, Progress, Record, Timeline, WorkerId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_NS = 1_800_000_000 * 10**9


def owned_by(home: Path, pid: int, *, later_ticks: int = 0) -> None:
    """Let the record name a process as its owner."""
    found = identity_of(pid)
    assert found is not None
    owner = WorkerId(
        worker="a",
        host=socket.gethostname(),
        boot_id=found.boot_id,
        pid_namespace=found.pid_namespace,
        pid=pid,
        start_ticks=found.start_ticks + later_ticks,
        release="r1",
    )
    store = LocalStore(
        home / "state",
        app="demo",
        timeline=Timeline(),
        now_ns=lambda: NOW_NS,
        force_filesystem=True,
    )
    owned = Ownership(epoch=1, owner=owner, last_owner=owner)
    store.create(Record(app="demo", progress=Progress(cycle=7), ownership=owned))
    store.close()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Path]:
    """Return a home whose launcher lets nobody in."""
    (tmp_path / "run").mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(tmp_path / "run", os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{directory}/control.sock")
    listener.listen(0)
    waiting = LauncherClient(tmp_path)  # it has the one place
    yield tmp_path
    waiting.__exit__()
    listener.close()
    os.close(directory)


def test_a_launcher_that_ended_before_its_owner_has_not_stopped(tmp_path: Path) -> None:
    owned_by(tmp_path, os.getpid())
    with pytest.raises(StoppedHalf, match=f"pid {os.getpid()} goes on without one"):
        has_stopped(tmp_path, NOW_NS)


def test_with_its_owner_gone_it_has_stopped(tmp_path: Path) -> None:
    """Its number is another process's by now."""
    assert has_stopped(tmp_path, NOW_NS), "nothing ever ran"
    owned_by(tmp_path, os.getpid(), later_ticks=1)
    assert has_stopped(tmp_path, NOW_NS)


def test_a_queue_that_is_full_is_no_end(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is turned away has learnt nothing: the launcher may hang, and its workers trade."""
    monkeypatch.setattr(launcher_client, "LAUNCHER_REPLY_S_MAX", 0.1)
    with pytest.raises(WireBroken, match="cannot be asked"):
        LauncherClient(queue)
    assert not has_stopped(queue, NOW_NS)


def test_where_nobody_listens_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        LauncherClient(tmp_path)
    (tmp_path / "run").mkdir()
    with pytest.raises(NotRunning):
        LauncherClient(tmp_path)
