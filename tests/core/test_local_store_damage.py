"""What was damaged comes back exactly, or is refused with what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from state.errors import (
    RecordDamaged,
    WriteFailed,
)
from state.journal import Retention
from state.journal_reader import verify_cycles
from tests.faulty_files import FaultyFiles
from tests.records import (
    decided_again,
    deciding,
    effect,
    empty,
    note,
    run_cycles,
    settle,
    started,
)

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import Record
    from state.store import Store

from tests.homes import kinds, open_store, prove, segment


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


STATE = ("record.json", "record.prev.json")


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
    again = open_store(home, replay=decided_again)
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
    again = open_store(home, replay=decided_again)
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


@pytest.mark.parametrize("before", ["aborted", "segment"])
def test_a_decision_that_follows_bookkeeping_is_not_taken_for_one_that_never_happened(
    home: Path, before: str
) -> None:
    """Such a line has one record for parent and result: it cannot say which came before it."""
    files = FaultyFiles()
    small = Retention(segment_bytes_max=9_000 if before == "segment" else 8_000_000)
    store = started(open_store(home, files=files, retention=small))
    if before == "aborted":
        files.fail("create", "record.json.new")
        with pytest.raises(WriteFailed):
            store.transact(deciding(effect("lost")), note("decide"))
    expected = _decided_with_inputs(store)
    while kinds(home)[-2:] != [before, "decide"]:
        store.transact(settle, note("settle"))
        expected = _decided_with_inputs(store)
    store.close()
    assert kinds(home)[-2:] == [before, "decide"]
    (home / "state" / "record.json").write_bytes(b"")
    assert open_store(home, replay=decided_again).read() == expected


def _decided_with_inputs(store: Store) -> Record:
    cycle = store.read().progress.cycle + 1
    words = note("decide", inputs=Raw(b'{"price":%d}' % cycle))
    return store.transact(deciding(effect(f"order-{cycle}")), words)
