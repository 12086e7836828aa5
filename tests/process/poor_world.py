"""Commands in a world that has little: an account without an entry, hardly a variable."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.process.cli_project import Project

NOBODYS_UID = 54_321  # no account database of a test machine has it
BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@cache
def can_be_nobody() -> bool:
    """Tell whether this machine lets a process have a uid without an entry."""
    program = shutil.which("unshare")
    words = [program or "false", *_AS_NOBODY[1:], "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


_AS_NOBODY = ("unshare", "--user", f"--map-user={NOBODYS_UID}", "--")


def run_poor(directory: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an account without an entry, with no variable but those given."""
    return subprocess.run(
        [*_AS_NOBODY, sys.executable, "-m", "foresight", *words],
        cwd=directory,
        env=BARE | environment,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
    )


def with_home(project: Project) -> Project:
    """Let a project's configuration name its home, as it must where no variable does."""
    path = project.tree / "foresight.toml"
    text = path.read_text(encoding="utf-8").replace(
        "[engine]\n", f'[engine]\nhome = "{project.home}"\n'
    )
    path.write_text(text, encoding="utf-8")
    project.git("commit", "-qam", "Name the home")
    return project
