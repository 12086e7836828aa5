"""What each of these tests may rely on, and what it leaves behind: no open store."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.local_store import LOCK
from tests.homes import close_opened

DESCRIPTORS = Path("/proc/self/fd")  # where the system has it
LOCKS_LEFT_MAX = 8  # of stores that a test opened itself, until they are collected


@pytest.fixture(autouse=True, scope="module")
def _no_power_is_cut() -> Iterator[None]:
    """Let nobody wait for the disk; what looks at it counts the calls, or makes them fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def _stores_are_closed() -> Iterator[None]:
    """Close the stores of a test: an ordinary user may hold 1024 descriptors for all of them."""
    yield
    close_opened()
    left = [name for name in map(_target, _descriptors()) if f"/{LOCK}" in name]
    assert len(left) <= LOCKS_LEFT_MAX, f"open the stores with tests.homes.open_store: {left}"


def _descriptors() -> list[str]:
    return os.listdir(DESCRIPTORS) if DESCRIPTORS.is_dir() else []  # noqa: PTH208 - after each test


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"{DESCRIPTORS}/{descriptor}")  # noqa: PTH115 - as above
    except OSError:
        return ""
