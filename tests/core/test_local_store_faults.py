"""Whatever call fails, or is the last one: a commit happened or it did not."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from state.errors import (
    DiskFull,
    OutcomeUnknown,
    WriteFailed,
)
from state.journal import Retention
from state.record import Phase
from state.record_file import RecordFile
from tests.faulty_files import FaultyFiles, FullDisk, Killed
from tests.records import (
    B,
    deciding,
    effect,
    miss,
    note,
    release,
    run_cycles,
    seize,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.local_store import LocalStore

from tests.homes import kinds, open_store, prove


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[LocalStore]:
    store = open_store(home)
    yield store
    store.close()


def kill_at_each_call(home: Path, step: str) -> Iterator[tuple[Path, bool]]:
    """Kill a commit at each of its system calls; yield the home it leaves and if it returned."""
    template = home.with_name("template")
    run_cycles(started(open_store(template)), 2)
    for count in range(99):
        shutil.copytree(template, home)
        files = FaultyFiles()
        store = open_store(home, files=files)
        if step == "settle":
            store.transact(deciding(effect("order-13")), note("decide"))
        files.kill_at(count)
        try:
            if step == "decide":
                store.transact(deciding(effect("order-13")), note("decide"))
            else:
                store.transact(settle, note("settle"))
        except Killed:
            store.close()
            yield home, False
        else:
            yield home, True
            return
        shutil.rmtree(home)


@pytest.mark.parametrize("step", ["decide", "settle"])
def test_killed_at_any_call_a_commit_happened_or_did_not(home: Path, step: str) -> None:
    phases = []
    for left, _ in kill_at_each_call(home, step):
        survivor = open_store(left)
        record = survivor.read()
        assert record.progress.cycle in ({12, 13} if step == "decide" else {13})
        phases.append((record.progress.cycle, record.progress.phase))
        if record.progress.phase is Phase.DECIDED:
            assert [each.effect_id for each in record.outbox] == ["order-13"]
            survivor.transact(settle, note("settle"))
        run_cycles(survivor, 2)
        survivor.close()
        prove(left)
    assert phases == sorted(phases, key=lambda each: (each[0], each[1] is Phase.SETTLED))
    assert len(set(phases)) == 2
    assert len(phases) > 10


AFTER_THE_LINE = [("replace", "record.json"), ("open", "state"), ("fsync", "state")]


@pytest.mark.parametrize(("call", "name"), AFTER_THE_LINE)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_fails_after_the_line_has_happened_and_is_found_by_its_attempt(
    home: Path, call: str, name: str, number: int
) -> None:
    """Called "nothing changed", it would be decided again, or sent by nobody."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail(call, name, number, times=2)
    with pytest.raises(OutcomeUnknown) as caught:
        store.transact(deciding(effect("kept")), note("decide"))
    assert caught.value.attempt == "decide-11"
    files.before = lambda *_: None
    record = store.read()
    assert (record.attempt, record.progress.cycle) == ("decide-11", 11)
    assert [each.effect_id for each in record.outbox] == ["kept"]
    store.transact(settle, note("settle"))
    assert kinds(home) == ["genesis", "seize", "decide", "settle"]
    prove(home)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("link", "record.prev.json.new"),
        ("replace", "record.prev.json"),
        ("create", "record.json.new"),
    ],
)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_is_only_convenient_may_fail_after_the_line(
    home: Path, call: str, name: str, number: int
) -> None:
    """The generation before, and the empty file for the one to come."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    before = store.read()
    files.fail(call, name, number)
    record = store.transact(deciding(effect()), note("decide"))
    assert record.progress.cycle == before.progress.cycle + 1
    assert open_store(home).read() == record
    store.transact(settle, note("settle"))
    run_cycles(store, 1)
    prove(home)


def test_another_process_finishes_what_fails_after_the_line(home: Path) -> None:
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail("replace", "record.json")
    with pytest.raises(OutcomeUnknown):
        store.transact(deciding(effect("kept")), note("decide"))
    other = open_store(home)
    record = other.read()
    assert (record.attempt, [each.effect_id for each in record.outbox]) == ("decide-11", ["kept"])
    other.transact(settle, note("settle"))
    assert store.read().progress.phase is Phase.SETTLED
    run_cycles(store, 1)
    prove(home)


@pytest.mark.parametrize("call", ["truncate", "fsync"])
@pytest.mark.parametrize("written", [True, False])
def test_an_append_that_cannot_be_taken_back_is_an_unknown_outcome(
    home: Path, call: str, *, written: bool
) -> None:
    """Nobody knows whether it happened before the journal is read again."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    broken = ["fsync" if written else "write", call]

    def before(called: str, on: str) -> None:
        if on == "000000000001.jsonl" and broken and called == broken[0]:
            broken.pop(0)
            raise OSError(errno.EIO, "told to fail")

    files.before = before
    with pytest.raises(OutcomeUnknown) as caught:
        store.transact(deciding(effect("kept")), note("decide"))
    assert (caught.value.attempt, broken) == ("decide-11", [])
    happened = written and call == "truncate"
    assert kinds(home)[2:] == (["decide"] if happened else [])
    files.calls.clear()
    record = store.read()
    assert (record.progress.cycle == 11) == happened
    if happened:  # an fsync that failed once may lie the second time: the bytes go anew
        assert ("replace", "000000000001.jsonl") in files.calls
        store.transact(settle, note("settle"))
    run_cycles(store, 1)
    prove(home)


