"""A host's own journal of a record that is elsewhere: chained, and honest about its holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from state.atomic_file import SystemFiles
from state.commit import Generation
from state.errors import EtcdOlder, HomeUnsuitable, JournalBroken, RecordMissing
from state.host_journal import HostJournal, Newest
from state.journal import Retention
from state.journal_frames import CHECKPOINT_CYCLES, SEGMENT, Line, decode_unchecked
from state.journal_reader import (
    read_lines,
    read_pruned,
    segments,
    unproven_cycles,
    verify_chain,
    verify_cycles,
)
from state.local_store import read_only_generation, read_only_snapshot
from state.mirror import MIRROR, record_path
from state.record import encode_record
from state.record_file import RECORD
from state.replay import replay_lines
from tests.faulty_files import FaultyFiles, Killed
from tests.homes import open_store
from tests.records import (
    NOW_NS,
    B,
    decided_again,
    halted,
    memory_store,
    note,
    run_cycles,
    seize,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.memory_store import MemoryStore

BODIES = CHECKPOINT_CYCLES + 3  # cycles after which a line with a body lies behind


class Elsewhere:
    """A record in an etcd, as a host's journal sees it: lines by number, the oldest gone."""

    def __init__(self) -> None:
        self.store: MemoryStore = memory_store()
        started(self.store)
        self.kept = 1024
        self.asked: list[int] = []
        self.said = 10  # the newest cycle that a home said it has

    def newest(self) -> Newest:
        assert self.store.data is not None
        found = self.store.generation()
        return Newest(Generation(found.record, found.digest), self.store.data, self.count)

    @property
    def count(self) -> int:
        return len(self.store.lines)

    @property
    def _oldest(self) -> int:
        return max(1, self.count - self.kept + 1)

    def line(self, number: int) -> Line:
        self.asked.append(number)
        if not self._oldest <= number <= self.count:
            raise RecordMissing(str(number))
        return decode_unchecked(self.store.lines[number - 1])

    def number_of(self, result: str) -> int | None:
        held = range(self.count, self._oldest - 1, -1)
        return next((each for each in held if self.line(each).result == result), None)

    def oldest_line(self) -> Line:
        return self.line(self._oldest)

    def said_of(self, home: str) -> int:
        assert home
        return self.said

    def older(self, fact: str) -> EtcdOlder:
        return EtcdOlder("etcd", fact)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def kept(home: Path) -> Iterator[HostJournal]:
    found = host_journal(home)
    yield found
    found.close()


class QuickFiles(SystemFiles):
    """A disk that is never waited for: no power is cut here."""

    @override
    def fsync(self, descriptor: int) -> None:
        return


def host_journal(home: Path, **changes: object) -> HostJournal:
    words: dict[str, object] = {"now_ns": lambda: NOW_NS, "files": QuickFiles()}
    return HostJournal(home, **(words | changes))  # type: ignore[arg-type]


def follow_once(home: Path, elsewhere: Elsewhere) -> None:
    """Let a host write down what there is, and leave."""
    host = host_journal(home)
    host.follow(elsewhere.newest(), elsewhere)
    host.close()


def forget_most(elsewhere: Elsewhere) -> None:
    """Run so many cycles that whoever followed before has missed some that are not kept."""
    run_cycles(elsewhere.store, BODIES)
    elsewhere.kept = 2 * BODIES - 8


