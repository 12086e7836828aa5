"""Who listens on a port that is not this installation's: another bot, a process, or nobody known.

Owns the words for it. A process of this user is known by its command line, as `ps` knows bots; of
another user's nothing can be seen but that the port is taken.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from handoff.commands.launchers import PROC, home_in
from handoff.launcher.open_sockets import has_open, listeners_of

UNSEEN: Final = "another program"
_HOME: Final = "--home"  # of a companion's command line


def stranger_at(address: str, home: Path) -> str:
    """Return who has a port that this installation wants; empty where it has it, or nobody.

    Args:
        address: `host:port`.
        home: The state directory of this installation.
    """
    inodes = listeners_of(address)
    if not inodes:
        return ""
    found = [each for each in PROC.glob("[0-9]*") if has_open(each.name, inodes)]
    commands = {each.name: _words(each) for each in found}
    if any(str(home) in words for words in commands.values()):
        return ""
    for words in commands.values():
        other = _home(words)
        if other is not None:
            return f"the bot of {other}"
    return f"process {min(commands, key=int)}" if commands else UNSEEN


def why_not(error: OSError, address: str, home: Path) -> str:
    """Return why a port could not be had, as the end of a sentence about it.

    Args:
        error: What listening there came to.
        address: `host:port`.
        home: The state directory of this installation.
    """
    if error.errno == errno.EADDRINUSE:
        return f"is taken by {stranger_at(address, home) or UNSEEN}"
    return f"cannot be had ({(error.strerror or str(error)).lower()})"


def _words(process: Path) -> list[str]:
    try:
        return os.fsdecode((process / "cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []  # it ended meanwhile


def _home(words: list[str]) -> Path | None:
    """Return the home that a launcher's or a companion's command line names."""
    if _HOME in words[:-1]:
        return Path(words[words.index(_HOME) + 1])
    return home_in(words)
