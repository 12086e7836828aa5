"""Notes that a series leaves in its directory, so that an interrupted run goes on.

Owns a file of JSON lines. A line that a kill has cut short never was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def note(path: Path, value: Mapping[str, Any]) -> None:
    """Append one note."""
    before = path.read_bytes() if path.exists() else b""
    torn = bool(before) and not before.endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(value) + "\n")


def notes_in(path: Path) -> list[dict[str, Any]]:
    """Return the notes, oldest first; none without a file."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # cut short
    return found
