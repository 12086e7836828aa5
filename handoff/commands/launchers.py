"""Every launcher of this user on this machine, found where the kernel lists processes.

Owns how one is known: by the command line that it was started with. There is no register that
could be wrong. Other users' launchers are not shown, nor could they be asked.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_PROGRAM: Final = "from handoff.launcher_process import main"  # as in `handoff.launcher.process`
_WORD: Final = "launcher"
_PREFLIGHT: Final = "--preflight"


class Launcher(NamedTuple):
    """One that runs.

    Attributes:
        pid: Its process.
        home: The state directory that it was started for.
    """

    pid: int
    home: Path


def launchers(proc: Path = PROC, user: int | None = None) -> list[Launcher]:
    """Return the launchers of a user, by their homes; none where processes are not listed.

    Args:
        proc: Where the kernel lists processes.
        user: The uid; by default our own.
    """
    wanted = os.getuid() if user is None else user
    found = [_launcher_in(place, wanted) for place in proc.glob("[0-9]*")]
    return sorted((each for each in found if each is not None), key=lambda each: each.home)


def _launcher_in(place: Path, user: int) -> Launcher | None:
    try:
        if place.stat().st_uid != user:
            return None
        words = os.fsdecode((place / "cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return None  # it ended meanwhile, or is hidden
    home = home_in(words)
    return None if home is None else Launcher(int(place.name), home)


def home_in(words: list[str]) -> Path | None:
    """Return the home that a command line starts a launcher for; None where it starts none."""
    if _PREFLIGHT in words or not any(_PROGRAM in word for word in words):
        return None
    word, home = words[-2:] if len(words) > 1 else ("", "")
    return Path(home) if word == _WORD and os.path.isabs(home) else None  # noqa: PTH117 - a string
