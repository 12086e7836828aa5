"""What was damaged comes back exactly, or is refused with what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from state.commit import Generation, plan_commit
from state.errors import OutcomeUnknown, RecordBehind, RecordDamaged, RecordForeign
from state.journal import Retention
from state.journal_frames import chain_lines
from state.journal_reader import read_lines, verify_cycles
from state.record import encode_record
from tests.faulty_files import FaultyFiles
from tests.records import (
    NOW_NS,
    B,
    aborted_line,
    decide,
    decided_again,
    deciding,
    effect,
    empty,
    note,
    run_cycles,
    seize,
    settle,
    started,
)

if TYPE_CHECKING:
    from pathlib import Path

    from state.journal_frames import Line
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
    files.fail("replace", "record.json")
    with pytest.raises(OutcomeUnknown):
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
def test_a_decision_that_follows_bookkeeping_counts(home: Path, before: str) -> None:
    """Such a line has one record for parent and result: it cannot say which came before it."""
    small = Retention(segment_bytes_max=9_000 if before == "segment" else 8_000_000)
    store = started(open_store(home, retention=small))
    if before == "aborted":
        take_back_a_decision(store, home)
    expected = _decided_with_inputs(store)
    while kinds(home)[-2:] != [before, "decide"]:
        store.transact(settle, note("settle"))
        expected = _decided_with_inputs(store)
    store.close()
    assert kinds(home)[-2:] == [before, "decide"]
    (home / "state" / "record.json").write_bytes(b"")
    assert open_store(home, replay=decided_again).read() == expected


def take_back_a_decision(store: Store, home: Path) -> None:
    """Leave a decision and its end, as release 0.2.0 left one whose record had not followed."""
    record = store.read()
    digest = encode_record(record)[1]
    lost = plan_commit(
        Generation(record, digest), deciding(effect("lost"))(record), note("decide"), now_ns=NOW_NS
    ).line
    *_, last = read_lines(home / "journal")
    data, (decided,) = chain_lines([lost], last)
    aborted, _ = chain_lines([aborted_line(decided, record, digest)], decided)
    with segment(home).open("ab") as file:
        file.write(data + aborted)


def test_what_an_older_release_took_back_stays_so(home: Path) -> None:
    store = started(open_store(home))
    run_cycles(store, 1)
    take_back_a_decision(store, home)
    assert store.read().progress.cycle == 11
    run_cycles(store, 1)
    store.close()
    prove(home)
    assert verify_cycles(home / "journal").decided == 2


def test_what_an_older_release_took_back_is_older_than_the_end_of_the_journal(home: Path) -> None:
    """Put back, it has the higher cycle number, and yet nothing of it has happened."""
    store = started(open_store(home))
    run_cycles(store, 1)
    lost = deciding(effect("lost"))(store.read())
    take_back_a_decision(store, home)
    store.transact(lambda record: seize(record, B), note("seize"))
    expected = store.read()
    (home / "state" / "record.json").write_bytes(encode_record(lost)[0])
    assert open_store(home).read() == expected


def test_a_decision_is_made_again_by_its_own_release_alone(home: Path) -> None:
    expected = run_and_close(home)
    (home / "state" / "record.json").write_bytes(b"")
    other = open_store(home, replay=decided_again, release="r2")
    with pytest.raises(RecordBehind, match="release r1") as refused:
        other.read()
    assert (refused.value.release, refused.value.cycle) == ("r1", 12)
    with pytest.raises(RecordBehind):
        other.transact(settle, note("settle"))
    assert open_store(home, replay=decided_again, release="r1").read() == expected


def test_a_decision_that_comes_out_otherwise_is_tried_three_times_and_then_by_an_operator(
    home: Path,
) -> None:
    """Deciding may be what kills a worker: it is not tried for ever."""
    expected = run_and_close(home)
    (home / "state" / "record.json").write_bytes(b"")
    tries: list[int] = []

    def otherwise(record: Record, _: Line) -> Record:
        tries.append(record.progress.cycle)
        return decide(record, effect("another"))

    for _ in range(5):
        with pytest.raises(RecordBehind):
            open_store(home, replay=otherwise).read()
    assert tries == [11, 11, 11]
    with pytest.raises(RecordBehind, match="3 tries"):
        open_store(home, replay=decided_again).read()
    assert open_store(home, replay=decided_again, attended=True).read() == expected
    assert not (home / "state" / "record.again.json").exists()


def test_the_lock_is_free_while_a_decision_is_made_again(home: Path) -> None:
    """It may take as long as a cycle, and others have to see that they must wait for it."""
    expected = run_and_close(home)
    (home / "state" / "record.json").write_bytes(b"")

    def looked_at(record: Record, line: Line) -> Record:
        with pytest.raises(RecordBehind):
            open_store(home, lock_timeout_ns=1).read()
        return decided_again(record, line)

    assert open_store(home, replay=looked_at).read() == expected


def test_a_record_of_another_application_is_not_brought_forward(home: Path) -> None:
    run_and_close(home)
    before = (home / "state" / "record.prev.json").read_bytes()
    (home / "state" / "record.json").write_bytes(before)
    with pytest.raises(RecordForeign):
        open_store(home, app="other", replay=decided_again).read()
    assert (home / "state" / "record.json").read_bytes() == before


def _decided_with_inputs(store: Store) -> Record:
    cycle = store.read().progress.cycle + 1
    words = note("decide", inputs=Raw(b'{"price":%d}' % cycle))
    return store.transact(deciding(effect(f"order-{cycle}")), words)
