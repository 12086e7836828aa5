"""Two processes and one record, of which one dies in the middle of a commit.

Alone each of them holds; what the other one remembers of before is what may be wrong.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from state.record import Phase
from tests.faulty_files import FaultyFiles, Killed
from tests.homes import kinds, open_store, prove
from tests.records import deciding, effect, note, run_cycles, settle, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.local_store import LocalStore
    from state.record import Record


def beside_one_that_dies(template: Path, home: Path) -> Iterator[tuple[LocalStore, bool]]:
    """Yield a store that has just committed, beside one that died at a call of its settle.

    Whoever goes on has the record, the end of the journal and the file of its next commit in
    mind; whoever died may have changed each of them.
    """
    run_cycles(started(open_store(template)), 2)
    for count in range(99):
        shutil.copytree(template, home)
        living, files = open_store(home), FaultyFiles()
        living.transact(deciding(effect("order-13")), note("decide"))
        dying = open_store(home, files=files)
        dying.read()
        files.kill_at(count)
        has_ended = False
        try:
            dying.transact(settle, note("settle"))
            has_ended = True
        except Killed:
            dying.close()
        yield living, has_ended
        living.close()
        if has_ended:
            return
        shutil.rmtree(home)


def test_a_store_beside_one_that_dies_in_a_commit_goes_on_from_what_happened(
    tmp_path: Path,
) -> None:
    """Its line decides: settled once, by whoever came to it."""
    home, found = tmp_path / "home", []
    for living, _ in beside_one_that_dies(tmp_path / "template", home):
        phase = living.read().progress.phase
        found.append(phase)
        if phase is Phase.DECIDED:
            living.transact(settle, note("settle"))
        run_cycles(living, 1)
        assert kinds(home)[-4:] == ["decide", "settle", "decide", "settle"]
        assert prove(home).progress.cycle == 14
    assert found == sorted(found, key=lambda phase: phase is Phase.SETTLED)
    assert {*found} == {Phase.DECIDED, Phase.SETTLED}
    assert len(found) > 8


def test_a_store_that_acts_without_a_look_acts_on_what_happened(tmp_path: Path) -> None:
    """An owner does not read before it writes: its change is applied to the newest record."""
    home = tmp_path / "home"
    for living, _ in beside_one_that_dies(tmp_path / "template", home):
        seen: list[Phase] = []

        def look(record: Record, seen: list[Phase] = seen) -> Record:
            seen.append(record.progress.phase)
            return record

        living.transact(look, note("look"))
        assert seen == [Phase.SETTLED if kinds(home)[-1] == "settle" else Phase.DECIDED]