def test_an_append_that_failed_is_taken_back_for_good(home: Path) -> None:
    """It was said that nothing changed: no power cut may bring the line back."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail("fsync", "000000000001.jsonl")
    with pytest.raises(WriteFailed):
        store.transact(deciding(effect("lost")), note("decide"))
    segment = "000000000001.jsonl"
    cut = files.calls.index(("truncate", segment))
    assert ("fsync", segment) in files.calls[cut:]
    assert kinds(home) == ["genesis", "seize"]
    run_cycles(store, 1)
    prove(home)


def test_a_segment_whose_name_cannot_be_made_durable_is_taken_back(home: Path) -> None:
    files = FaultyFiles()
    small = Retention(segment_bytes_max=4_000)
    store = started(open_store(home, files=files, retention=small))
    while True:
        files.fail("fsync", "journal")
        cycle = store.read().progress.cycle
        try:
            run_cycles(store, 1)
        except WriteFailed:
            break
    assert len(list((home / "journal").iterdir())) == 1
    assert store.read().progress.cycle in {cycle, cycle + 1}
    files.before = lambda *_: None
    if store.read().progress.phase is Phase.DECIDED:
        store.transact(settle, note("settle"))
    run_cycles(store, 1)
    assert len(list((home / "journal").iterdir())) > 1
    prove(home)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("open", "000000000001.jsonl"),
        ("write", "000000000001.jsonl"),
        ("fsync", "000000000001.jsonl"),
        ("open", "record.json.new"),
        ("write", "record.json.new"),
        ("fsync", "record.json.new"),
    ],
)
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_an_error_up_to_the_line_changes_nothing(
    home: Path, call: str, name: str, number: int
) -> None:
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    before = store.read()
    files.fail(call, name, number)
    with pytest.raises(WriteFailed) as caught:
        store.transact(deciding(effect()), note("decide"))
    assert not isinstance(caught.value, DiskFull)
    assert caught.value.errno == number
    assert store.read() == before == open_store(home).read()
    run_cycles(store, 1)
    prove(home)


def test_a_file_whose_fsync_failed_is_thrown_away(home: Path) -> None:
    """The kernel may report success for it the second time, and be wrong."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail("fsync", "record.json.new")
    with pytest.raises(WriteFailed):
        store.transact(deciding(), note("decide"))
    assert ("unlink", "record.json.new") in files.calls
    assert not (home / "state" / "record.json.new").exists()


def test_an_error_after_the_rename_leaves_the_outcome_unknown_until_it_is_read(
    home: Path,
) -> None:
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail("fsync", "state", times=2)
    with pytest.raises(OutcomeUnknown) as caught:
        store.transact(deciding(effect()), note("decide"))
    assert caught.value.attempt == "decide-11"
    with pytest.raises(OutcomeUnknown):
        store.read()
    files.calls.clear()
    assert store.read().attempt == "decide-11"
    # What an fsync failed on goes to the disk anew before anyone relies on it.
    assert ("replace", "record.json") in files.calls
    store.transact(settle, note("settle"))
    prove(home)


