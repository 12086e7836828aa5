"""What each of these tests leaves behind: no open store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from state.local_store import LOCK
from tests.homes import close_opened

DESCRIPTORS = Path("/proc/self/fd")  # where the system has it
LOCKS_LEFT_MAX = 8  # of stores that a test opened itself, until they are collected


@pytest.fixture(autouse=True)
def _stores_are_closed() -> Iterator[None]:
    """Close the stores of a test: an ordinary user may hold 1024 descriptors for all of them."""
    yield
    close_opened()
    left = [name for name in map(_target, _descriptors()) if Path(name).name.startswith(LOCK)]
    assert len(left) <= LOCKS_LEFT_MAX, f"open the stores with tests.homes.open_store: {left}"


def _descriptors() -> list[Path]:
    return list(DESCRIPTORS.iterdir()) if DESCRIPTORS.is_dir() else []


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
