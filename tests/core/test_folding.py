"""Text in lines of a width: all of it is there, and what is copied is in one piece."""

import pytest

from handoff.folding import folded


@pytest.mark.parametrize("width", [12, 24, 80])
def test_no_word_is_lost_and_no_line_is_too_wide(width: int) -> None:
    lines = folded("inputs    none in 7 of the last 27 cycles, 6 of them over it", width, later=4)
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()) == (
        "inputs none in 7 of the last 27 cycles, 6 of them over it"
    )
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_path_is_not_broken_however_wide_it_is() -> None:
    path = "/srv/a-bot/with-hyphens/and/more/of"
    assert folded(f"home      {path}", 20, later=10) == [f"home      {path}"]
    assert folded(f"it is {path}", 20) == ["it is", path]
    blanks = "/srv/a folder of ours/with blanks"
    assert folded(f"home      {blanks}", 20, later=10) == [f"home      {blanks}"]
    assert folded(blanks, 20) == [blanks]


def test_a_command_is_not_broken() -> None:
    """Half of it at the end of a line, and half behind blanks, nobody can copy."""
    assert folded("look: `foresight anomalies --json`", 30) == [
        *("look:", "`foresight anomalies --json`"),
    ]


def test_what_fits_stays_as_it_is() -> None:
    assert folded("  two  blanks  ", 15) == ["  two  blanks  "]
