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

from foresight.cli.layout import laid_out
from handoff.clean_text import cleaned
from handoff.folding import folded
from handoff.standard_streams import print_line, remark, text_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What moves a terminal: to its corner, and clearing what is behind the cursor.
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
PIPE_COLUMNS = 1000
BELOW = 4  # letters by which a note is set in below its row
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
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    notes: Iterable[str] = (),
    is_prose: bool = False,
) -> None:
    """Print rows under their headings; what is too wide goes on in further lines, nothing is cut.

    Without a row there is no heading either: whoever calls says in a sentence that there is none.

    Args:
        columns: The headings.
        rows: The cells of each row.
        notes: What stands below each row, one for each of them, or none at all; may be empty.
        is_prose: It holds sentences: where nobody has a width, it is as wide as text.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    if not cells:
        return
    below = list(notes) or [""] * len(cells)
    # A pipe has no width: figures stay on one line there.
    width = text_columns() if is_prose or sys.stdout.isatty() else PIPE_COLUMNS
    heading, lines = laid_out(columns, cells, width)
    _print(f"{_BOLD}{heading}{_PLAIN}" if _is_styled() and heading else heading)
    for row, note in zip(lines, below, strict=True):
        _print("\n".join(row))
        if note:
            emit_folded(f"{'':{BELOW}}{note}", later=BELOW)


def _text(cell: object) -> str:
    return "" if cell is None else cleaned(str(cell))


def _is_styled() -> bool:
    plain_asked = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain_asked


def emit_folded(text: str, *, later: int = 0) -> None:
    """Print a line of sentences, in as many lines as it takes; they are set in after the first."""
    for line in folded(cleaned(text), text_columns(), later=later):
        _print(line)


def repaint(lines: Sequence[str]) -> None:
    """Print lines in the place of those before; one that is too wide is cut, so that they stay so.

    What is no terminal gets them one after another.
    """
    if not sys.stdout.isatty():
        _print("\n".join(map(cleaned, lines)))
        return
    width, rows = text_columns(), shutil.get_terminal_size().lines - 1
    shown = [f"{_shortened(cleaned(line), width)}{_TO_LINE_END}" for line in lines[:rows]]
    _print(f"{_HOME}" + "\n".join(shown) + _TO_END)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


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
