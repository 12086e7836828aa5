"""Which snapshots of plain directories stay after one more of them went live."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handoff.release_files import release_directory
from handoff.tree_snapshot import SNAPSHOTS_KEPT, prune_snapshots, snapshot_tree

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = "main:create"


def snapshots(home: Path, source: Path, count: int) -> list[str]:
    """Make so many, each a second younger than the one before; return their ids."""
    source.mkdir(exist_ok=True)
    made = []
    for number in range(count):
        (source / "main.py").write_text(f"version = {number}\n")
        release = snapshot_tree(home, source, ENTRY).release
        os.utime(release_directory(home, release), (1000 + number, 1000 + number))
        made.append(release)
    return made


def test_the_newest_stay_and_those_that_somebody_names(tmp_path: Path) -> None:
    """Each `replace` left one more for ever; the way back must never go, however old it is."""
    home = tmp_path / "home"
    made = snapshots(home, tmp_path / "source", SNAPSHOTS_KEPT + 3)
    assert prune_snapshots(home, {made[1]}) == [made[2], made[0]]
    left = {path.name for path in (home / "releases").iterdir()}
    assert left == {made[1], *made[-SNAPSHOTS_KEPT:]}


def test_a_snapshot_that_is_used_again_is_new_again(tmp_path: Path) -> None:
    home, source = tmp_path / "home", tmp_path / "source"
    made = snapshots(home, source, SNAPSHOTS_KEPT + 1)
    (source / "main.py").write_text("version = 0\n")
    assert snapshot_tree(home, source, ENTRY).release == made[0]
    assert prune_snapshots(home, set()) == [made[1]]


def test_what_is_no_snapshot_is_nobody_s_to_remove(tmp_path: Path) -> None:
    """Releases built from commits are kept by the rules of `deploy`."""
    home = tmp_path / "home"
    other = home / "releases" / "0123456789ab-cdef01"
    other.mkdir(parents=True)
    snapshots(home, tmp_path / "source", SNAPSHOTS_KEPT + 1)
    prune_snapshots(home, set())
    assert other.is_dir()
