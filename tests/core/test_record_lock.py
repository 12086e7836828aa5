"""One change after another, between processes and between threads."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from state.errors import HomeUnsuitable, LockTimeout
from state.record_lock import RecordLock

SHORT_NS = 3_000_000
LONG_NS = 10_000_000_000


def test_two_descriptors_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, two = RecordLock(path, timeout_ns=SHORT_NS), RecordLock(path, timeout_ns=SHORT_NS)
    with one.held(), pytest.raises(LockTimeout, match="was not free within 3 ms"), two.held():
        pass
    with two.held():
        pass


def test_two_threads_with_one_lock_exclude_each_other(tmp_path: Path) -> None:
    """The kernel would let both in: the lock belongs to the descriptor."""
    lock = RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    refused = []

    def other() -> None:
        try:
            with lock.held():
                pass
        except LockTimeout as error:
            refused.append(error)

    with lock.held():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_a_waiter_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, two = RecordLock(path, timeout_ns=LONG_NS), RecordLock(path, timeout_ns=LONG_NS)
    waiting, order = threading.Event(), []

    def wait() -> None:
        waiting.set()
        with two.held():
            order.append("two")

    with one.held():
        thread = threading.Thread(target=wait)
        thread.start()
        waiting.wait()
        order.append("one")
    thread.join()
    assert order == ["one", "two"]


def test_an_exception_gives_the_lock_back(tmp_path: Path) -> None:
    lock = RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    with pytest.raises(ZeroDivisionError), lock.held():
        _ = 1 / 0
    with lock.held():
        pass


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_lock_on_a_file_that_is_no_longer_there_is_no_lock(tmp_path: Path, how: str) -> None:
    path = tmp_path / "lock"
    old = RecordLock(path, timeout_ns=SHORT_NS)
    if how == "replaced":
        (tmp_path / "new").write_bytes(b"")
        (tmp_path / "new").rename(path)
    else:
        path.unlink()
    new = RecordLock(path, timeout_ns=SHORT_NS)
    with old.held(), pytest.raises(LockTimeout), new.held():
        pass


def test_a_removed_lock_file_is_made_again_by_whoever_locks_next(tmp_path: Path) -> None:
    lock = RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    (tmp_path / "lock").unlink()
    with lock.held():
        assert (tmp_path / "lock").exists()


def test_a_lock_file_that_is_replaced_again_and_again_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = RecordLock(tmp_path / "lock", timeout_ns=LONG_NS)
    root = Path("/").stat()
    monkeypatch.setattr(Path, "stat", lambda _: root)
    with pytest.raises(LockTimeout), lock.held():
        pass


def test_no_child_inherits_the_lock(tmp_path: Path) -> None:
    lock = RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    descriptor = lock._descriptor  # noqa: SLF001 - the flag is all there is to see
    assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_a_closed_lock_is_free_and_cannot_be_taken(tmp_path: Path) -> None:
    lock = RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    lock.close()
    with pytest.raises(AssertionError, match="closed"), lock.held():
        pass
    with RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS).held():
        pass


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HomeUnsuitable):
        RecordLock(tmp_path / "lock", timeout_ns=SHORT_NS)
    assert not (tmp_path / "elsewhere").exists()


def forked_helper() -> tuple[int, int]:
    """Fork a helper that lives until its pipe is closed; return its pid and the pipe's end."""
    reading, writing = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    return helper, writing


def end_helper(helper: int, pipe: int) -> None:
    os.close(pipe)
    os.waitpid(helper, 0)


def test_a_forked_helper_that_outlives_the_holder_holds_nothing(tmp_path: Path) -> None:
    """An owner was killed inside a commit: nobody could commit until its helper was killed too."""
    path = tmp_path / "lock"
    one, two = RecordLock(path, timeout_ns=SHORT_NS), RecordLock(path, timeout_ns=1000 * SHORT_NS)
    with one.held():
        helper = forked_helper()
        one.close()  # as the kernel does when a process dies
    refused = False
    try:
        with two.held():
            pass
    except LockTimeout:
        refused = True
    end_helper(*helper)
    assert not refused


def test_a_forked_helper_does_not_give_up_the_lock_of_its_parent(tmp_path: Path) -> None:
    """Unlocked in the child, it would be free in the parent, in the middle of a commit."""
    path = tmp_path / "lock"
    one, two = RecordLock(path, timeout_ns=SHORT_NS), RecordLock(path, timeout_ns=SHORT_NS)
    with one.held():
        end_helper(*forked_helper())
        with pytest.raises(LockTimeout), two.held():
            pass
    with two.held():
        pass
