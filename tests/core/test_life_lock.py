"""The lock of a life proves a death, and nothing else does."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from handoff import life_lock
from handoff.life_lock import SWEPT_AFTER_S
from handoff.life_signs import LIVES, file_id_of, lock_state
from handoff.liveness import Lock


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def held(home: Path, worker: str, *, keep: tuple[str, ...] = ()) -> int:
    descriptor = life_lock.hold(home, worker, keep=keep)
    assert descriptor is not None
    return descriptor


def is_over(home: Path, worker: str) -> bool:
    """Judge by the file alone, as the release before this one does."""
    return lock_state(home, worker) is Lock.FREE


def test_who_holds_its_lock_lives_and_who_lost_it_is_dead(home: Path) -> None:
    descriptor = held(home, "a1")
    assert not is_over(home, "a1")
    os.close(descriptor)
    assert is_over(home, "a1")


@pytest.mark.parametrize("worker", ["b2", "", "../a1", "A1"])
def test_nothing_is_known_of_who_has_no_lock(home: Path, worker: str) -> None:
    os.close(held(home, "a1"))
    assert not is_over(home, worker)


def test_a_copy_proves_nothing(home: Path, tmp_path: Path) -> None:
    """The home was copied while it ran: the worker of the other one lives."""
    descriptor = held(home, "a1")
    shutil.copytree(home / "run", tmp_path / "copy" / "run")
    assert not is_over(tmp_path / "copy", "a1")
    os.close(descriptor)


def test_a_lock_that_says_nothing_yet_proves_nothing(home: Path) -> None:
    (home / "run" / LIVES).mkdir()
    (home / "run" / LIVES / "a1").touch()
    assert not is_over(home, "a1")


def test_whoever_asks_leaves_the_lock_to_its_holder(home: Path) -> None:
    os.close(held(home, "a1"))
    assert is_over(home, "a1")
    descriptor = os.open(home / "run" / LIVES / "a1", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_the_dead_of_long_ago_are_swept_except_who_may_be_asked_about(home: Path) -> None:
    living = held(home, "living")
    for worker in ("owner", "gone", "fresh"):
        os.close(held(home, worker))
    for worker in ("living", "owner", "gone"):
        path = home / "run" / LIVES / worker
        past_s = path.stat().st_mtime - SWEPT_AFTER_S - 60
        os.utime(path, (past_s, past_s))
    os.close(held(home, "new", keep=("owner",)))
    left = sorted(path.name for path in (home / "run" / LIVES).iterdir())
    assert left == ["fresh", "living", "new", "owner"]
    os.close(living)


def test_a_worker_that_cannot_make_its_lock_goes_without(home: Path) -> None:
    (home / "run" / LIVES).write_text("in the way", encoding="utf-8")
    assert life_lock.hold(home, "a1") is None
    assert not is_over(home, "a1")


def test_a_lock_whose_content_finds_no_room_is_a_lock(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk has room for a name, not for a byte: the record names the file by its inode."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "pwrite", full)
    descriptor = held(home, "a1")
    inode = file_id_of(descriptor).inode
    assert lock_state(home, "a1", inode) is Lock.HELD
    os.close(descriptor)
    assert lock_state(home, "a1", inode) is Lock.FREE
    assert lock_state(home, "a1", inode + 1) is Lock.OTHER


def test_a_helper_of_a_worker_does_not_hold_its_lock(home: Path) -> None:
    """A forked helper outlives its worker, which would look alive for as long."""
    descriptor = held(home, "a1")
    (told, tell), (ended, end) = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(end)
        os.write(tell, b".")
        os.read(ended, 1)
        os._exit(0)
    os.read(told, 1)
    os.close(descriptor)
    over = is_over(home, "a1")
    for each in (told, tell, ended, end):
        os.close(each)
    os.waitpid(helper, 0)
    assert over
