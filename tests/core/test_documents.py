"""What the documents say exists: files, tests, commands, make targets.

A reader who follows a link into nothing stops believing the rest.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from foresight.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def missing_links(document: Path, text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    named = re.findall(r"`((?:tests|docs|examples|bench)/[\w./-]*)`", text)
    wanted = [(document.parent / link, link) for link in links]
    wanted += [(ROOT / name, name) for name in named]
    return [name for path, name in wanted if not path.exists()]


def unknown_commands(text: str) -> list[str]:
    used = re.findall(r"(?:^\$ |`)foresight ([a-z]+)", text, flags=re.MULTILINE)
    return sorted({name for name in used if name not in cli.commands})


def unknown_targets(text: str) -> list[str]:
    # A project that `foresight init` begins has a Makefile of its own: the guide speaks of that.
    makefiles = (ROOT / "Makefile", ROOT / "foresight" / "template" / "Makefile")
    texts = [path.read_text(encoding="utf-8") for path in makefiles]
    known = {name for text in texts for name in re.findall(r"^([a-z-]+):", text, re.MULTILINE)}
    used = re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, flags=re.MULTILINE)
    return sorted({name for name in used if name not in known})


def missing_tests(text: str) -> list[str]:
    named = re.findall(r"`(tests/[^`]*?)::([^`]*)`", text)
    return [f"{path}::{name}" for path, name in named if name not in functions_in(ROOT / path)]


def functions_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    assert missing_links(ROOT / "README.md", "[a](no/such.md)") == ["no/such.md"]
    document = ROOT / name
    assert missing_links(document, document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_document_names_exists(name: str) -> None:
    assert unknown_commands("`foresight depoly`") == ["depoly"]
    text = (ROOT / name).read_text(encoding="utf-8")
    assert unknown_commands(text) == []
    assert unknown_targets(text) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_test_that_a_document_names_exists(name: str) -> None:
    here = "tests/core/test_documents.py"
    assert missing_tests(f"`{here}::test_of_nothing`, `{here}::functions_in`") == [
        f"{here}::test_of_nothing"
    ]
    assert missing_tests((ROOT / name).read_text(encoding="utf-8")) == []


def test_every_pitfall_is_held_or_says_why_not() -> None:
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 63))
    said = re.compile(r"`tests/|does not apply: |held by construction: |no test yet")
    assert [number for number, held in rows if not said.search(held)] == []
