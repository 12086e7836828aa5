"""A commit of this engine beside one of the previous release, measured in turn in one run.

Owns where the old code comes from: git, by the commit in `tests/upgrade/previous.toml`.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAM: Final = Path(__file__).with_name("store_timer.py")
WARM_UP: Final = 3  # commits that are not counted


def measure(directory: Path, *, rounds: int, body_bytes: int) -> dict[str, list[float]]:
    """Time commits of both engines in turn.

    Args:
        directory: Where both homes are made, on one file system.
        rounds: Commits of each.
        body_bytes: Size of the body in each record.

    Returns:
        Milliseconds of each, under `this` and `previous`; nothing where this clone does not have
        the previous release.
    """
    tree = directory / "tree"
    if not _lay_out(tree):
        return {}
    took: dict[str, list[float]] = {"this": [], "previous": []}
    with (
        _engine(ROOT, directory / "this", body_bytes) as this,
        _engine(tree, directory / "previous", body_bytes) as previous,
    ):
        for number in range(rounds + WARM_UP):
            for name, engine in (("this", this), ("previous", previous)):
                taken_ms = _commit(engine)
                if number >= WARM_UP:
                    took[name].append(taken_ms)
    return took


def _lay_out(tree: Path) -> bool:
    named = tomllib.loads((ROOT / "tests/upgrade/previous.toml").read_text(encoding="utf-8"))
    command = ["git", "-C", str(ROOT), "archive", "--format=zip", named["commit"], "state"]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode == 0:
        with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
            archive.extractall(tree)
    return done.returncode == 0


@contextlib.contextmanager
def _engine(tree: Path, home: Path, body_bytes: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", str(PROGRAM), str(tree), str(home), str(body_bytes)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _commit(engine: subprocess.Popen[str]) -> float:
    assert engine.stdin is not None
    assert engine.stdout is not None
    engine.stdin.write("commit\n")
    engine.stdin.flush()
    return float(engine.stdout.readline())
