"""Words of others steer no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foresight.cli.output import complain, emit_table, emit_text, progress
from handoff.clean_text import cleaned, cleaned_line

if TYPE_CHECKING:
    import pytest

STEERS = "a\x1b[2J\x07\x7f\x9b\r\u202e\u2066b"


def test_what_steers_is_replaced_and_what_is_read_stays() -> None:
    assert cleaned(STEERS) == "a\ufffd[2J" + "\ufffd" * 6 + "b"
    assert cleaned("Grüße, 日本\n\tund 🙂") == "Grüße, 日本\n\tund 🙂"
    assert cleaned_line("one\ntwo\tthree") == "one two three"


def test_no_command_prints_what_steers(capsys: pytest.CaptureFixture[str]) -> None:
    """A release that crashes chooses its last words, and they are a reason in many places."""
    emit_text(STEERS)
    progress(STEERS)
    complain(STEERS, STEERS)
    emit_table(["reason"], [[STEERS]])
    out, err = capsys.readouterr()
    for text in (out, err):
        assert not set(text) & set("\x1b\x07\x7f\x9b\r\u202e\u2066")
        assert "\ufffd[2J" in text
