"""The power goes on a real file system: what is on the disk image at the moment of a kill.

`python -m tests.crash.disk_images KIND`, as root and in a mount namespace of its own. A home lies
on a file system in a file; the victim is killed at a call, the file is copied before anything is
unmounted, and the copy is mounted as after a power cut: what the kernel had not written is gone.
Prints totals as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.crash.judge import Verdict, judge
from tests.crash.sweep import CHANGING, LIMIT_S, Point, Sweep

IMAGE_BYTES: Final = 32 << 20
# xfs makes no file system below 300 MB.
SIZES: Final = {"ext4": IMAGE_BYTES, "xfs": 300 << 20}
OPTIONS: Final = {"ext4": ("-q", "-F"), "xfs": ("-q", "-f")}
STEPS: Final = ("decide", "settle", "take")


def why_impossible(kind: str) -> str:
    """Return why no file system of a kind can be made and mounted here, or an empty string."""
    if os.geteuid() != 0:
        return "only root may mount a disk image"
    if shutil.which(f"mkfs.{kind}") is None:
        return f"mkfs.{kind} is not installed"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    return ""


def run_all(kind: str, place: Path) -> dict[str, int]:
    """Kill each step at each changing call; return what came of it."""
    sweeper = Sweep(place / "sweep")
    counts = dict.fromkeys(("points", "not_struck", "torn", "lost", "doubled", "old", "new"), 0)
    for step in STEPS:
        template = _image(kind, sweeper.template(step), place / f"{step}.img")
        for number, point in enumerate(_kills(sweeper.points(step))):
            verdict, struck, grown = _cut(sweeper, point, template, place / f"{step}-{number}")
            counts["points"] += 1
            counts["not_struck"] += not struck
            counts["torn"] += bool(verdict.torn)
            counts["lost"] += bool(verdict.lost)
            counts["doubled"] += bool(verdict.doubled)
            counts["new" if grown else "old"] += 1
            if not verdict.is_clean:
                sys.stderr.write(f"{point.where}: {verdict}\n")
    return counts


def _kills(points: list[Point]) -> list[Point]:
    return [each for each in points if each.fault == "KILL" and each.call in CHANGING]


def _image(kind: str, template: Path, path: Path) -> Path:
    """Make a file system in a file, with a home and beside it what was told so far."""
    with path.open("wb") as file:
        file.truncate(SIZES[kind])
    _do(f"mkfs.{kind}", *OPTIONS[kind], str(path))
    home = path.with_suffix(".mount")
    home.mkdir()
    _do("mount", "-o", "loop", str(path), str(home))
    try:
        shutil.copytree(template / "home", home, dirs_exist_ok=True)
    finally:
        _do("umount", str(home))
    shutil.copy2(template / "acks", path.with_suffix(".acks"))
    return path


def _cut(sweeper: Sweep, point: Point, template: Path, place: Path) -> tuple[Verdict, bool, bool]:
    """Cut the power at a point; return the verdict, whether it struck, whether a line was new."""
    home, disk, later = place / "home", place / "disk.img", place / "later.img"
    home.mkdir(parents=True)
    _do("cp", "--sparse=always", str(template), str(disk))
    shutil.copy2(template.with_suffix(".acks"), place / "acks")
    _do("mount", "-o", "loop", str(disk), str(home))
    try:
        struck = sweeper.strike(point, place)
        _do("cp", "--sparse=always", str(disk), str(later))  # nothing is flushed for it
    finally:
        _do("umount", str(home))
    _do("mount", "-o", "loop", str(later), str(home))
    try:
        before = _journal_bytes(template, home)
        code = sweeper.survive(place)
        verdict = judge(home, place / "acks")
        if code:
            verdict = verdict._replace(torn=(*verdict.torn, f"the survivor ended with {code}"))
    finally:
        _do("umount", str(home))
    shutil.rmtree(place)
    return verdict, struck, before


def _journal_bytes(template: Path, home: Path) -> bool:
    """Tell whether the journal on the disk is longer than it was at first."""
    size = sum(path.stat().st_size for path in (home / "journal").glob("*.jsonl"))
    note = template.with_suffix(".size")
    if not note.exists():
        note.write_text(str(size), encoding="ascii")  # killed at the first call: as it was
    return size > int(note.read_text(encoding="ascii"))


def _do(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=LIMIT_S)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="crash-image-") as name:
        sys.stdout.write(json.dumps(run_all(sys.argv[1], Path(name))) + "\n")
