"""Damage, done to a copy of the state and never to the state itself.

Owns the copy and the damage. It is taken by the ordinary export and laid out by the ordinary
restore; what finds and repairs the damage is the production store and the production check.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.drill.scene import Scene, require
from foresight.evidence.errors import CourseLeft
from foresight.evidence.waiting import now_ns, wait_for
from state.archive import Contents, export_state, restore_state
from state.errors import JournalBroken, RecordDamaged
from state.journal_reader import read_lines, segments, verify_chain
from state.local_store import LocalStore
from state.record import Phase
from state.record_file import PREVIOUS, RECORD, read_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.record import Record

SETTLED_S_MAX: Final = 60.0
UNNOTICED: Final = "the damage was not noticed"


class Copy(NamedTuple):
    """A copy of one moment.

    Attributes:
        home: Where it is.
        digest: Of its record.
        cycle: Newest cycle of its record.
    """

    home: Path
    digest: str
    cycle: int


def record_damaged(scene: Scene) -> str:
    """Change one byte in the middle of the record."""

    def changed(data: bytes) -> bytes:
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    return _repaired(scene, changed)


def record_cut(scene: Scene) -> str:
    """Cut the record in half."""
    return _repaired(scene, lambda data: data[: len(data) // 2])


def record_put_back(scene: Scene) -> str:
    """Put the generation before the record in its place."""
    with _copy(scene) as copy:
        path = copy.home / "state" / RECORD
        older = path.with_name(PREVIOUS)
        require("there is no generation before the record", holds=older.exists())
        path.write_bytes(older.read_bytes())
        require(UNNOTICED, holds=read_generation(path).digest != copy.digest)
        _mend(copy, read_generation(path).record)
        return f"noticed; brought forward to cycle {copy.cycle}, digest as before"


def journal_cut(scene: Scene) -> str:
    """Remove the journal's newest line."""
    with _copy(scene) as copy:
        newest = segments(copy.home / "journal")[-1]
        lines = newest.read_bytes().splitlines(keepends=True)
        newest.write_bytes(b"".join(lines[:-1]))
        return _named(copy, copy.cycle)


def journal_changed(scene: Scene) -> str:
    """Change one byte of a decision in the journal's newest segment."""
    with _copy(scene) as copy:
        newest = segments(copy.home / "journal")[-1]
        lines = newest.read_bytes().splitlines(keepends=True)
        kept = list(read_lines(copy.home / "journal"))[-len(lines) :]
        decisions = [index for index, line in enumerate(kept) if line.kind == "decide"]
        require("the newest segment holds no decision", holds=bool(decisions))
        index = decisions[len(decisions) // 2]
        lines[index] = lines[index].replace(b'"attempt":"', b'"attempt":"0', 1)
        newest.write_bytes(b"".join(lines))
        return _named(copy, kept[index].cycle)


def _repaired(scene: Scene, damage: Callable[[bytes], bytes]) -> str:
    with _copy(scene) as copy:
        path = copy.home / "state" / RECORD
        record = read_generation(path).record
        path.write_bytes(damage(path.read_bytes()))
        require(UNNOTICED, holds=_is_damaged(path))
        _mend(copy, record)
        return f"noticed; cycle {copy.cycle} repaired from the journal, digest as before"


def _mend(copy: Copy, record: Record) -> None:
    """Read the copy as a start does, and see that its record is the one that was copied."""
    place = copy.home / "state"
    store = LocalStore(
        place,
        app=record.app,
        timeline=record.timeline,
        now_ns=now_ns,
        force_filesystem=True,  # a copy may be where state may not
    )
    try:
        store.read()
    finally:
        store.close()
    same = read_generation(place / RECORD).digest == copy.digest
    require("it was repaired to another record", holds=same)


def _is_damaged(path: Path) -> bool:
    try:
        read_generation(path)
    except RecordDamaged:
        return True
    return False


def _named(copy: Copy, cycle: int) -> str:
    try:
        verify_chain(copy.home / "journal", digest=copy.digest, cycle=copy.cycle)
    except JournalBroken as broken:
        require(f"cycle {broken.cycle} is named, not {cycle}", holds=broken.cycle == cycle)
        return f"noticed, named: {broken}"
    raise CourseLeft(UNNOTICED)


@contextlib.contextmanager
def _copy(scene: Scene) -> Iterator[Copy]:
    """Yield a copy of the state at a settled cycle."""
    home = scene.instance.home
    app = scene.instance.record().app
    with tempfile.TemporaryDirectory(prefix="foresight-drill-") as place:
        archive, copy = Path(place) / "state.tar", Path(place) / "home"
        copy.mkdir(mode=0o700)

        def exported() -> Contents | None:
            # Between its commits a cycle is repaired by deciding it again: that takes its code.
            contents = export_state(home, archive, now_ns=now_ns())
            return contents if contents.phase is Phase.SETTLED else None

        contents = wait_for("a settled cycle", exported, SETTLED_S_MAX)
        restore_state(copy, archive, app=app, force=True, now_ns=now_ns())
        yield Copy(copy, contents.digest, contents.cycle)
