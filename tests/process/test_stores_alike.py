"""A store is a store: in memory, on a disk and in etcd the same steps leave the same behind.

Whoever owns must not be able to tell which one it has, or a rule that holds on one host would not
hold on two.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from msgspec.structs import replace

from state import transitions
from state.errors import RecordForeign, RecordMissing, Refused, StateError
from state.etcd_store import EtcdStore
from state.journal_reader import read_lines
from state.local_store import LocalStore
from state.memory_store import MemoryStore
from state.record import Record, Timeline
from tests.homes import close_opened, open_store
from tests.process.etcd_server import etcd_store
from tests.records import (
    APP,
    NOW_NS,
    B,
    deciding,
    effect,
    empty,
    miss,
    note,
    release,
    run_cycles,
    seize,
    settle,
    started,
    take,
    worker,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.journal_frames import Line
    from state.store import Change, Store

pytestmark = pytest.mark.usefixtures("patient")
JOURNEY: Final[list[tuple[str, Change]]] = [
    ("decide", deciding(effect("order-x"))),
    ("settle", settle),
    ("miss", miss),
    ("take", lambda record: take(record, B)),
    ("decide", deciding()),
    ("seize", lambda record: seize(record, worker("a2", "r1"), due=True)),
    ("settle", settle),
    ("release", release),
]


class Place:
    """One kind of store, opened as often as a test wants; all that it opens share a record."""

    def __init__(self, kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
        self.kind = kind
        self._folder = folder
        self._etcd = request.getfixturevalue("etcd") if kind == "etcd" else None
        self._memory: MemoryStore | None = None
        self._opened: list[Store] = []

    def open(self, app: str = APP, timeline: Timeline = Timeline()) -> Store:  # noqa: B008 - frozen
        if self.kind == "local":
            return open_store(self._folder, app=app, timeline=timeline)
        if self._etcd is not None:
            cluster = self._etcd.cluster(self._folder.name)
            store: Store = etcd_store(cluster, app=app, timeline=timeline)
        else:
            memory = MemoryStore(app=app, timeline=timeline, now_ns=lambda: NOW_NS)
            if self._memory is not None:
                memory.data, memory.lines = self._memory.data, self._memory.lines
                memory.last = self._memory.last
            self._memory = store = memory
        self._opened.append(store)
        return store

    def lines(self, store: Store) -> list[Line]:
        """Return the journal without what is the store's own: number and chain."""
        if isinstance(store, EtcdStore):
            found = [store.line(number) for number in range(1, store.newest_line() + 1)]
        elif isinstance(store, LocalStore):
            found = list(read_lines(self._folder / "journal"))
        else:
            assert isinstance(store, MemoryStore)
            found = store.journal()
        return [replace(line, seq=0, chain="", previous_chain="") for line in found]

    def close(self) -> None:
        for store in self._opened:
            store.close()
        close_opened()


@pytest.fixture(params=["memory", "local", "etcd"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = Place(request.param, tmp_path, request)
    yield found
    found.close()


def expected() -> tuple[Record, list[Line]]:
    """What the twin in memory makes of the journey."""
    memory = MemoryStore(app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS)
    travel(memory)
    return memory.read(), [replace(line, seq=0, chain="") for line in memory.journal()]


def travel(store: Store) -> Record:
    run_cycles(started(store), 3)
    for kind, step in JOURNEY:
        store.transact(step, note(kind))
    return store.read()


def test_the_same_steps_leave_the_same_record_and_the_same_lines(place: Place) -> None:
    store = place.open()
    record, lines = expected()
    assert travel(store) == record
    assert place.lines(store) == lines
    assert place.open().read() == record


def test_nothing_is_there_before_the_first_record_and_there_is_one_first_record(
    place: Place,
) -> None:
    store = place.open()
    for use in (store.read, lambda: store.transact(settle, note("settle"))):
        with pytest.raises(RecordMissing):
            use()
    assert store.create(empty(10)) == empty(10)
    assert store.create(empty(99)) == empty(10)
    assert [line.kind for line in place.lines(store)] == ["genesis"]


def test_a_refusal_and_an_unchanged_record_write_nothing(place: Place) -> None:
    store = place.open()
    started(store)
    before = place.lines(store)
    with pytest.raises(Refused):
        store.transact(settle, note("settle"))
    assert store.transact(lambda record: record, note("command")) == store.read()
    assert place.lines(store) == before


@pytest.mark.parametrize(
    "words",
    [{"app": "other"}, {"timeline": Timeline(origin_ns=1)}, {"timeline": Timeline(speed=2)}],
)
def test_a_record_of_another_app_or_timeline_is_refused(
    place: Place, words: dict[str, object]
) -> None:
    started(place.open())
    other = place.open(**words)  # type: ignore[arg-type]
    with pytest.raises(RecordForeign):
        other.read()
    with pytest.raises(RecordForeign):
        other.transact(settle, note("settle"))


def test_what_an_older_release_does_not_know_survives_it(place: Place) -> None:
    """Two hosts may run releases one apart: neither may lose what the other one keeps."""
    store = place.open()
    newer = {"shards": msgspec.Raw(b'{"count":3}')}
    store.create(replace(empty(10), unknown_fields=newer))
    store.transact(lambda record: seize(record, B), note("seize"))
    assert place.open().read().unknown_fields == newer


def test_a_fenced_worker_is_refused_although_it_saw_nothing_of_its_end(place: Place) -> None:
    """Its store still has the record of before in mind: what it wrote last."""
    if place.kind == "memory":
        started(store := place.open())
        other = store  # one object is one record
    else:
        run_cycles(started(store := place.open()), 1)
        other = place.open()
    other.transact(lambda record: seize(record, B), note("seize"))
    fenced = lambda record: transitions.miss(  # noqa: E731 - one line of a story
        record, worker=worker("a"), epoch=1, cycle=record.progress.cycle + 1, reason="", attempt="m"
    )
    with pytest.raises(Refused, match="not_owner"):
        store.transact(fenced, note("miss"))


def counted(record: Record, name: str) -> Record:
    """Count on in the note of the control: a change that shows if it is applied twice or lost."""
    control = replace(record.control, note=str(int(record.control.note or 0) + 1), by=name)
    return transitions.command(
        record, control=control, attempt=f"{name}-{control.note}-{record.progress.cycle}"
    )


@pytest.mark.parametrize("place", ["local", "etcd"], indirect=True)
def test_of_two_writers_neither_loses_what_the_other_wrote(place: Place) -> None:
    """Each applies its change to the newest record, whatever it had in mind."""
    started(place.open())
    rounds, failed = 25, []

    def write(store: Store, name: str) -> None:
        try:
            for _ in range(rounds):
                store.transact(lambda record: counted(record, name), note("command"))
        except StateError as error:
            failed.append(error)

    stores = [place.open() for _ in range(2)]
    threads = [
        threading.Thread(target=write, args=(store, f"w{index}"))
        for index, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert place.open().read().control.note == str(2 * rounds)
    assert len(place.lines(stores[0])) == 2 + 2 * rounds
