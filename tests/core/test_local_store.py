"""The record on disk: one order of commits, whoever writes."""

from __future__ import annotations

import errno
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state.atomic_file import SystemFiles
from state.errors import (
    HomeUnsuitable,
    LockTimeout,
    RecordDamaged,
    RecordForeign,
    RecordMissing,
    Refused,
)
from state.journal_reader import read_lines
from state.local_store import LocalStore, read_only_snapshot
from state.record import Record, Timeline, encode_record
from tests.faulty_files import FaultyFiles
from tests.records import (
    B,
    decide,
    deciding,
    effect,
    empty,
    note,
    owned,
    release,
    run_cycles,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

from tests.homes import kinds, open_store, prove


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[LocalStore]:
    store = open_store(home)
    yield store
    store.close()


def test_what_was_committed_is_what_another_process_reads(store: LocalStore, home: Path) -> None:
    record = run_cycles(started(store), 3)
    assert open_store(home).read() == record
    assert prove(home) == record
    assert kinds(home) == ["genesis", "seize", *["decide", "settle"] * 3]


def test_files_and_directories_are_for_the_owner_alone(store: LocalStore, home: Path) -> None:
    run_cycles(started(store), 1)
    assert stat.S_IMODE((home / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "journal").stat().st_mode) == 0o700
    for path in [*(home / "state").iterdir(), *(home / "journal").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    names = {path.name for path in (home / "state").iterdir()}
    assert names == {
        "record.json",
        "record.json.new",
        "record.prev.json",
        "record.lock",
        "spare",
    }


def test_the_previous_generation_is_kept(store: LocalStore, home: Path) -> None:
    started(store)
    before = store.read()
    run_cycles(store, 1)
    previous = (home / "state" / "record.prev.json").read_bytes()
    decided = decide(before, effect("order-11"))
    assert previous == encode_record(decided)[0]


def test_a_journal_may_be_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "a" / "b"
    started(open_store(tmp_path, journal_directory=elsewhere))
    assert [line.kind for line in read_lines(elsewhere)] == ["genesis", "seize"]


def test_a_second_creation_finds_the_first(store: LocalStore, home: Path) -> None:
    first = store.create(empty(10))
    assert open_store(home).create(empty(99)) == first
    assert kinds(home) == ["genesis"]


def test_a_refusal_goes_through_and_nothing_is_written(store: LocalStore, home: Path) -> None:
    started(store)
    before, token = store.read(), store.token()
    with pytest.raises(Refused):
        store.transact(settle, note("settle"))
    assert (store.read(), store.token()) == (before, token)
    assert kinds(home) == ["genesis", "seize"]


def test_a_change_that_changes_nothing_writes_nothing(store: LocalStore, home: Path) -> None:
    started(store)
    token = store.token()
    assert store.transact(lambda record: record, note("command")) == store.read()
    assert store.token() == token
    assert kinds(home) == ["genesis", "seize"]


def test_a_token_differs_after_every_change(store: LocalStore) -> None:
    assert store.token() is None
    started(store)
    tokens = [store.token()]
    for _ in range(5):
        run_cycles(store, 1)
        tokens.append(store.token())
    assert len(set(tokens)) == 6


def test_without_a_record_none_is_made_up(store: LocalStore, home: Path) -> None:
    with pytest.raises(RecordMissing):
        store.read()
    with pytest.raises(RecordMissing):
        store.transact(settle, note("settle"))
    with pytest.raises(RecordMissing):
        read_only_snapshot(home / "state")


@pytest.mark.parametrize(
    "changes", [{"app": "other"}, {"timeline": Timeline(speed=60)}], ids=["app", "timeline"]
)
def test_a_record_of_another_app_or_timeline_is_left_alone(
    store: LocalStore, home: Path, changes: dict[str, object]
) -> None:
    started(store)
    before = (home / "state" / "record.json").read_bytes()
    other = open_store(home, **changes)
    for use in (other.read, lambda: other.create(empty())):
        with pytest.raises(RecordForeign):
            use()
    assert (home / "state" / "record.json").read_bytes() == before


def test_the_first_record_must_be_of_this_app_too(home: Path) -> None:
    with pytest.raises(RecordForeign):
        open_store(home, app="other").create(empty())
    assert not (home / "state" / "record.json").exists()


def test_two_stores_see_each_others_commits(store: LocalStore, home: Path) -> None:
    other = open_store(home)
    started(store)
    other.transact(deciding(), note("decide"))
    store.transact(settle, note("settle"))
    record = other.transact(lambda record: take(record, B), note("take"))
    assert store.read() == record == prove(home)


def test_what_another_process_wrote_is_made_durable_before_it_is_acted_upon(
    store: LocalStore, home: Path
) -> None:
    """Visible is not durable: its writer may have died before its own fsync."""
    files = FaultyFiles()
    other = open_store(home, files=files)
    started(store)
    files.calls.clear()
    other.read()
    assert [call for call in files.calls if call[0] == "fsync"] == [
        ("fsync", "record.json"),
        ("fsync", "state"),
    ]
    files.calls.clear()
    other.read()
    assert files.calls == []


def test_a_commit_is_the_next_record_the_line_and_the_rename_each_durable(home: Path) -> None:
    """Three fsyncs, as ever: the name of the next record is made durable with the rename before."""
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    store.transact(deciding(), note("decide"))
    files.calls.clear()
    store.transact(settle, note("settle"))
    assert [call for call in files.calls if call[0] != "unlink"] == [
        ("open", "record.json.new"),
        ("write", "record.json.new"),
        ("fsync", "record.json.new"),
        ("open", "000000000001.jsonl"),
        ("write", "000000000001.jsonl"),
        ("fsync", "000000000001.jsonl"),
        ("link", "record.prev.json.new"),
        ("replace", "record.prev.json"),
        ("replace", "record.json"),
        ("create", "record.json.new"),
        ("open", "state"),
        ("fsync", "state"),
    ]


def test_where_the_name_of_the_next_record_is_missing_one_fsync_makes_it_durable(
    home: Path,
) -> None:
    """After an older release had the home, or a disk too full to create it."""
    started(open_store(home)).close()
    (home / "state" / "record.json.new").unlink()
    files = FaultyFiles()
    store = open_store(home, files=files)
    store.read()
    files.calls.clear()
    run_cycles(store, 1)
    synced = [name for call, name in files.calls if call == "fsync"]
    segment = "000000000001.jsonl"
    first = ["record.json.new", "state", segment, "state"]
    assert [name for name in synced if name != "spare"] == [
        *first,
        "record.json.new",
        segment,
        "state",
    ]


def test_a_waiting_record_that_is_another_file_too_is_not_written_over(home: Path) -> None:
    """Somebody made a link: its other name may be the record's."""
    store = started(open_store(home))
    waiting = home / "state" / "record.json.new"
    waiting.unlink()
    waiting.hardlink_to(home / "state" / "record.prev.json")
    before = (home / "state" / "record.prev.json").read_bytes()
    other = open_store(home)
    other.read()
    (home / "state" / "kept").hardlink_to(home / "state" / "record.prev.json")
    run_cycles(other, 1)
    assert (home / "state" / "kept").read_bytes() == before
    assert store.read().progress.cycle == 11
    prove(home)


def test_a_lock_that_is_not_free_in_time_is_an_error_and_nothing_is_done(
    store: LocalStore, home: Path
) -> None:
    started(store)
    impatient = open_store(home, lock_timeout_ns=2_000_000)

    def meanwhile(record: Record) -> Record:
        with pytest.raises(LockTimeout):
            impatient.transact(release, note("release"))
        return release(record)

    assert store.transact(meanwhile, note("release")).ownership.owner is None


def test_a_closed_store_gives_its_lock_back(home: Path) -> None:
    store = started(open_store(home))
    store.close()
    store.close()
    assert open_store(home).read().ownership.epoch == 1


def test_a_home_that_cannot_be_written_is_refused_at_once(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(HomeUnsuitable, match="cannot be prepared") as caught:
        open_store(home)
    assert caught.value.hint

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(SystemFiles, "open", read_only)
    with pytest.raises(HomeUnsuitable, match="Read-only"):
        open_store(tmp_path / "other")


def test_a_lock_file_that_cannot_be_opened_is_refused_at_once(home: Path) -> None:
    (home / "state" / "record.lock").mkdir(parents=True)
    with pytest.raises(HomeUnsuitable, match="opened for writing"):
        open_store(home)


def test_memory_is_no_home(tmp_path: Path) -> None:
    """Unless it is forced: what is fsynced there is gone after a restart of the host."""
    shared_memory = Path("/dev/shm")  # noqa: S108 - the one tmpfs that every Linux has
    if not shared_memory.is_dir():
        pytest.skip("there is no /dev/shm here")
    home = shared_memory / f"foresight-test-{tmp_path.name}"
    try:
        with pytest.raises(HomeUnsuitable, match="tmpfs"):
            open_store(home, force_filesystem=False)
        started(open_store(home, force_filesystem=True))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_a_snapshot_needs_no_lock_and_no_write_access(store: LocalStore, home: Path) -> None:
    started(store)

    def meanwhile(record: Record) -> Record:
        assert read_only_snapshot(home / "state") == record
        return release(record)

    store.transact(meanwhile, note("release"))
    assert read_only_snapshot(home / "state") == release(owned())


def test_a_snapshot_says_what_it_could_not_read(store: LocalStore, home: Path) -> None:
    started(store)
    path = home / "state" / "record.json"
    path.write_bytes(b"{}")
    with pytest.raises(RecordDamaged):
        read_only_snapshot(home / "state")
    path.unlink()
    path.mkdir()
    with pytest.raises(HomeUnsuitable, match="cannot be read"):
        read_only_snapshot(home / "state")


def test_fields_of_a_newer_release_survive_on_disk(store: LocalStore, home: Path) -> None:
    started(store)

    def newer(record: Record) -> Record:
        return replace(record, attempt="newer", unknown_fields={"quota": Raw(b'{"orders":5}')})

    store.transact(newer, note("command"))
    run_cycles(open_store(home), 2)
    assert store.read().unknown_fields == {"quota": Raw(b'{"orders":5}')}
    prove(home)
