"""Commands as a reader types them, in a clone with a home of its own.

Owns the shell and its variables. What is typed, and what of it is shown, is the caller's matter.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
COMMAND_S_MAX: Final = 240


def environment_of(place: Path) -> dict[str, str]:
    """Return the variables of a reader whose state lies below a directory."""
    whose = ("AUTHOR", "COMMITTER")
    names = {f"GIT_{who}_{what}": "you" for who in whose for what in ("NAME", "EMAIL")}
    # What make tells a make below it, its own ARGS among it, is no reader's.
    told = ("MAKE", "MFLAGS", "ARGS")
    own = {name: each for name, each in os.environ.items() if not name.startswith(told)}
    return {
        **own,
        **names,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(place / "state"),
        "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",  # no other installation's port is taken
    }


def typed(command: str, clone: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and what a terminal shows of it.

    Raises:
        TimeoutExpired: It did not end within `COMMAND_S_MAX`.
    """
    done = subprocess.run(  # noqa: S602 - it is typed into a shell
        command,
        cwd=clone,
        env=environment,
        shell=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_S_MAX,
    )
    return done.returncode, done.stdout
