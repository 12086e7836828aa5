"""What can be seen of a worker: whose lock it holds, and on which machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from handoff import life_lock
from handoff.errors import HomeCopied, OwnerUnproven
from handoff.life_signs import look, machine_id, open_lock, this_side
from handoff.liveness import HOME, Lock, Process, Seen, Side
from handoff.processes import HAS_PIDFD, Identity, identity_of
from handoff.worker.hosts import MOVED, VOLUME, LocalHosts, refuse_doubtful
from state.record import WorkerId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MACHINE = "0123456789abcdef" * 2
seeing = pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home in which this process is the worker `a1`."""
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    descriptor = life_lock.hold(home, "a1")
    assert descriptor is not None
    yield home
    os.close(descriptor)


def me() -> Identity:
    found = identity_of(os.getpid())
    assert found is not None
    return found


def inode(home: Path) -> int:
    return (home / "run" / "lives" / "a1").stat().st_ino


def worker(home: Path, **changes: object) -> WorkerId:
    fields = me()._asdict() | {"machine": MACHINE, "lock": inode(home)} | changes
    return WorkerId(worker="a1", host="any", release="r1", **fields)


def copy_of(home: Path) -> Path:
    copy = home.with_name("copy")
    shutil.copytree(home, copy, dirs_exist_ok=True)
    return copy


@seeing
def test_a_worker_holds_the_lock_of_its_own_home_and_of_no_copy(home: Path) -> None:
    """The copy's record names a process that lives; only the open lock tells whose it is."""
    assert open_lock(home, os.getpid(), "a1") == HOME
    assert open_lock(copy_of(home), os.getpid(), "a1") == str(home)
    assert open_lock(home, os.getpid(), "b2") == ""


@seeing
def test_a_home_that_was_renamed_is_the_same_home(home: Path) -> None:
    renamed = home.rename(home.with_name("renamed"))
    assert open_lock(renamed, os.getpid(), "a1") == HOME


@seeing
def test_a_lock_whose_file_was_replaced_is_not_this_homes(home: Path) -> None:
    """The home was removed and restored in its place, and the owner did not notice."""
    path = home / "run" / "lives" / "a1"
    path.unlink()
    path.touch()
    assert open_lock(home, os.getpid(), "a1") == str(home)


@seeing
def test_the_process_is_looked_at_in_its_own_namespace_alone(home: Path) -> None:
    here = this_side()
    assert look(home, "a1", me(), inode(home), here) == Seen(Process.RUNS, HOME, Lock.HELD)
    elsewhere = here._replace(pid_namespace="pid:[1]")
    assert look(home, "a1", me(), inode(home), elsewhere) == Seen(lock=Lock.HELD)


def test_a_machine_id_that_the_next_boot_will_not_have_is_none(tmp_path: Path) -> None:
    """It would make every boot another machine, which needs an operator."""
    root = str(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "run").mkdir()
    assert machine_id(root) == ""
    for text in ("", "uninitialized\n", MACHINE[:-1], MACHINE.upper()):
        (tmp_path / "etc" / "machine-id").write_text(text)
        assert machine_id(root) == ""
    (tmp_path / "etc" / "machine-id").write_text(f"{MACHINE}\n")
    assert machine_id(root) == MACHINE
    (tmp_path / "run" / "machine-id").write_text(f"{MACHINE}\n")
    assert machine_id(root) == ""


def hosts(home: Path, environment: dict[str, str] | None = None, **side: str) -> LocalHosts:
    here = this_side()._replace(machine=MACHINE)._replace(**side)
    return LocalHosts(home, environment, side=lambda: here, on_network=lambda _: False)


@seeing
def test_a_copy_of_a_living_home_is_refused_with_both_paths(home: Path) -> None:
    copy = copy_of(home)
    for refused in (lambda: hosts(copy).watch(worker(home)), lambda: refuse(copy, home)):
        with pytest.raises(HomeCopied) as caught:
            refused()
        assert str(home) in str(caught.value)
        assert str(copy) in str(caught.value)
    refuse(home, home)


def refuse(home: Path, original: Path, environment: dict[str, str] | None = None) -> None:
    refuse_doubtful(hosts(home, environment), worker(original))


@seeing
def test_an_owner_of_another_home_is_neither_killed_nor_given_up(home: Path) -> None:
    """The limit passes on a copy too, and the owner that it would kill is the original's."""
    other = worker(home, boot_id="another", machine="f" * 32)
    watched = hosts(copy_of(home)).watch(other)
    assert not watched.gone()
    assert not watched.kill()
    assert watched.doubt()
    mine = hosts(home).watch(worker(home))
    assert not mine.gone()
    assert not mine.doubt()
    mine.close()


def test_a_word_is_about_one_worker_and_is_kept_as_evidence(home: Path) -> None:
    other = worker(home, boot_id="another", machine="f" * 32)
    with pytest.raises(OwnerUnproven):
        refuse_doubtful(hosts(home), other)
    with pytest.raises(OwnerUnproven):
        refuse_doubtful(hosts(home, {MOVED: "b2"}), other)
    for vouched in ({MOVED: "a1"}, {VOLUME: "exclusive"}):
        refuse_doubtful(hosts(home, vouched), other)
        watched = hosts(home, vouched).watch(other)
        assert watched.gone()
        assert watched.evidence()["moved"]


@pytest.mark.parametrize("machine", ["", MACHINE, "f" * 32])
def test_a_name_of_a_host_proves_nothing(home: Path, machine: str) -> None:
    """A changed host name after a crash once left the record without an owner for good."""
    died = Side("an earlier boot", "pid:[1]", MACHINE if machine else "")
    path = home / "run" / "lives" / "b2"
    path.touch()
    gone = WorkerId(
        worker="b2",
        host="a name that nobody has any more",
        boot_id=died.boot_id,
        pid_namespace=died.pid_namespace,
        pid=1,
        start_ticks=1,
        release="r1",
        machine=died.machine,
        lock=path.stat().st_ino,
    )
    found = hosts(home, machine=machine).watch(gone)
    assert found.gone() == (machine != "f" * 32)
