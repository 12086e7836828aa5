"""A process that is stopped in the middle of a commit holds the lock until it is gone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from state.errors import LockTimeout
from state.local_store import LOCK
from state.record_lock import RecordLock
from tests.crash.store_loop import open_store
from tests.records import empty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Path]:
    """Return the home of a record whose lock somebody holds and does not give back."""
    open_store(tmp_path).create(empty())
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with RecordLock(tmp_path / "state" / LOCK, timeout_ns=10**9).held():
            taken.set()
            over.wait(50)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    yield tmp_path
    over.set()
    thread.join()


def test_a_record_is_read_while_its_lock_is_held_for_ever(stuck: Path) -> None:
    """Otherwise nobody could ever find out that its owner is overdue, and end it."""
    assert open_store(stuck).read() == empty()


def test_a_damaged_record_is_not_read_beside_the_lock(stuck: Path) -> None:
    """To bring it back something has to be written, and that needs the lock."""
    path = stuck / "state" / "record.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(LockTimeout):
        open_store(stuck).read()