def prove(home: Path) -> list[str]:
    """Check journal and mirror against each other; return the kinds of the lines."""
    found = read_only_generation(home / "state")
    verify_chain(home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
    report = verify_cycles(home / "journal")
    assert (report.missing, report.doubled, report.unsettled, report.gaps) == ((), (), (), ())
    lines = list(read_lines(home / "journal"))
    assert replay_lines(lines, decided_again).deviations == ()
    assert lines[-1].result == found.digest
    return [line.kind for line in lines]


def test_each_change_is_appended_and_mirrored_without_asking(
    elsewhere: Elsewhere, home: Path, kept: HostJournal
) -> None:
    kept.follow(elsewhere.newest(), elsewhere)
    elsewhere.asked = []
    for _ in range(3):
        run_cycles(elsewhere.store)
        kept.follow(elsewhere.newest(), elsewhere)
    elsewhere.store.transact(halted, note("command"))
    kept.follow(elsewhere.newest(), elsewhere, written=elsewhere.store.journal()[-1])
    assert prove(home) == ["genesis", "seize", *["decide", "settle"] * 3, "command"]
    assert read_only_snapshot(home / "state") == elsewhere.store.read()
    assert elsewhere.asked == [3, 4, 5, 6, 7, 8], "its own line nobody reads"


def test_what_was_followed_already_is_not_appended_twice(
    elsewhere: Elsewhere, home: Path, kept: HostJournal
) -> None:
    """Two workers of one home follow the same record."""
    other = host_journal(home)
    older = elsewhere.newest()
    other.follow(older, elsewhere)
    run_cycles(elsewhere.store)
    kept.follow(elsewhere.newest(), elsewhere)
    other.follow(elsewhere.newest(), elsewhere)
    other.follow(older, elsewhere)  # it was slow, and its home has gone on
    assert prove(home) == ["genesis", "seize", "decide", "settle"]
    other.close()


def test_a_host_that_was_away_catches_up_where_it_was(elsewhere: Elsewhere, home: Path) -> None:
    follow_once(home, elsewhere)
    run_cycles(elsewhere.store, 40)
    follow_once(home, elsewhere)
    assert prove(home) == ["genesis", "seize", *["decide", "settle"] * 40]
    assert unproven_cycles(home / "journal") == ()


@pytest.mark.parametrize("was_there", [False, True])
def test_a_host_that_comes_too_late_begins_with_the_newest_body_and_names_the_hole(
    elsewhere: Elsewhere, home: Path, *, was_there: bool
) -> None:
    if was_there:
        follow_once(home, elsewhere)
    forget_most(elsewhere)
    late = host_journal(home)
    late.follow(elsewhere.newest(), elsewhere)
    run_cycles(elsewhere.store)
    late.follow(elsewhere.newest(), elsewhere)
    late.close()
    kinds = prove(home)
    assert kinds[2 * was_there] == SEGMENT
    (hole,) = unproven_cycles(home / "journal")
    begun = next(read_lines(home / "journal", hole.last)) if not was_there else None
    assert hole.first == (11 if was_there else 0)
    assert hole.last % CHECKPOINT_CYCLES == 0, "the body of a checkpoint was there"
    assert begun is None or begun.cycle == hole.last


def test_a_hole_that_nothing_followed_is_put_right(elsewhere: Elsewhere, home: Path) -> None:
    """The writer died between the note and the segment."""
    forget_most(elsewhere)
    files = FaultyFiles()
    dying = host_journal(home, files=files)

    def before(call: str, name: str) -> None:
        if call == "create" and name.endswith(".jsonl"):
            raise Killed

    files.before = before
    with pytest.raises(Killed):
        dying.follow(elsewhere.newest(), elsewhere)
    dying.close()
    assert read_pruned(home / "journal").holes
    assert unproven_cycles(home / "journal") == ()
    follow_once(home, elsewhere)
    prove(home)
    assert len(read_pruned(home / "journal").holes) == 1


@pytest.mark.parametrize("call", list(range(9)))
def test_wherever_it_dies_the_next_one_goes_on(elsewhere: Elsewhere, home: Path, call: int) -> None:
    follow_once(home, elsewhere)
    run_cycles(elsewhere.store, 2)
    files = FaultyFiles()
    dying = host_journal(home, files=files)
    files.kill_at(call)
    with pytest.raises(Killed):
        dying.follow(elsewhere.newest(), elsewhere)
    dying.close()
    follow_once(home, elsewhere)
    assert prove(home) == ["genesis", "seize", *["decide", "settle"] * 2]


def test_segments_are_closed_and_pruned_as_on_one_host(elsewhere: Elsewhere, home: Path) -> None:
    small = Retention(segment_bytes_max=6_000, total_bytes_max=20_000)
    kept = host_journal(home, retention=small)
    for _ in range(30):
        run_cycles(elsewhere.store)
        kept.follow(elsewhere.newest(), elsewhere)
    kept.close()
    assert len(segments(home / "journal")) > 3
    assert read_pruned(home / "journal").ranges
    prove(home)


def test_a_segment_before_a_hole_may_go_by_age(elsewhere: Elsewhere, home: Path) -> None:
    small = Retention(segment_bytes_max=6_000, total_bytes_max=20_000)
    kept = host_journal(home, retention=small)
    for _ in range(3):
        run_cycles(elsewhere.store)
        kept.follow(elsewhere.newest(), elsewhere)
    forget_most(elsewhere)
    kept.follow(elsewhere.newest(), elsewhere)
    assert unproven_cycles(home / "journal")
    for _ in range(30):
        run_cycles(elsewhere.store)
        kept.follow(elsewhere.newest(), elsewhere)
    prove(home)
    kept.close()
    assert unproven_cycles(home / "journal") == (), "it is beyond what is kept"


def test_a_hole_does_not_hide_a_line_that_was_removed(elsewhere: Elsewhere, home: Path) -> None:
    follow_once(home, elsewhere)
    forget_most(elsewhere)
    follow_once(home, elsewhere)
    before, after = segments(home / "journal")
    whole = before.read_bytes()
    before.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(JournalBroken, match="before it are missing"):
        list(read_lines(home / "journal"))
    before.write_bytes(whole)
    after.write_bytes(b"".join(after.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(JournalBroken):
        list(read_lines(home / "journal"))


def test_a_journal_that_has_gone_further_than_etcd_refuses_it(
    elsewhere: Elsewhere, home: Path
) -> None:
    """An etcd that was put back knows less: nothing may be decided from there."""
    run_cycles(elsewhere.store, 3)
    follow_once(home, elsewhere)
    put_back = Elsewhere()
    run_cycles(put_back.store, 2)
    put_back.store.transact(lambda record: seize(record, B), note("seize"))
    again = host_journal(home)
    with pytest.raises(EtcdOlder, match="newest line of this host"):
        again.follow(put_back.newest(), put_back)
    again.close()
    assert read_only_snapshot(home / "state") == elsewhere.store.read()


def test_a_disk_that_fails_is_said_and_the_next_call_goes_on(
    elsewhere: Elsewhere, home: Path
) -> None:
    files = FaultyFiles()
    kept = host_journal(home, files=files)
    kept.follow(elsewhere.newest(), elsewhere)
    run_cycles(elsewhere.store)
    files.fail("fsync", f"{1:012d}.jsonl")
    with pytest.raises(OSError, match="rror"):
        kept.follow(elsewhere.newest(), elsewhere)
    kept.follow(elsewhere.newest(), elsewhere)
    kept.close()
    assert prove(home) == ["genesis", "seize", "decide", "settle"]


def test_a_home_keeps_a_record_or_a_mirror_never_both(elsewhere: Elsewhere, home: Path) -> None:
    follow_once(home, elsewhere)
    assert record_path(home / "state").name == MIRROR
    with pytest.raises(HomeUnsuitable, match="in an etcd") as refused:
        open_store(home)
    assert "[engine] state" in refused.value.hint
    other = home / "other"
    started(open_store(other))
    assert record_path(other / "state").name == RECORD
    with pytest.raises(HomeUnsuitable, match="no etcd knows"):
        host_journal(other)


def test_a_mirror_is_the_record_to_the_byte(elsewhere: Elsewhere, home: Path) -> None:
    follow_once(home, elsewhere)
    record = elsewhere.store.read()
    assert (home / "state" / MIRROR).read_bytes() == encode_record(record)[0]
    with pytest.raises(RecordMissing, match=RECORD):
        read_only_snapshot(home / "journal")
