"""A project as `foresight init` makes it, on the local exchange at a period of one second."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def project(place: Path) -> Path:
    """Make the project that each environment gets a copy of; return its directory."""
    tree = place / "template"
    command = [sys.executable, "-m", "foresight", "init", "--name", "world", str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    return tree
