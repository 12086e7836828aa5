"""Stores in directories of their own, and the proof of all that lies in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.journal_reader import read_lines, verify_chain, verify_cycles
from state.local_store import LocalStore, read_only_snapshot
from state.record import Record, Timeline, encode_record
from tests.records import APP, NOW_NS

if TYPE_CHECKING:
    from pathlib import Path


_opened: list[LocalStore] = []


def open_store(home: Path, **changes: object) -> LocalStore:
    """Return a store in a home; `close_opened` closes it where the test does not.

    A test that lets its process die leaves the store as it is, with a descriptor that the kernel
    would have closed.
    """
    words: dict[str, object] = {
        "app": APP,
        "timeline": Timeline(),
        "now_ns": lambda: NOW_NS,
        "force_filesystem": True,
    }
    store = LocalStore(home / "state", **(words | changes))  # type: ignore[arg-type]
    _opened.append(store)
    return store


def close_opened() -> None:
    """Close what `open_store` returned since the last call."""
    while _opened:
        _opened.pop().close()


def kinds(home: Path) -> list[str]:
    return [line.kind for line in read_lines(home / "journal")]


def segment(home: Path) -> Path:
    return home / "journal" / "000000000001.jsonl"


def prove(home: Path) -> Record:
    """Check everything on disk against everything else; return the record."""
    record = read_only_snapshot(home / "state")
    digest = encode_record(record)[1]
    verify_chain(home / "journal", digest=digest, cycle=record.progress.cycle)
    assert verify_cycles(home / "journal").is_complete
    return record