def test_a_reader_that_cannot_make_the_record_durable_does_not_act_on_it(
    store: LocalStore, home: Path
) -> None:
    started(store)
    files = FaultyFiles()
    files.fail("fsync", "record.json")
    with pytest.raises(OutcomeUnknown):
        open_store(home, files=files).read()


def test_on_a_full_disk_nothing_new_starts_and_what_was_planned_gets_its_fate(
    home: Path,
) -> None:
    files = FullDisk()
    store = started(open_store(home, files=files))
    store.transact(deciding(effect()), note("decide"))
    files.fill()
    assert store.transact(settle, note("settle")).progress.phase is Phase.SETTLED
    assert not (home / "state" / "spare").exists()
    before = store.read()
    for kind, step in (("decide", deciding()), ("take", lambda record: take(record, B))):
        with pytest.raises(DiskFull):
            store.transact(step, note(kind))
    assert store.read() == before == prove(home)
    files.full = False
    run_cycles(store, 1)
    assert (home / "state" / "spare").exists()
    prove(home)


def test_what_only_starts_leaves_the_spare_to_what_was_planned(home: Path) -> None:
    files = FullDisk()
    store = started(open_store(home, files=files))
    store.transact(deciding(effect()), note("decide"))
    store.transact(settle, note("settle"))
    files.fill()
    for kind, step in (("decide", deciding()), ("take", lambda record: take(record, B))):
        with pytest.raises(DiskFull):
            store.transact(step, note(kind))
        assert (home / "state" / "spare").exists()


@pytest.mark.parametrize(
    ("kind", "step"),
    [("miss", miss), ("release", release), ("seize", lambda record: seize(record, B))],
)
def test_the_spare_also_serves_whatever_ends_or_passes_on(
    home: Path, kind: str, step: object
) -> None:
    files = FullDisk()
    store = started(open_store(home, files=files))
    files.fill()
    store.transact(step, note(kind))  # type: ignore[arg-type]
    assert kinds(home)[-1] == kind


def test_a_disk_that_stays_full_without_its_spare_refuses(home: Path) -> None:
    files = FullDisk()
    store = started(open_store(home, files=files))
    (home / "state" / "spare").unlink()
    files.fill()
    with pytest.raises(DiskFull):
        store.transact(release, note("release"))
    assert store.read().ownership.owner is not None


def test_the_spare_grows_with_the_record(home: Path) -> None:
    store = started(open_store(home))
    small = (home / "state" / "spare").stat()
    store.transact(deciding(body=b'"%s"' % (b"x" * 300_000)), note("decide"))
    grown = (home / "state" / "spare").stat()
    assert grown.st_size >= 2 * 300_000 + 64 * 1024 > small.st_size
    assert grown.st_blocks * 512 >= grown.st_size


def test_a_commit_that_is_in_place_is_never_called_a_failure(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at the new file and giving the lock back come after it: too late to say no."""
    store = started(open_store(home))
    store.transact(deciding(effect()), note("decide"))
    expected = settle(store.read())
    placed = RecordFile.place

    def place_then_fail(self: RecordFile) -> None:
        placed(self)
        monkeypatch.setattr(RecordFile, "identity", failing)
        monkeypatch.setattr("state.record_lock.unlock_descriptor", failing)

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "told to fail")

    monkeypatch.setattr(RecordFile, "place", place_then_fail)
    assert store.transact(settle, note("settle")) == expected
    monkeypatch.undo()
    # The lock was given back by closing it: another process gets in, and so does this one.
    assert open_store(home).read() == expected == store.read()
    run_cycles(store, 1)
    prove(home)


@pytest.mark.parametrize("call", ["lock_descriptor", "os.fstat"])
def test_a_lock_that_cannot_be_taken_is_a_failed_write(
    home: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = started(open_store(home))

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "told to fail")

    monkeypatch.setattr(f"state.record_lock.{call}", failing)
    with pytest.raises(WriteFailed):
        store.transact(deciding(), note("decide"))
    monkeypatch.undo()
    assert open_store(home).read() == store.read()
