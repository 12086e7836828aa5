"""How long a line is kept, how much of a journal, and that what is left proves itself elsewhere."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from state.archive import export_state, restore_state
from state.journal import Journal, Retention
from state.journal_reader import (
    read_lines,
    read_pruned,
    segments,
    verify_chain,
    verify_cycles,
)
from tests.faulty_files import FaultyFiles
from tests.homes import open_store, prove
from tests.records import APP, NOW_NS, run_cycles, started

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 24 * 3600 * 1000.0
NOW_MS = NOW_NS / 1e6


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose journal has several segments, all of them written at `NOW_MS`."""
    home = tmp_path_factory.mktemp("written") / "home"
    run_cycles(started(open_store(home, retention=Retention(segment_bytes_max=4_000))), 12)
    assert len(segments(home / "journal")) > 4
    return home


@pytest.fixture
def home(written: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(written, tmp_path / "home")


def prune(home: Path, *, now_ms: float = NOW_MS, **retention: int) -> int:
    journal = home / "journal"
    kept = Retention(**retention)
    return Journal(journal, files=FaultyFiles(), retention=kept).prune(now_ms=now_ms)


def sizes(home: Path) -> list[int]:
    return [path.stat().st_size for path in segments(home / "journal")]


def test_a_line_is_kept_for_four_hundred_days_and_no_day_longer(home: Path) -> None:
    """The days are days: as hours of one they went unseen, until a year was to be reported on."""
    assert prune(home, now_ms=NOW_MS + 399 * DAY_MS) == 0
    before = len(segments(home / "journal"))
    assert prune(home, now_ms=NOW_MS + 401 * DAY_MS) == before - 1


def test_a_line_goes_when_it_is_older_than_its_days_and_not_at_them(home: Path) -> None:
    newest = max(line.at_ms for line in read_lines(home / "journal"))
    assert prune(home, now_ms=newest + 2 * DAY_MS, age_days_max=2) == 0
    assert prune(home, now_ms=newest + 2 * DAY_MS + 1, age_days_max=2) > 0


def test_a_journal_has_room_for_two_years_of_cycles_of_five_minutes() -> None:
    """Two lines a cycle, 2.5 kB each: what is said of a year must not go before the year."""
    two_years = 2 * 365 * 24 * 12 * 2 * 2_500
    assert two_years <= Retention().total_bytes_max <= 2 * two_years


def test_a_journal_goes_when_it_is_larger_than_its_bytes_and_not_at_them(home: Path) -> None:
    total = sum(sizes(home))
    assert prune(home, total_bytes_max=total) == 0
    assert prune(home, total_bytes_max=total - 1) == 1


def test_no_more_of_a_journal_goes_than_has_to(home: Path) -> None:
    before = sizes(home)
    bound = sum(before) // 2
    removed = prune(home, total_bytes_max=bound)
    assert sum(before[removed:]) <= bound < sum(before[removed - 1 :])


def test_the_newest_segment_stays_however_old_and_large_it_is(home: Path) -> None:
    """Without it nothing would say where the journal ends."""
    newest = segments(home / "journal")[-1]
    prune(home, now_ms=NOW_MS + 9_999 * DAY_MS, total_bytes_max=1)
    assert segments(home / "journal") == [newest]
    run_cycles(open_store(home), 1)
    prove(home)


def moved(home: Path) -> Path:
    """Export a home and bring it back in an empty one."""
    archive, other = home.parent / "copy.tar", home.parent / "other"
    export_state(home, archive, now_ns=NOW_NS)
    other.mkdir()
    restore_state(other, archive, app=APP, force=False, now_ns=NOW_NS)
    return other


def test_what_retention_left_is_proven_elsewhere_too(home: Path) -> None:
    """Without what it says of the lines that went, a copy would be a journal with a hole."""
    assert prune(home, total_bytes_max=sum(sizes(home)) // 2) > 1
    pruned, first = read_pruned(home / "journal"), next(iter(read_lines(home / "journal")))
    other = moved(home)
    assert read_pruned(other / "journal") == pruned
    assert next(iter(read_lines(other / "journal"))) == first
    prove(other)
    run_cycles(open_store(other), 3)
    assert verify_cycles(other / "journal").last == prove(other).progress.cycle


def test_a_copy_that_is_pruned_again_remembers_both_times(home: Path) -> None:
    prune(home, total_bytes_max=sum(sizes(home)) * 3 // 4)
    other = moved(home)
    before = read_pruned(other / "journal")
    assert prune(other, total_bytes_max=sum(sizes(other)) // 2) > 0
    after = read_pruned(other / "journal")
    assert after.ranges[: len(before.ranges)] == before.ranges
    assert after.last_seq + 1 == next(iter(read_lines(other / "journal"))).seq
    assert verify_chain(other / "journal") is not None


def test_an_export_while_a_pruning_died_half_way_has_one_journal(home: Path) -> None:
    """What went is written down first: its segments may still be there, and do not count."""
    files = FaultyFiles()
    files.fail("unlink", segments(home / "journal")[1].name)
    kept = Retention(total_bytes_max=sum(sizes(home)) // 2)
    with pytest.raises(OSError, match="Input/output"):
        Journal(home / "journal", files=files, retention=kept).prune(now_ms=NOW_MS)
    lines = [line.seq for line in read_lines(home / "journal")]
    other = moved(home)
    assert [line.seq for line in read_lines(other / "journal")] == lines
    prove(other)
