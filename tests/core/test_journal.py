"""The journal proves itself: nothing can be removed, repeated or changed without a name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from state.commit import segment_line
from state.errors import JournalBroken
from state.journal import BROKEN_LINES_MAX, Journal, Retention
from state.journal_reader import (
    read_lines,
    read_pruned,
    read_tail,
    segment_path,
    segments,
    verify_chain,
    verify_cycles,
)
from state.pruned import RANGES_MAX, Pruned, PrunedRange, decode_pruned, encode_pruned, with_ranges
from state.record import encode_record
from tests import homes
from tests.faulty_files import FaultyFiles, Killed
from tests.records import NOW_NS, memory_store, run_cycles, started

if TYPE_CHECKING:
    from state.local_store import LocalStore
    from state.memory_store import MemoryStore

SMALL = Retention(segment_bytes_max=12_000)
DAY_NS = 86_400 * 10**9
DESCRIPTORS = Path("/proc/self/fd")


class Clock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


def open_store(home: Path, retention: Retention = SMALL, **changes: object) -> LocalStore:
    return homes.open_store(home, retention=retention, **changes)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of fifteen cycles in several segments."""
    store = started(open_store(tmp_path))
    run_cycles(store, 15)
    store.close()
    found = tmp_path / "journal"
    assert len(segments(found)) > 3
    return found


def test_segments_are_named_by_their_first_line_and_continue_the_chain(journal: Path) -> None:
    lines = list(read_lines(journal))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    firsts = [line for line in lines if line.kind in {"genesis", "segment"}]
    assert [segment_path(journal, line.seq) for line in firsts] == segments(journal)
    for path in segments(journal):
        assert path.stat().st_size <= SMALL.segment_bytes_max
    assert verify_cycles(journal).is_complete
    assert verify_chain(journal) == lines[-1]


def test_every_segment_can_be_verified_from_its_first_line_on(journal: Path) -> None:
    for first in range(11, 26):
        found = list(read_lines(journal, since_cycle=first))
        assert [line.cycle for line in found if line.kind == "decide"] == list(range(first, 26))
        assert verify_cycles(journal, since_cycle=first).first == first


def test_cycles_after_the_newest_are_none(journal: Path) -> None:
    assert list(read_lines(journal, since_cycle=99)) == []


def broken(journal: Path, **words: object) -> JournalBroken:
    with pytest.raises(JournalBroken) as caught:
        verify_chain(journal, **words)  # type: ignore[arg-type]
    return caught.value


