"""What the commands print of a record that a newer release wrote."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from typing_extensions import override

from foresight.cli.output import plain, repaint
from state.open_struct import decode_open
from state.record import WorkerId

if TYPE_CHECKING:
    import pytest

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
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 4)))
    repaint(["as wide as it can be", "wider than it can be!", "c", "d", "e"])
    assert screen.getvalue() == (
        "\x1b[Has wide as it can be\x1b[K\nwider than it can b…\x1b[K\nc\x1b[K\x1b[J\n"
    )


def test_what_is_no_terminal_gets_the_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    repaint(["a", "b"])
    assert capsys.readouterr().out == "a\nb\n"
