"""A journal may be pruned while somebody reads it: that is no alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from state import journal_reader
from state.errors import JournalOvertaken
from state.journal import Journal, Retention
from state.journal_reader import read_lines, segments, verify_chain, verify_cycles
from state.pruned import Pruned, PrunedRange
from tests import homes
from tests.faulty_files import FaultyFiles
from tests.records import NOW_NS, run_cycles, started

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of fifteen cycles in several segments."""
    store = started(homes.open_store(tmp_path, retention=Retention(segment_bytes_max=12_000)))
    run_cycles(store, 15)
    store.close()
    found = tmp_path / "journal"
    assert len(segments(found)) > 3
    return found


class Pruning:
    """Prunes a journal once, at a moment of somebody else's reading of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, journal: Path) -> None:
        self._monkeypatch = monkeypatch
        self._journal = journal
        self.done = False

    def prune(self) -> None:
        if not self.done:
            self.done = True
            tight = Retention(segment_bytes_max=12_000, total_bytes_max=20_000)
            Journal(self._journal, files=FaultyFiles(), retention=tight).prune(now_ms=NOW_NS / 1e6)

    def around(self, name: str, *, before: bool, count: int = 1) -> None:
        """Prune before or after so many calls of a function of the reader."""
        called = getattr(journal_reader, name)
        calls = 0

        def hurried(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if before and calls == count:
                self.prune()
            answer = called(*arguments, **options)
            if not before and calls == count:
                self.prune()
            return answer

        self._monkeypatch.setattr(journal_reader, name, hurried)


@pytest.mark.parametrize(
    "moment",
    [
        {"name": "read_pruned", "before": True},
        {"name": "segments", "before": True},  # what is there begins later than was read
        {"name": "segments", "before": False},  # the first one that is opened is gone
        {"name": "decode_line", "before": True, "count": 8},  # in the first segment
        {"name": "decode_first_line", "before": False},
        {"name": "decode_line", "before": True, "count": 30},  # behind some that are gone
    ],
    ids=str,
)
@pytest.mark.parametrize("since", [None, 14])
def test_nothing_is_wrong_with_a_journal_that_is_pruned_while_it_is_read(
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: dict[str, Any],
    since: int | None,
) -> None:
    """An alarm by night for what retention does every few weeks."""
    pruning = Pruning(monkeypatch, journal)
    pruning.around(**moment)
    report = verify_cycles(journal, since)
    assert report.is_complete
    assert report.last == 25
    if since is None:
        assert pruning.done
        pruning.done = False
        assert verify_chain(journal) is not None


def test_lines_that_are_listed_while_segments_go_come_once_and_in_order(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pruning(monkeypatch, journal).around("decode_line", before=True, count=8)
    seqs = [line.seq for line in read_lines(journal)]
    assert seqs == sorted(set(seqs))
    assert seqs[0] == 1
    assert len(seqs) > 8


def test_a_journal_that_is_pruned_faster_than_it_is_read_says_so(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned = [Pruned(), *(Pruned(ranges=(_range_to(number),)) for number in range(1, 99))]
    monkeypatch.setattr(journal_reader, "read_pruned", lambda _: pruned.pop(0))
    monkeypatch.setattr(journal_reader, "segments", lambda _: [journal / "000000000099.jsonl"])
    with pytest.raises(JournalOvertaken, match="pruned while it was read"):
        verify_cycles(journal)
    with pytest.raises(JournalOvertaken):
        list(read_lines(journal))


def _range_to(number: int) -> PrunedRange:
    return PrunedRange(
        first_seq=1,
        last_seq=number,
        first_cycle=1,
        last_cycle=number,
        first_chain="a",
        last_chain="b",
    )
