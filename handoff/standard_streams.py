"""The three standard streams, however whoever started us left them.

Owns that every command has three that can be written to. A closed one would be given away as the
number of the next file that is opened, and what is printed would land in it; a text that the
reader's encoding lacks, or a reader that went away, would end a command halfway. Standard library
only.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from typing import Final, TextIO

TEXT_COLUMNS: Final = 80  # of what is no terminal: a mail, a file, a pull request


def make_usable() -> None:
    """Open what is closed on nothing, and print what an encoding lacks as escapes."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            found = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(found, True)  # noqa: FBT003 - the function takes no name for it
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it lives as long as we do
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(stream: TextIO, text: str) -> bool:
    """Print a line at once; return whether anybody reads it, which those who follow must ask.

    Raises:
        OSError: The disk behind it refused; nothing more is written there.
    """
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except OSError as error:
        to_nobody(stream)
        if not isinstance(error, BrokenPipeError):
            raise
        return False
    return True


def text_columns() -> int:
    """Return how many letters of text fit into a line of stdout."""
    if not sys.stdout.isatty():
        return TEXT_COLUMNS
    return max(1, shutil.get_terminal_size().columns)


def remark(text: str) -> None:
    """Say something on stderr, where that is possible: what is done counts, and the exit code."""
    with contextlib.suppress(OSError):  # the terminal is gone, or a disk behind it is full
        print_line(sys.stderr, text)


def to_nobody(stream: TextIO) -> None:
    """Send what a stream still holds, and what comes, to nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
