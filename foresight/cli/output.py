"""What a command prints: data on stdout, everything else on stderr.

Owns the shape of output and nothing of its content. `--json` prints one object, or one per
line for lists; text is readable without colour, and `NO_COLOR` leaves every escape out. What `-q`
and `-v` change is on stderr alone: notes and details go, errors stay.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handoff.clean_text import cleaned
from handoff.standard_streams import print_line, remark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import OverflowMethod

# What moves a terminal: to its corner, and clearing what is behind the cursor.
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
PIPE_COLUMNS = 1000
CAUSES_MAX = 10  # a chain of errors may lead back to itself
NORMAL = 0
VERBOSE = 1
_LOUDNESS = ContextVar("loudness", default=NORMAL)
_HEARD = ContextVar("heard", default=True)


def emit_json(value: object) -> None:
    """Print one JSON object on a line of its own: a list is a line for each of its members."""
    text = _json(value)
    assert text.startswith("{"), "what members mean is said by their names"
    _print(text)


def emit_text(text: str) -> None:
    """Print a line of data."""
    _print(cleaned(text))


def is_heard() -> bool:
    """Tell whether anybody still reads what is printed: without a reader, following ends."""
    return _HEARD.get()


def _print(text: str) -> None:
    """Print a line on stdout; where its reader went away the command goes on, unheard."""
    # Not `click.echo`: it takes an ASCII stream for a mistake and writes UTF-8 to it.
    if not print_line(sys.stdout, text):
        _HEARD.set(False)


def _json(value: object) -> str:
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value))  # a file name that is no text, say
    # Where the reader wants another encoding, escapes mean the same in every one.
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return text if is_utf8 else json.dumps(json.loads(text))


def emit_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, folded: Collection[str] = ()
) -> None:
    """Print rows under their headings; on a terminal, folded columns go on in a next line."""
    heading = "" if os.environ.get("NO_COLOR") else "bold"
    table = Table(box=None, pad_edge=False, header_style=heading)
    for column in columns:
        goes_on = column in folded
        overflow: OverflowMethod = "fold" if goes_on else "ellipsis"
        table.add_column(column, no_wrap=not goes_on, overflow=overflow)
    for row in rows:
        table.add_row(*(Text("" if cell is None else cleaned(str(cell))) for cell in row))
    # A pipe has no width: nothing is cut there.
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    with console.capture() as captured:
        console.print(table)
    _print(captured.get().removesuffix("\n"))


def columns() -> int:
    """Return how many letters fit into a line of stdout; a pipe has no width."""
    if not sys.stdout.isatty():
        return PIPE_COLUMNS
    return shutil.get_terminal_size().columns


def shortened(text: str) -> str:
    """Return text as it fits into one line of stdout."""
    most = columns()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def repaint(lines: Sequence[str]) -> None:
    """Print lines in the place of those before; one that is too wide is cut, so that they stay so.

    What is no terminal gets them one after another.
    """
    if not sys.stdout.isatty():
        _print("\n".join(map(cleaned, lines)))
        return
    rows = shutil.get_terminal_size().lines - 1
    shown = [f"{shortened(cleaned(line))}{_TO_LINE_END}" for line in lines[:rows]]
    _print(f"{_HOME}" + "\n".join(shown) + _TO_END)


def speak(loudness: int) -> None:
    """Choose what is said from now on: below 0 errors only, 0 notes as well, above it details."""
    _LOUDNESS.set(loudness)


def progress(text: str) -> None:
    """Say on stderr what happens, unless quiet was asked for."""
    if _LOUDNESS.get() >= NORMAL:
        _remark(text)


def detail(text: str) -> None:
    """Say on stderr what only helps to find out why, if it was asked for."""
    if _LOUDNESS.get() >= VERBOSE:
        _remark(text)


def complain(what: str, hint: str = "") -> None:
    """Say on stderr what is wrong and what to do."""
    _remark(f"error: {what}")
    if hint:
        _remark(f"hint: {hint}")


def _remark(text: str) -> None:
    remark(cleaned(text))


def explain(error: BaseException) -> None:
    """Say what led to an error, one line for each cause, if details were asked for."""
    cause = _cause_of(error)
    for _ in range(CAUSES_MAX):
        if cause is None:
            return
        detail(f"because of {type(cause).__name__}: {cause}")
        cause = _cause_of(cause)


def _cause_of(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON builtins have no narrower type
    """Return a value as JSON builtins."""
    # By way of text: members that only a newer release knows are raw JSON, which is no builtin.
    return msgspec.json.decode(msgspec.json.encode(value))


last_type = click.IntRange(min=1)  # of how many: none at all is nothing that anybody wants to see
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
