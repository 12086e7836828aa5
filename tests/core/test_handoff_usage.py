"""What `handoff` says to who typed the wrong thing: one clear sentence, what to do, exit code 2.

Whoever comes with a loop types these commands before anything of theirs runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from handoff.command_line import INTERNAL, main

if TYPE_CHECKING:
    from pathlib import Path

LOOP = "from handoff import loop\n\n@loop(every=60)\ndef look(cycle, state):\n    pass\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "parts").mkdir(parents=True)
    (made / "news.py").write_text(LOOP, encoding="utf-8")
    return made


class Said:
    """How a command ended, and what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        try:
            self.code = main(list(words))
        except SystemExit as leave:  # as argparse ends
            self.code = int(leave.code or 0)
        self.out, err = capsys.readouterr()
        self.lines = err.splitlines()

    def is_usage(self, about: str, hint: str) -> bool:
        """Tell whether it is one error about something with one hint, and exit code 2."""
        error, told = self.lines  # whatever is more would be read first
        is_error = error.startswith("error: ") and about in error
        return is_error and told.startswith("hint: ") and hint in told and self.code == 2


def test_an_unknown_command_is_answered_with_the_nearest_or_with_where_all_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not with those that the engine starts itself: nobody types them."""
    assert Said(capsys, "statsu").is_usage("there is no command 'statsu'", "`handoff status`")
    found = Said(capsys, "foo")
    assert found.is_usage("there is no command 'foo'", "`handoff --help`")
    assert not [name for name in INTERNAL if name in " ".join(found.lines)]
    shown = Said(capsys, "--help").out
    assert "  status" in shown
    assert not [name for name in INTERNAL if re.search(rf"^ +{name}\b", shown, re.MULTILINE)]


@pytest.mark.parametrize(
    ("words", "about", "where"),
    [
        (["run"], "the following arguments are required: module:name, --tree", "handoff run"),
        (["status", "--colour"], "unrecognized arguments: --colour", "handoff status"),
        (["logs", "-n", "0"], "0 is no number from 1 on", "handoff logs"),
        (["--colour"], "unrecognized arguments: --colour", "handoff"),
    ],
)
def test_a_usage_error_leads_to_the_help_of_its_command(
    capsys: pytest.CaptureFixture[str], words: list[str], about: str, where: str
) -> None:
    assert Said(capsys, *words).is_usage(about, f"`{where} --help`")


def test_the_version_is_that_of_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "--version")
    assert re.fullmatch(r"handoff, version \d+\.\d+\.\d\S*\n", found.out)
    assert found.code == 0


@pytest.mark.parametrize(
    ("entry", "about"),
    [
        ("news", "'news' does not say what runs"),
        ("news:", "'news:' does not say what runs"),
        ("news.py:look", "'news.py:look' does not say what runs"),
        ("nwes:look", "has no module nwes"),
    ],
)
@pytest.mark.parametrize("command", ["run", "replace"])
def test_what_can_never_be_loaded_is_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tree: Path, command: str, entry: str, about: str
) -> None:
    """A launcher would start it five times, and say then what was plain before the first."""
    home = tree.parent / "home"
    words = [entry] if command == "run" else ["--entry", entry]
    found = Said(capsys, command, *words, "--tree", str(tree), "--home", str(home))
    assert found.is_usage(about, "--tree")
    assert not home.exists()


@pytest.mark.parametrize("command", ["run", "replace", "try"])
@pytest.mark.parametrize("name", ["nowhere", "tree/news.py"])
def test_a_tree_that_is_none_is_refused_likewise(
    capsys: pytest.CaptureFixture[str], tree: Path, command: str, name: str
) -> None:
    home, place = tree.parent / "home", tree.parent / name
    words = [] if command == "replace" else ["news:look"]
    found = Said(capsys, command, *words, "--tree", str(place), "--home", str(home))
    what = "is no directory" if place.exists() else "there is no directory"
    assert found.is_usage(what, "--tree")
    assert str(place) in found.lines[0]
    assert not home.exists()


def test_what_does_not_run_is_not_started_to_be_stopped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The hint of every other command without a launcher, `up`, is the last thing meant."""
    found = Said(capsys, "down", "--home", str(tmp_path))
    assert found.lines == [
        f"error: no launcher answers under {tmp_path}",
        "hint: there is nothing to stop",
    ]
    assert found.code == 6


@pytest.mark.parametrize(
    ("program", "about"),
    [("nope.py", "there is no file"), ("nope:look", "has no module nope"), ("nope", "no module")],
)
def test_a_trial_of_what_is_not_there_says_so(
    capsys: pytest.CaptureFixture[str],
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    about: str,
) -> None:
    """Not in which line of Python's own import machinery it was missed."""
    monkeypatch.chdir(tree)
    assert Said(capsys, "try", program).is_usage(about, "name")
