"""The engine itself, for trees that do not carry it.

Owns the copy of our own packages that goes into the release of an application which is a
project of its own. Its digest becomes part of the release's name: the engine that a release
was built with is the one it starts with again, whatever is installed by then.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES: Final = ("state", "handoff", "deploy", "foresight")
DIRECTORY: Final = "engine"  # in a release, beside its tree
CARRIED: Final = "handoff/__init__.py"  # a tree with this file is, or brings, the engine

_ROOT: Final = Path(__file__).resolve().parents[1]
_BYTECODE: Final = "__pycache__"


def is_carried(paths: Iterable[str]) -> bool:
    """Tell whether a tree brings the engine along."""
    return CARRIED in paths


def files(root: Path = _ROOT) -> list[str]:
    """Return the engine's files, relative to where its packages are."""
    return sorted(
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and _BYTECODE not in path.parts
    )


def digest(root: Path = _ROOT) -> str:
    """Return a hash of the engine's files: names and content."""
    total = hashlib.sha256()
    for name in files(root):
        content = hashlib.sha256((root / name).read_bytes()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def copy(target: Path, root: Path = _ROOT, *, like: Path | None = None) -> list[str]:
    """Copy the engine into a directory that is not there yet; return its files.

    Args:
        target: The directory.
        root: Where the engine's packages are.
        like: An earlier release's copy, never to be changed, or None: what is the same there is
            linked, which is most of what a code-only deploy would write.
    """
    names = files(root)
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if like is None or not _linked(root / name, like / name, place):
            shutil.copyfile(root / name, place)
    return names


def _linked(source: Path, earlier: Path, place: Path) -> bool:
    try:
        if earlier.read_bytes() != source.read_bytes():
            return False
        os.link(earlier, place)
    except OSError:  # it is not there, or this disk has no links
        return False
    return True
