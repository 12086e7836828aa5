"""The story from an idea to what it earned: its short form is lived, and its page shows it.

What the project is for is this loop; a page that shows other commands than those that hold would
lead whoever types them astray.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import story

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240.0  # most of it is other programs' starts, on a busy machine


@pytest.mark.timeout(LIMIT_S + 30)
def test_the_loop_from_an_idea_to_its_results_holds_on_half_a_day(tmp_path: Path) -> None:
    """Every step ends as it must and says what it must: the skilled is told, the equal are not."""
    done = subprocess.run(
        [sys.executable, "-m", "docs.story", "--short"],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything holds" in done.stdout


def test_the_page_shows_the_commands_that_are_run() -> None:
    """It was written by the whole story or by its short form; either way by these steps."""
    shown = re.findall(r"^\$ (.*)$", story.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert shown in [commands(is_whole=True), commands(is_whole=False)]
    assert len(shown) > 10


def commands(*, is_whole: bool) -> list[str]:
    """Return what is typed in one of the two forms."""
    speed = story.SPEED if is_whole else story.SHORT_SPEED
    named = story.Candles(story.FIRST_MINUTE, "recorded", speed).named
    return [step.command.format(**named) for step in story.steps_of(is_whole=is_whole)]
