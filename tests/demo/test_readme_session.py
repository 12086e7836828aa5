"""The README shows a session: what it shows must be what happens.

A reader types these commands first. The test runs them again in a fresh clone and compares
every line but for numbers, ids and paths.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(280)
def test_the_session_in_the_readme_is_what_happens() -> None:
    command = [sys.executable, str(ROOT / "docs" / "session.py"), "--check"]
    done = subprocess.run(  # noqa: S603 - our own program
        command, check=False, capture_output=True, text=True, timeout=270
    )
    assert done.returncode == 0, done.stderr
