"""The twin in memory does what the store on disk does, step for step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from state.errors import RecordForeign, RecordMissing, Refused
from state.local_store import LocalStore
from state.memory_store import MemoryStore, Moment
from state.record import Record, Timeline
from tests.records import (
    APP,
    NOW_NS,
    B,
    deciding,
    empty,
    memory_store,
    miss,
    note,
    run_cycles,
    seize,
    settle,
    started,
    take,
    worker,
)

if TYPE_CHECKING:
    from pathlib import Path

    from state.store import Change, Store

JOURNEY: list[tuple[str, Change]] = [
    ("decide", deciding()),
    ("settle", settle),
    ("miss", miss),
    ("take", lambda record: take(record, B)),
    ("decide", deciding()),
    ("seize", lambda record: seize(record, worker("a2", "r1"))),
    ("settle", settle),
]


def test_the_journal_is_that_of_the_store_on_disk(tmp_path: Path) -> None:
    disk = LocalStore(
        tmp_path / "state",
        app=APP,
        timeline=Timeline(),
        now_ns=lambda: NOW_NS,
        force_filesystem=True,
    )
    memory = memory_store()
    stores: list[Store] = [disk, memory]
    for store in stores:
        run_cycles(started(store), 60)
        for kind, step in JOURNEY:
            store.transact(step, note(kind))
    written = (tmp_path / "journal" / "000000000001.jsonl").read_bytes()
    assert b"".join(memory.lines) == written
    assert memory.data == (tmp_path / "state" / "record.json").read_bytes()
    disk.close()
    memory.close()


def test_nothing_is_there_before_the_first_record() -> None:
    store = memory_store()
    assert store.token() is None
    for use in (store.read, lambda: store.transact(settle, note("settle"))):
        with pytest.raises(RecordMissing):
            use()
    assert store.create(empty(10)) == empty(10)
    assert store.create(empty(99)) == empty(10)


def test_a_refusal_and_an_unchanged_record_write_nothing() -> None:
    store = memory_store()
    started(store)
    token, lines = store.token(), list(store.lines)
    with pytest.raises(Refused):
        store.transact(settle, note("settle"))
    assert store.transact(lambda record: record, note("command")) == store.read()
    assert (store.token(), store.lines) == (token, lines)


def test_a_record_of_another_app_is_refused() -> None:
    store = memory_store()
    with pytest.raises(RecordForeign):
        store.create(replace(empty(), app="other"))
    started(store)
    other = MemoryStore(app="other", timeline=Timeline(), now_ns=lambda: NOW_NS)
    other.data = store.data
    with pytest.raises(RecordForeign):
        other.read()


class Killed(Exception):
    """Stands for a process that ends between two steps."""


@pytest.mark.parametrize(
    ("moment", "kinds"),
    [
        (Moment.BEFORE_JOURNAL, ["decide"]),
        (Moment.BETWEEN, ["decide"]),
        (Moment.AFTER_RECORD, ["decide"]),
    ],
)
def test_an_interrupted_commit_happened_or_did_not(moment: Moment, kinds: list[str]) -> None:
    store = memory_store()
    started(store)

    def interrupt(reached: Moment) -> None:
        if reached is moment:
            raise Killed

    store.interrupt = interrupt
    with pytest.raises(Killed):
        store.transact(deciding(), note("decide"))
    store.interrupt = lambda _: None
    happened = moment is not Moment.BEFORE_JOURNAL
    assert (store.read().progress.cycle == 11) == happened
    if not happened:
        store.transact(deciding(), note("decide"))
    store.transact(settle, note("settle"))
    assert [line.kind for line in store.journal()[2:]] == [*kinds, "settle"]


def test_a_shared_store_is_a_shared_record() -> None:
    store = memory_store()
    started(store)

    def taken(record: Record) -> Record:
        return take(record, B)

    assert store.transact(taken, note("take")) == store.read()
