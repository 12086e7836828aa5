"""A project of one's own: the files that `foresight init` writes.

Owns the template's way onto disk, and the refusal of what would not work: a directory that
holds something already, a tree that hides the engine behind a name of its own.
"""

from __future__ import annotations

import importlib.resources
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foresight.errors import ForesightError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

ENTRY: Final = "foresight.trader:create"  # of a tree that names no worker of its own
PACKAGES: Final = ("state", "handoff", "deploy", "foresight")
RENAMED: Final = {"gitignore": ".gitignore"}  # a dot file would be lost in some archives
TEXT: Final = ".txt"  # the template's modules are text here: no tool takes them for ours
LOCK: Final = "requirements.lock"


class ProjectRefused(ForesightError):
    """No project can be made here."""

    def __init__(self, what: str, hint: str) -> None:
        """Keep what is in the way and what to do."""
        super().__init__(what)
        self.hint = hint


def shadowing(tree: Path) -> list[str]:
    """Return the modules of a tree that would hide packages of the engine."""
    names = (
        name
        for package in PACKAGES
        for name in (package, f"{package}.py")
        if (tree / name).exists()
    )
    return list(names)


def write_project(directory: Path, name: str) -> list[str]:
    """Write a new project; return its files, relative to the directory.

    Raises:
        ProjectRefused: The directory holds something, or this installation has no lock file.
    """
    if directory.exists() and any(path.name != ".git" for path in directory.iterdir()):
        hidden = shadowing(directory)
        if hidden:
            what = f"{directory} holds {', '.join(hidden)}, which would hide the engine's"
            raise ProjectRefused(what, "rename them, or choose another directory")
        what = f"{directory} is not empty"
        raise ProjectRefused(what, "choose a new directory")
    lock = _lock()
    directory.mkdir(parents=True, exist_ok=True)
    words = {
        "@name@": name,
        "@python@": sys.executable,
        "@foresight@": str(Path(sys.executable).parent / "foresight"),
    }
    template = importlib.resources.files("foresight") / "template"
    written = sorted(_copy(template, directory, words))
    shutil.copyfile(lock, directory / LOCK)
    return [*written, LOCK]


def _copy(source: Traversable, target: Path, words: dict[str, str]) -> list[str]:
    written: list[str] = []
    for entry in source.iterdir():
        place = target / RENAMED.get(entry.name, entry.name.removesuffix(TEXT))
        if entry.is_dir():
            if entry.name != "__pycache__":
                place.mkdir(exist_ok=True)
                written += [f"{place.name}/{each}" for each in _copy(entry, place, words)]
            continue
        text = entry.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        place.write_text(text, encoding="utf-8")
        written.append(place.name)
    return written


def _lock() -> Path:
    root = Path(__file__).resolve().parents[1]
    for place in (root / LOCK, root / "deploy" / LOCK):
        if place.is_file():
            return place
    what = "this installation has no requirements.lock"
    raise ProjectRefused(what, "install Foresight from its repository: `make setup`")