def rewrite(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("change", ["removed", "repeated", "flipped", "swapped"])
def test_whatever_is_done_to_one_line_is_noticed_and_its_cycle_named(
    journal: Path, change: str
) -> None:
    expected = {line.seq: line for line in read_lines(journal)}
    digest = verified_digest(journal)
    seq = 0
    for path in segments(journal):
        original = path.read_bytes()
        lines = original.splitlines(keepends=True)
        for index in range(len(lines)):
            seq += 1
            changed = list(lines)
            match change:
                case "removed":
                    del changed[index]
                case "repeated":
                    changed.insert(index, lines[index])
                case "flipped":
                    middle = len(lines[index]) // 2
                    data = bytearray(lines[index])
                    data[middle] ^= 4
                    changed[index] = bytes(data)
                case _:
                    if index + 1 == len(lines):
                        continue
                    changed[index : index + 2] = reversed(lines[index : index + 2])
            rewrite(path, changed)
            fault = broken(journal, digest=digest, cycle=25)
            wanted = expected[seq].cycle
            # A lost opening of a segment is noticed at the line behind it.
            near = {wanted, wanted + 1} if expected[seq].kind == "segment" else {wanted}
            if seq > 1 and change != "swapped":
                assert fault.cycle in near, (seq, expected[seq].kind, str(fault))
            assert fault.segment
            assert fault.line >= 1
        path.write_bytes(original)
    verify_chain(journal, digest=digest)


def verified_digest(journal: Path) -> str:
    last = verify_chain(journal)
    assert last is not None
    return last.result


def test_every_single_byte_counts(tmp_path: Path) -> None:
    store = started(open_store(tmp_path))
    digest = encode_record(run_cycles(store, 1))[1]
    (path,) = segments(tmp_path / "journal")
    original = path.read_bytes()
    # In its place: a medium takes milliseconds to write a whole file anew, thousands of times.
    with path.open("r+b", buffering=0) as file:
        for position, byte in enumerate(original):
            file.seek(position)
            file.write(bytes([byte ^ 1]))
            broken(tmp_path / "journal", digest=digest, cycle=11)
            file.seek(position)
            file.write(bytes([byte]))
    assert path.read_bytes() == original
    verify_chain(tmp_path / "journal", digest=digest)


def test_a_removed_segment_is_noticed(journal: Path) -> None:
    first, second, *_, last = segments(journal)
    digest = verified_digest(journal)
    kept = second.read_bytes()
    second.unlink()
    assert "are missing" in broken(journal).reason
    second.write_bytes(kept)
    kept = last.read_bytes()
    last.unlink()
    assert "nothing leads to the record" in broken(journal, digest=digest, cycle=25).reason
    last.write_bytes(kept)
    first.unlink()
    assert "before it are missing" in broken(journal).reason


def test_a_journal_that_is_gone_does_not_lead_to_a_record(tmp_path: Path) -> None:
    assert verify_chain(tmp_path / "nowhere") is None
    assert broken(tmp_path / "nowhere", digest="d", cycle=5).cycle == 5


def test_a_line_that_breaks_the_order_is_noticed_although_its_chain_holds(
    tmp_path: Path,
) -> None:
    """Somebody computed the chain anew over lines that cannot follow each other."""
    from state.journal_frames import chain_lines  # noqa: PLC0415 - used by the forger alone

    memory = memory_store()
    run_cycles(started(memory), 2)
    lines = memory.journal()
    data, _ = chain_lines([*lines[:4], *lines[5:]], None)
    segment_path(tmp_path, 1).write_bytes(data)
    assert "it changes record" in broken(tmp_path).reason


def test_a_reader_beside_the_writer_does_not_see_a_line_without_its_end(journal: Path) -> None:
    complete = len(list(read_lines(journal)))
    newest = segments(journal)[-1]
    for torn in (b"{", b'{"chain":"' + b"0" * 64):
        with newest.open("ab") as file:
            file.write(torn)
        assert len(list(read_lines(journal))) == complete


def test_a_torn_line_in_an_older_segment_is_damage(journal: Path) -> None:
    older = segments(journal)[1]
    older.write_bytes(older.read_bytes()[:-1])
    assert "it has no end" in broken(journal).reason


def test_a_reader_overtaken_by_retention_goes_on_behind_it(tmp_path: Path) -> None:
    store = started(open_store(tmp_path))
    run_cycles(store, 15)
    reader = read_lines(tmp_path / "journal")
    assert next(reader).seq == 1
    tight = Journal(
        tmp_path / "journal",
        files=FaultyFiles(),
        retention=Retention(segment_bytes_max=12_000, total_bytes_max=1),
    )
    assert tight.prune(now_ms=NOW_NS / 1e6) > 1
    rest = list(reader)
    assert rest[-1].cycle == 25
    assert rest[-1] == verify_chain(tmp_path / "journal")


def test_a_segment_that_vanishes_while_it_is_read_is_damage(journal: Path) -> None:
    reader = read_lines(journal)
    next(reader)
    segments(journal)[1].unlink()
    with pytest.raises(JournalBroken, match="not by retention"):
        list(reader)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 2, 8])
def test_a_tail_is_the_last_complete_lines(tmp_path: Path, count: int, most: int) -> None:
    path = tmp_path / "segment"
    lines = [bytes([64 + index]) * 100_000 for index in range(count)]
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"torn")
    tail = read_tail(path, most)
    assert tail.lines == tuple(lines[-most:])
    assert (tail.size, tail.torn) == (count * 100_001, 4)


