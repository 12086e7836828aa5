"""The power may go after any call: what was acknowledged is there, and nothing is torn.

Every state of the medium that the calls so far allow is laid out, opened and proven. See
`tests.power_cut` for what a medium may forget.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from state.errors import RecordMissing
from state.journal import Retention
from state.local_store import LocalStore
from state.record import Phase, Record
from tests.faulty_files import Killed
from tests.homes import kinds, open_store, prove
from tests.power_cut import Image, QuickFiles, UnsyncedFiles
from tests.records import (
    decided_again,
    deciding,
    effect,
    empty,
    note,
    run_cycles,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from pathlib import Path

    from state.recovery import Replay

pytestmark = pytest.mark.timeout(120)
SMALL = Retention(segment_bytes_max=6_000, total_bytes_max=8_000)
Act = Callable[[LocalStore], Record]


def decide_next(store: LocalStore) -> Record:
    cycle = store.read().progress.cycle + 1
    words = note("decide", inputs=Raw(b'{"price":%d}' % cycle))
    return store.transact(deciding(effect(f"order-{cycle}")), words)


def settle_it(store: LocalStore) -> Record:
    return store.transact(settle, note("settle"))


def take_it(store: LocalStore) -> Record:
    return store.transact(take, note("take"))


def settled_home(home: Path) -> None:
    store = started(open_store(home, files=QuickFiles()))
    run_cycles(store, 2)
    store.close()


def nameless_home(home: Path) -> None:
    """The next commit has to create the file of the next record."""
    settled_home(home)
    (home / "state" / "record.json.new").unlink()


def decided_home(home: Path) -> None:
    settled_home(home)
    decide_next(open_store(home, files=QuickFiles()))


def long_home(home: Path) -> None:
    """The next decision opens a segment, and the oldest one goes."""
    store = started(open_store(home, files=QuickFiles(), retention=SMALL))
    while True:
        run_cycles(store, 1)
        probe = home.with_name("probe")
        shutil.copytree(home, probe)
        decide_next(open_store(probe, files=QuickFiles(), retention=SMALL))
        due = kinds(probe)[-2] == "segment" and not (probe / "journal/000000000001.jsonl").exists()
        shutil.rmtree(probe)
        if due:
            store.close()
            return


def torn_home(home: Path) -> None:
    """A process died in the middle of a line, and its record is damaged besides."""
    decided_home(home)
    with (home / "journal" / "000000000001.jsonl").open("ab") as file:
        file.write(b'{"chain":"0')
    (home / "state" / "record.json").write_bytes(b"\0" * 100)


CASES: dict[str, tuple[Callable[[Path], None], Act]] = {
    "decide": (settled_home, decide_next),
    "decide, name lost": (nameless_home, decide_next),
    "settle": (decided_home, settle_it),
    "take": (settled_home, take_it),
    "decide in a new segment": (long_home, decide_next),
    "recover": (torn_home, LocalStore.read),
}


def opened(home: Path, files: UnsyncedFiles | QuickFiles) -> LocalStore:
    return open_store(home, files=files, replay=decided_again, retention=SMALL)


def killed_at(home: Path, act: Act, count: int) -> tuple[UnsyncedFiles, Record | None]:
    """Do something and die in the place of a call; return the medium and what was returned."""
    files = UnsyncedFiles(home)
    store = opened(home, files)
    files.kill_at(count)
    try:
        return files, act(store)
    except Killed:
        return files, None
    finally:
        files.before = lambda *_: None
        store.close()


def each_kill(template: Path, act: Act) -> Iterator[tuple[UnsyncedFiles, Record | None, Path]]:
    home = template.with_name("home")
    for count in range(99):
        shutil.copytree(template, home)
        files, returned = killed_at(home, act, count)
        yield files, returned, home
        shutil.rmtree(home)
        if returned is not None:
            return
    pytest.fail("it never ends")


def found_in(image: Image, place: Path, replay: Replay | None = decided_again) -> Record:
    """Start again on what the medium holds; prove it, and that it goes on from there."""
    image.lay_out(place)
    store = open_store(place, files=QuickFiles(), replay=replay, retention=SMALL)
    found = store.read()
    if found.progress.phase is Phase.DECIDED:
        settle_it(store)
    run_cycles(store, 1)
    store.close()
    prove(place)
    return found


@pytest.mark.parametrize("case", list(CASES))
def test_whatever_the_medium_forgot_a_commit_happened_or_did_not(tmp_path: Path, case: str) -> None:
    prepare, act = CASES[case]
    template, place = tmp_path / "template", tmp_path / "image"
    prepare(template)
    whole = tmp_path / "whole"
    shutil.copytree(template, whole)
    before = opened(whole, QuickFiles()).read()
    seen: dict[Image, Record] = {}
    for files, returned, _ in each_kill(template, act):
        for image in files.images():
            if image not in seen:
                seen[image] = found_in(image, place)
            if returned is not None:
                assert seen[image] == returned, "what was acknowledged is lost"
            elif seen[image] != before:
                assert seen[image].attempt == attempt_of(whole, act)
    assert len(seen) > 10


def test_after_the_line_nothing_has_to_be_decided_again(tmp_path: Path) -> None:
    """What the line promises waits beside the record; no medium forgets its own order that far.

    A medium that keeps the creation of the empty file and forgets the rename before it, both in
    one directory and not synced yet, has lost it; then the line is decided again.
    """
    template, place = tmp_path / "template", tmp_path / "image"
    settled_home(template)
    ahead = 0
    for files, returned, _ in each_kill(template, decide_next):
        if returned is None and ("create", "record.json.new") in files.calls:
            continue
        for image in files.images():
            ahead += found_in(image, place, replay=None).progress.phase is Phase.DECIDED
    assert ahead > 10


def test_what_an_older_release_left_waiting_is_durable_before_it_is_told(tmp_path: Path) -> None:
    """It wrote the line first: it may have died before the fsync of the record."""
    template, home, place = (tmp_path / name for name in ("template", "home", "image"))
    decided_home(template)
    shutil.copytree(template, home)
    record = (home / "state" / "record.json").read_bytes()
    (home / "state" / "record.prev.json").replace(home / "state" / "record.json")
    (home / "state" / "record.json.new").unlink()
    files = UnsyncedFiles(home)
    descriptor = files.open(home / "state" / "record.json.new", os.O_WRONLY | os.O_CREAT)
    files.write(descriptor, memoryview(record))
    files.close(descriptor)
    told = open_store(home, files=files, retention=SMALL).read()
    assert told.progress.phase is Phase.DECIDED
    for image in files.images():
        image.lay_out(place)
        assert open_store(place, files=QuickFiles(), retention=SMALL).read() == told


def attempt_of(home: Path, act: Act) -> str:
    """Return the attempt of an act, tried on a copy."""
    copy = home.with_name("copy")
    shutil.copytree(home, copy)
    attempt = act(opened(copy, QuickFiles())).attempt
    shutil.rmtree(copy)
    return attempt


@pytest.mark.parametrize("case", ["decide", "settle", "recover"])
def test_what_a_reader_was_told_outlives_the_power(tmp_path: Path, case: str) -> None:
    """A process dies in a commit, another one reads and acts, then the power goes."""
    prepare, act = CASES[case]
    template, place = tmp_path / "template", tmp_path / "image"
    prepare(template)
    seen: dict[Image, Record] = {}
    for files, _, home in each_kill(template, act):
        told = opened(home, files).read()
        for image in files.images():
            if image not in seen:
                seen[image] = found_in(image, place, replay=None)  # nor has to be decided again
            assert seen[image] == told
    assert (
        len(seen) > 5 or case == "recover"
    )  # reading twice, it is durable before the reader is told


def test_the_first_record_is_there_once_it_was_acknowledged(tmp_path: Path) -> None:
    template, place = tmp_path / "template", tmp_path / "image"
    for name in ("state", "journal"):
        (template / name).mkdir(parents=True)
    found = set()
    for files, returned, _ in each_kill(template, partial(LocalStore.create, record=empty())):
        for image in files.images():
            image.lay_out(place)
            try:
                found.add("there" if opened(place, QuickFiles()).read() == empty() else "other")
            except RecordMissing:
                assert returned is None
                found.add("nothing")
            else:
                prove(place)  # and the journal that begins with it
    assert found == {"there", "nothing"}


def test_the_model_forgets_what_was_not_synced(tmp_path: Path) -> None:
    """A medium that keeps everything would prove nothing."""
    (tmp_path / "old").write_bytes(b"old")
    files = UnsyncedFiles(tmp_path)
    descriptor = files.open(tmp_path / "new", 0o1 | 0o100 | 0o200)
    files.write(descriptor, memoryview(b"data"))
    files.replace(tmp_path / "new", tmp_path / "old")
    found = {frozenset((name, data) for name, data, _ in each.files) for each in files.images()}
    assert frozenset({("old", b"old")}) in found
    assert frozenset({("old", b"data")}) in found
    assert frozenset({("old", b"da")}) in found
    assert frozenset({("old", bytes(4))}) in found
    files.fsync(descriptor)
    files.close(descriptor)
    found_old = {data for each in files.images() for name, data, _ in each.files if name == "old"}
    assert found_old == {b"old", b"data"}
    directory = files.open(tmp_path, 0)
    files.fsync(directory)
    files.close(directory)
    assert len(list(files.images())) == 1
