"""Replaces itself by a program that stands in an unkind world: `within CONDITION… -- PROGRAM …`.

Owns what a process inherits from whoever started it: its streams, signals, umask, directory,
limits and filters. What concerns more than one process (namespaces, files) is the environments'.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.process.refusing_pidfds import refuse_pidfds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DESCRIPTORS: Final = 20


def close_streams() -> None:
    """Close input, output and errors, as some schedulers do."""
    for each in (0, 1, 2):
        os.close(each)


def lose_terminal() -> None:
    """Begin a session of our own, without a terminal."""
    if os.getpid() != os.getsid(0):
        os.setsid()


def ignore_children() -> None:
    """Ignore SIGCHLD: whoever inherits that is told of no exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def block_term() -> None:
    """Block SIGTERM, as a careless thread of a parent does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def lose_directory() -> None:
    """Stand in a directory that is no more."""
    place = Path(tempfile.mkdtemp())
    os.chdir(place)
    place.rmdir()


def limit_descriptors() -> None:
    """Allow hardly an open file, and no more to whoever asks."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def begin_with_few_descriptors() -> None:
    """Allow hardly an open file, and more to whoever asks."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


CONDITIONS: Final[Mapping[str, Callable[[], object]]] = {
    "streams": close_streams,
    "terminal": lose_terminal,
    "children": ignore_children,
    "term": block_term,
    "open": lambda: os.umask(0),
    "shut": lambda: os.umask(0o077),
    "group": lambda: os.umask(0o002),
    "directory": lose_directory,
    "descriptors": limit_descriptors,
    "few descriptors": begin_with_few_descriptors,
    "pidfds": refuse_pidfds,
}


def main() -> None:
    """Take the conditions on, in their order, and become the program."""
    at = sys.argv.index("--")
    program = sys.argv[at + 1 :]
    os.environ.pop("PYTHONPATH", None)  # it was for this module, not for the program
    for name in sys.argv[1:at]:
        CONDITIONS[name]()
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