def test_an_empty_segment_has_no_tail(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(b"")
    tail = read_tail(tmp_path / "segment")
    assert (tail.lines, tail.size, tail.torn) == ((), 0, 0)


def test_a_segment_whose_first_line_never_came_is_used_again(journal: Path) -> None:
    last = verify_chain(journal)
    assert last is not None
    segment_path(journal, last.seq + 1).write_bytes(b'{"chain":"to')
    run_cycles(open_store(journal.parent), 3)
    assert verify_cycles(journal).last == 28
    assert verify_chain(journal) is not None


def test_rotation_killed_at_any_call_leaves_one_journal(tmp_path: Path) -> None:
    """The commit of 16 kB opens a new segment: the chain must hold wherever that ends."""
    template = tmp_path / "template"
    run_cycles(started(open_store(template)), 2)
    body = b'"%s"' % (b"x" * 9000)
    landed = 0
    for count in range(60):
        home = tmp_path / "home"
        shutil.copytree(template, home)
        files = FaultyFiles()
        store = open_store(home, files=files)
        files.kill_at(count)
        try:
            run_cycles(store, 1, body=body)
            landed += 1
        except Killed:
            pass
        store.close()
        survivor = open_store(home)
        if survivor.read().progress.phase.value == "decided":
            from tests.records import note, settle  # noqa: PLC0415 - only in this corner

            survivor.transact(settle, note("settle"))
        run_cycles(survivor, 3, body=body)
        assert verify_cycles(home / "journal").is_complete
        shutil.rmtree(home)
        if landed:
            break
    assert landed == 1
    assert count > 25


def test_old_segments_go_and_the_proof_stays(tmp_path: Path) -> None:
    retention = Retention(segment_bytes_max=12_000, total_bytes_max=30_000)
    store = started(open_store(tmp_path, retention))
    run_cycles(store, 40)
    found = tmp_path / "journal"
    pruned = read_pruned(found)
    assert len(pruned.ranges) > 3
    assert pruned.ranges[0].first_seq == 1
    assert pruned.ranges[0].first_cycle == 10
    for older, newer in zip(pruned.ranges, pruned.ranges[1:], strict=False):
        assert newer.first_seq == older.last_seq + 1
    assert sum(path.stat().st_size for path in segments(found)) <= 45_000
    report = verify_cycles(found)
    assert (report.is_complete, report.last) == (True, 50)
    assert verify_chain(found) is not None
    segments(found)[0].unlink()
    assert broken(found).cycle == pruned.last_cycle + 1


def test_segments_go_by_age(tmp_path: Path) -> None:
    clock = Clock()
    retention = Retention(segment_bytes_max=12_000, age_days_max=10)
    store = started(open_store(tmp_path, retention, now_ns=clock))
    run_cycles(store, 20)
    assert read_pruned(tmp_path / "journal") == Pruned()
    clock.now_ns += 11 * DAY_NS
    run_cycles(store, 4)
    assert read_pruned(tmp_path / "journal").ranges
    assert verify_cycles(tmp_path / "journal").last == 34


def test_pruning_that_died_half_way_is_finished_by_the_next(journal: Path) -> None:
    tight = Retention(segment_bytes_max=12_000, total_bytes_max=20_000)
    files = FaultyFiles()
    files.fail("unlink", segments(journal)[0].name)
    with pytest.raises(OSError, match="Input/output"):
        Journal(journal, files=files, retention=tight).prune(now_ms=NOW_NS / 1e6)
    assert segments(journal)[0].name == "000000000001.jsonl"
    assert verify_chain(journal) is not None
    Journal(journal, files=files, retention=tight).prune(now_ms=NOW_NS / 1e6)
    assert segments(journal)[0].name != "000000000001.jsonl"
    assert verify_chain(journal) is not None


def test_pruning_that_fails_does_not_fail_the_commit(tmp_path: Path) -> None:
    retention = Retention(segment_bytes_max=12_000, total_bytes_max=20_000)
    files = FaultyFiles()
    files.fail("create", "pruned.json.new", times=99)
    store = started(open_store(tmp_path, retention, files=files))
    run_cycles(store, 20)
    assert verify_cycles(tmp_path / "journal").is_complete
    assert read_pruned(tmp_path / "journal") == Pruned()


def test_what_retention_left_behind_cannot_be_changed(journal: Path) -> None:
    tight = Retention(segment_bytes_max=12_000, total_bytes_max=20_000)
    Journal(journal, files=FaultyFiles(), retention=tight).prune(now_ms=NOW_NS / 1e6)
    path = journal / "pruned.json"
    path.write_bytes(path.read_bytes().replace(b'"last_cycle":', b'"last_cycle": '))
    assert broken(journal).segment == "pruned.json"


def test_the_oldest_ranges_are_merged_beyond_the_bound() -> None:
    one = [one_line(number) for number in range(1, RANGES_MAX + 3)]
    pruned = with_ranges(Pruned(), one)
    assert len(pruned.ranges) == RANGES_MAX == 1000
    oldest = pruned.ranges[0]
    assert (oldest.first_seq, oldest.last_seq) == (1, 3)
    assert (oldest.first_chain, oldest.last_chain) == ("a1", "b3")
    assert decode_pruned(encode_pruned(pruned)) == pruned


def test_what_was_removed_last_is_the_end_of_the_newest_range() -> None:
    """The first line that is kept is held against it: any other end is a broken chain."""
    assert (Pruned().last_seq, Pruned().last_cycle, Pruned().last_chain) == (0, 0, "")
    newest = msgspec.structs.replace(one_line(9), last_cycle=77)
    pruned = Pruned(ranges=(one_line(4), one_line(5), newest))
    assert (pruned.last_seq, pruned.last_cycle, pruned.last_chain) == (9, 77, "b9")
    assert b'"format":1,"ranges":[{"first_seq":4,' in encode_pruned(pruned)


def test_more_broken_lines_than_a_crash_explains_are_left_to_an_operator(
    tmp_path: Path,
) -> None:
    store = started(open_store(tmp_path, Retention()))
    run_cycles(store, 10)
    (path,) = segments(tmp_path / "journal")
    lines = path.read_bytes().splitlines(keepends=True)
    spoilt = [line[:-5] + b"#" + line[-4:] for line in lines[-BROKEN_LINES_MAX:]]
    rewrite(path, [*lines[:-BROKEN_LINES_MAX], *spoilt])
    again = open_store(tmp_path, Retention())
    with pytest.raises(JournalBroken, match="last 8 lines are broken"):
        again.read()


def test_an_append_that_failed_is_cut_off_again(tmp_path: Path) -> None:
    memory: MemoryStore = memory_store()
    run_cycles(started(memory), 1)
    lines = memory.journal()
    files = FaultyFiles()
    journal = Journal(tmp_path, files=files, retention=Retention())

    def opening() -> object:
        raise AssertionError

    journal.append(lines[:2], opening=opening)  # type: ignore[arg-type]
    (path,) = segments(tmp_path)
    before = path.read_bytes()
    files.fail("fsync", path.name)
    with pytest.raises(OSError, match="Input/output"):
        journal.append(lines[2:], opening=opening)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    journal.append(lines[2:], opening=opening)  # type: ignore[arg-type]
    assert [line.seq for line in read_lines(tmp_path)] == [1, 2, 3, 4]


def test_a_first_append_that_failed_leaves_no_segment(tmp_path: Path) -> None:
    memory = memory_store()
    started(memory)
    files = FaultyFiles()
    journal = Journal(tmp_path, files=files, retention=Retention())
    files.fail("fsync", tmp_path.name)
    with pytest.raises(OSError, match="Input/output"):
        journal.append(memory.journal(), opening=lambda: memory.journal()[0])
    assert segments(tmp_path) == []
    journal.sync()
    assert journal.head() is None


def test_the_opening_of_a_segment_holds_the_whole_record() -> None:
    memory = memory_store()
    run_cycles(started(memory), 1)
    generation = memory.generation()
    line = segment_line(generation, now_ns=NOW_NS)
    assert line.body == generation.record.body
    assert line.cycle == 11


def one_line(number: int) -> PrunedRange:
    return PrunedRange(
        first_seq=number,
        last_seq=number,
        first_cycle=number,
        last_cycle=number,
        first_chain=f"a{number}",
        last_chain=f"b{number}",
    )


def test_a_writer_keeps_no_file_open(tmp_path: Path) -> None:
    """A worker lives for months: one descriptor a commit would end it within a day."""
    store = started(open_store(tmp_path))
    before = len(list(DESCRIPTORS.iterdir()))
    run_cycles(store, 12)
    assert len(segments(tmp_path / "journal")) > 1
    assert len(list(DESCRIPTORS.iterdir())) == before
