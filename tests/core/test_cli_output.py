"""What the commands print of a record that a newer release wrote."""

from __future__ import annotations

import io
import sys

import pytest
from typing_extensions import override

from foresight.cli.output import emit_table, plain, repaint
from state.open_struct import decode_open
from state.record import WorkerId

NEWER = b"""{"worker": "a1", "host": "h", "boot_id": "b", "pid_namespace": "1", "pid": 1,
"start_ticks": 2, "release": "r1", "later": {"what": [1, "two"]}}"""


def test_members_that_only_a_newer_release_knows_can_be_printed() -> None:
    """`status` of the release before this one ends with an error on such an owner."""
    shown = plain(decode_open(NEWER, WorkerId))
    assert shown["worker"] == "a1"
    assert shown["unknown_fields"] == {"later": {"what": [1, "two"]}}


class Terminal(io.StringIO):
    """A terminal of twenty columns and four lines, as far as is asked of one."""

    @override
    def isatty(self) -> bool:
        return True


def test_a_watch_redraws_in_its_place_and_never_scrolls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that wraps, or one too many, would push the first one out at every second."""
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "4")
    repaint(["as wide as it can be", "wider than it can be!", "c", "d", "e"])
    assert screen.getvalue() == (
        "\x1b[Has wide as it can be\x1b[K\nwider than it can b…\x1b[K\nc\x1b[K\x1b[J\n"
    )


def test_what_is_no_terminal_gets_the_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    repaint(["a", "b"])
    assert capsys.readouterr().out == "a\nb\n"


ROWS = [
    ("odd", "home", "it is not there yet, and somebody should make it soon", 3),
    ("", "b", "", 0),
]


@pytest.mark.parametrize("width", [20, 40, 50, 100])
def test_a_table_that_is_too_wide_goes_on_in_further_lines(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """It lost words in a narrow terminal, and whole columns: the remedy, of all things."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    monkeypatch.setenv("COLUMNS", str(width))
    emit_table(("", "check", "found", "count"), ROWS, notes=["as it was yesterday", ""])
    said = screen.getvalue()
    wanted = "odd home it is not there yet and somebody should make it soon 3 as was yesterday b 0"
    assert set(wanted.split()) <= set(said.replace(",", "").split())
    assert "…" not in said
    assert width < 40 or max(map(len, said.splitlines())) <= width
    assert (len(said.splitlines()) == 4) == (width == 100)


def test_a_path_in_a_table_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """It is there to be copied, and may have blanks: nobody knows where it ends."""
    path = "/a/very long/path" * 6
    emit_table(("check", "found"), [("home", f"{path} is not there yet")], is_prose=True)
    heading, first = capsys.readouterr().out.splitlines()
    assert (heading, first) == ("check  found", f"home   {path} is not there yet")


def test_a_pipe_has_no_width_for_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads them by a program finds one row on one line."""
    emit_table(("one", "two"), [("a " * 60, 1)])
    assert len(capsys.readouterr().out.splitlines()) == 2
