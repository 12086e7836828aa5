"""The record on disk: one order of commits, whoever writes; whole after any crash."""

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
    DiskFull,
    HomeUnsuitable,
    LockTimeout,
    OutcomeUnknown,
    RecordDamaged,
    RecordForeign,
    RecordMissing,
    Refused,
    WriteFailed,
)
from state.journal_reader import read_lines, verify_chain, verify_cycles
from state.local_store import LocalStore, read_only_snapshot
from state.record import Phase, Record, Timeline, encode_record
from tests.faulty_files import FaultyFiles, FullDisk, Killed
from tests.records import (
    APP,
    NOW_NS,
    B,
    decide,
    decided_again,
    deciding,
    effect,
    empty,
    miss,
    note,
    owned,
    release,
    run_cycles,
    seize,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = ("record.json", "record.prev.json")


def open_store(home: Path, **changes: object) -> LocalStore:
    words: dict[str, object] = {
        "app": APP,
        "timeline": Timeline(),
        "now_ns": lambda: NOW_NS,
        "force_filesystem": True,
    }
    return LocalStore(home / "state", **(words | changes))  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[LocalStore]:
    store = open_store(home)
    yield store
    store.close()


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
    assert names == {"record.json", "record.prev.json", "record.lock", "spare"}


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


def test_a_commit_is_the_line_then_the_record_each_durable(home: Path) -> None:
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    store.transact(deciding(), note("decide"))
    files.calls.clear()
    store.transact(settle, note("settle"))
    assert [call for call in files.calls if call[0] != "unlink"] == [
        ("open", "000000000001.jsonl"),
        ("write", "000000000001.jsonl"),
        ("fsync", "000000000001.jsonl"),
        ("create", "record.json.new"),
        ("write", "record.json.new"),
        ("fsync", "record.json.new"),
        ("link", "record.prev.json.new"),
        ("replace", "record.prev.json"),
        ("replace", "record.json"),
        ("open", "state"),
        ("fsync", "state"),
    ]


def test_a_lock_that_is_not_free_in_time_is_an_error_and_nothing_is_done(
    store: LocalStore, home: Path
) -> None:
    started(store)
    impatient = open_store(home, lock_timeout_ns=2_000_000)

    def meanwhile(record: Record) -> Record:
        with pytest.raises(LockTimeout):
            impatient.read()
        return release(record)

    assert store.transact(meanwhile, note("release")).ownership.owner is None


def test_a_closed_store_gives_its_lock_back(home: Path) -> None:
    store = started(open_store(home))
    store.close()
    store.close()
    assert open_store(home).read().ownership.epoch == 1


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


def test_a_line_whose_record_never_came_is_marked_by_the_next_commit(home: Path) -> None:
    files = FaultyFiles()
    store = started(open_store(home, files=files))
    files.fail("create", "record.json.new")
    with pytest.raises(WriteFailed):
        store.transact(deciding(effect("lost")), note("decide"))
    assert kinds(home) == ["genesis", "seize", "decide"]
    assert store.read().progress.cycle == 10
    store.transact(deciding(effect("kept")), note("decide"))
    assert kinds(home) == ["genesis", "seize", "decide", "aborted", "decide"]
    assert [each.effect_id for each in store.read().outbox] == ["kept"]
    store.transact(settle, note("settle"))
    prove(home)
    # The line that takes it back speaks of the record before, which is of an earlier cycle.
    report = verify_cycles(home / "journal", since_cycle=11)
    assert (report.is_complete, report.decided) == (True, 1)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("open", "000000000001.jsonl"),
        ("write", "000000000001.jsonl"),
        ("fsync", "000000000001.jsonl"),
        ("create", "record.json.new"),
        ("write", "record.json.new"),
        ("fsync", "record.json.new"),
        ("link", "record.prev.json.new"),
        ("replace", "record.prev.json"),
        ("replace", "record.json"),
    ],
)
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_an_error_before_the_rename_changes_nothing(
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


@pytest.mark.parametrize("damage", ["missing", "changed", "empty", "zeros"])
def test_a_damaged_record_comes_back_from_its_line_and_the_generation_before(
    home: Path, damage: str
) -> None:
    store = started(open_store(home))
    expected = run_cycles(store, 2)
    store.close()
    path = home / "state" / "record.json"
    match damage:
        case "missing":
            path.unlink()
        case "changed":
            path.write_bytes(path.read_bytes().replace(b"order-12", b"order-13"))
        case "empty":
            path.write_bytes(b"")
        case _:
            path.write_bytes(bytes(path.stat().st_size))
    again = open_store(home)
    assert again.read() == expected
    assert (home / "state" / "record.damaged.json").exists() == (damage != "missing")
    run_cycles(again, 1)
    prove(home)


def test_a_damaged_decision_is_decided_again_from_its_recorded_inputs(home: Path) -> None:
    store = run_and_close(home)
    (home / "state" / "record.json").write_bytes(b"")
    with pytest.raises(RecordDamaged):
        open_store(home).read()
    again = open_store(home, rebuild=decided_again)
    assert again.read() == store
    again.transact(settle, note("settle"))
    prove(home)


def run_and_close(home: Path) -> Record:
    """Run to (12, decided) and close."""
    store = started(open_store(home))
    run_cycles(store, 1)
    words = note("decide", inputs=Raw(b'{"price":12}'))
    record = store.transact(deciding(effect("order-12")), words)
    store.close()
    return record


def test_a_record_that_nothing_proves_is_refused_with_what_to_do(home: Path) -> None:
    run_and_close(home)
    for name in STATE:
        (home / "state" / name).unlink()
    again = open_store(home, rebuild=decided_again)
    for use in (again.read, lambda: again.create(empty())):
        with pytest.raises(RecordDamaged, match="missing"):
            use()
    assert "state restore" in RecordDamaged.hint


def test_a_previous_generation_alone_is_no_record(home: Path) -> None:
    run_and_close(home)
    (home / "state" / "record.json").unlink()
    shutil.rmtree(home / "journal")
    with pytest.raises(RecordDamaged):
        open_store(home).read()


def test_a_creation_that_died_before_its_record_is_finished(home: Path) -> None:
    files = FaultyFiles()
    store = open_store(home, files=files)
    files.fail("create", "record.json.new")
    with pytest.raises(WriteFailed):
        store.create(empty(10))
    assert open_store(home).create(empty(99)) == empty(10)
    assert kinds(home) == ["genesis"]


def test_a_journal_that_lost_its_end_says_so_and_the_record_goes_on(home: Path) -> None:
    store = started(open_store(home))
    run_cycles(store, 2)
    lines = segment(home).read_bytes().splitlines(keepends=True)
    segment(home).write_bytes(b"".join(lines[:-2]))
    again = open_store(home)
    run_cycles(again, 1)
    assert kinds(home)[4:] == ["gap", "decide", "settle"]
    report = verify_cycles(home / "journal")
    assert [gap.cycle for gap in report.gaps] == [12]
    assert not report.is_complete


def test_a_journal_that_is_gone_starts_anew_with_a_gap(home: Path) -> None:
    store = started(open_store(home))
    run_cycles(store, 2)
    segment(home).unlink()
    run_cycles(open_store(home), 1)
    assert kinds(home) == ["gap", "decide", "settle"]


def test_a_torn_last_line_never_happened(home: Path) -> None:
    store = started(open_store(home))
    run_cycles(store, 1)
    with segment(home).open("ab") as file:
        file.write(b'{"chain":"0123')
    assert kinds(home)[-1] == "settle"
    run_cycles(open_store(home), 1)
    prove(home)


def test_a_broken_last_line_is_put_aside_and_missed(home: Path) -> None:
    store = started(open_store(home))
    run_cycles(store, 2)
    data = segment(home).read_bytes()
    segment(home).write_bytes(data[:-9] + b"#" + data[-8:])
    run_cycles(open_store(home), 1)
    assert kinds(home)[-3:] == ["gap", "decide", "settle"]
    aside = list((home / "journal").glob("*.broken"))
    assert len(aside) == 1
    assert b"#" in aside[0].read_bytes()
    assert not verify_cycles(home / "journal").is_complete


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
