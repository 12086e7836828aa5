"""A launcher adopts what belongs to the home that it holds: what it adopts it may end."""

from __future__ import annotations

import os
import selectors
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff.launcher.children import Children
from handoff.launcher.locks import take_home
from handoff.launcher.supervision import Child, Role
from handoff.life_signs import file_id_of
from handoff.processes import HAS_PIDFD, KILL, identity_of, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here")


@pytest.fixture
def child_pid() -> Iterator[int]:
    with Path(os.devnull).open("w") as output:
        child = spawn(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            environment={},
            output=output.fileno(),
        )
    yield child.identity.pid
    child.send(KILL)
    child.wait(10)
    child.reap()
    child.close()


def written_by_a_launcher(home: Path, role: Role, pid: int) -> None:
    """Leave the table of a launcher that had this process for a child and is gone."""
    (home / "run").mkdir(parents=True)
    lock = take_home(home)
    with selectors.DefaultSelector() as selector:
        identity = identity_of(pid)
        assert identity is not None
        children = Children(home, selector, file_id_of(lock))
        assert children.adopt(Child("one", role), identity) is not None
    os.close(lock)


def adopted_in(home: Path) -> tuple[list[str], dict[str, str]]:
    lock = take_home(home)
    with selectors.DefaultSelector() as selector:
        adopted, left = Children(home, selector, file_id_of(lock)).adopt_recorded()
    os.close(lock)
    return [running.child.name for running in adopted], left


@pytest.mark.parametrize("role", [Role.COMPANION, Role.JOB, Role.STANDBY])
def test_companions_of_the_original_are_not_adopted_by_a_copy(
    tmp_path: Path, role: Role, child_pid: int
) -> None:
    """Its page, its deployer, a worker that is just starting: the copy's launcher ended them."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    written_by_a_launcher(home, role, child_pid)
    shutil.copytree(home, copy)
    adopted, left = adopted_in(copy)
    assert adopted == []
    assert "another lock" in left["one"]
    assert adopted_in(home) == (["one"], {})


def test_a_table_of_the_release_before_this_one_is_believed(tmp_path: Path, child_pid: int) -> None:
    """It names no lock; its children would be started a second time."""
    home = tmp_path / "home"
    written_by_a_launcher(home, Role.COMPANION, child_pid)
    path = home / "run" / "launcher.json"
    text = path.read_text()
    path.write_text(text.replace('"lock"', '"former"'))
    assert adopted_in(home) == (["one"], {})
