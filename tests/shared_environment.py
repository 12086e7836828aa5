"""An environment installed once for all tests of a session: a home comes in, and has it by links.

Installing copies five thousand files, which takes as long as all the rest of a bot's life in a
test, and taking them away slows down whoever makes files next to them. Tests of the installing
itself, of the demonstration and of a new project install their own.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from filelock import FileLock

from deploy import environments

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "requirements.lock"
_SESSION = re.compile(r"pytest-\d+")  # what pytest calls the place of one session, for all workers


def share_environment(home: Path, tree: Path) -> None:
    """Let a home have what a project's lock asks for before anything is started there.

    Args:
        home: The home, which need not be there; below a place of pytest's, or it gets nothing.
        tree: The project, whose lock it is.
    """
    lock = (tree / LOCK_FILE).read_bytes()
    session = next((each for each in home.parents if _SESSION.fullmatch(each.name)), None)
    if session is None:
        return  # a place of the caller's own (`--basetemp`): the home installs what it needs
    shared = session / "installed"
    shared.mkdir(mode=0o700, exist_ok=True)
    with FileLock(shared / ".lock", timeout=60, fallback_to_soft=False):
        made = environments.ensure(shared, lock)  # one that a test changed is made again
    source = environments.environment_directory(shared, made.name)
    place = environments.environment_directory(home, made.name)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(source, place, symlinks=True, copy_function=os.link)
