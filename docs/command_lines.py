"""Every command line that the documents show: where it stands, and what is typed.

Owns what counts as one: a line after `$ ` in a block, a line of an indented block or of a
pipeline's `run:`, and words in backquotes that begin with a program that people type. What becomes
of each is the matter of `tests/demo/typed_lines.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAMS: Final = ("foresight", "handoff", "make", "python", "up", "curl", "ssh", "promtool")
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TYPED: Final = re.compile(r"^\$ (.*)$", re.MULTILINE)
_INDENTED: Final = re.compile(r"^ {4}(.*)$", re.MULTILINE)
_PIPELINE: Final = re.compile(r"^ *- run: (.*)$", re.MULTILINE)
_INLINE: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")


class CommandLine(NamedTuple):
    """A command line of a document.

    Attributes:
        document: Relative to the root.
        text: As it is typed, without what a comment says of it.
    """

    document: str
    text: str


def documents() -> list[Path]:
    """Return every document that may show one; what is in `changelog.d` has been said."""
    places = ("*.md", "docs/**/*.md", "examples/**/*.md", "tests/*.md", "foresight/template/*.md")
    found = {path for place in places for path in ROOT.glob(place)}
    return sorted(found - {ROOT / "CHANGELOG.md"})


def command_lines() -> list[CommandLine]:
    """Return all of them, in the order of the documents and of their lines; each once."""
    found = [
        CommandLine(path.relative_to(ROOT).as_posix(), text)
        for path in documents()
        for text in of_text(path.read_text(encoding="utf-8"))
    ]
    return list(dict.fromkeys(found))


def of_text(text: str) -> list[str]:
    """Return the command lines of a document's text, in their order."""
    found = [(match.start(), line) for match in _BLOCK.finditer(text) for line in _of_block(match)]
    prose = _BLOCK.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _INLINE.finditer(prose):
        words = " ".join(match[1].split())
        if _is_typed(words):
            found.append((match.start(), words))
    indented = _INDENTED.finditer(prose)
    found += [(match.start(), match[1]) for match in indented if _is_typed(match[1])]
    return [_said(line) for _, line in sorted(found, key=lambda each: each[0])]


def _of_block(match: re.Match[str]) -> list[str]:
    if match[1] == "yaml":
        return _PIPELINE.findall(match[2])
    return _TYPED.findall(match[2])


def _is_typed(words: str) -> bool:
    """Tell whether words are typed: a program, perhaps after a variable, and its words."""
    words = re.sub(r"^[A-Z][A-Z0-9_]*=\S* ", "", words)
    typed = words.startswith(tuple(f"{program} " for program in PROGRAMS))
    return typed and " -> " not in words  # as in a drawing of layers


def _said(line: str) -> str:
    """Return a line without its comment."""
    return re.sub(r"\s+# .*$", "", line).strip()
