"""The lines of a log that came since the last look.

Owns how far each log was read. A line that is not whole yet waits for the next look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class LogLines:
    """Reads logs that grow, each line once."""

    def __init__(self) -> None:
        """Start at the beginning of every log."""
        self._offsets: dict[Path, int] = {}

    def skip(self, path: Path) -> None:
        """Leave out what a log holds now; it need not be there yet."""
        self._offsets[path] = path.stat().st_size if path.exists() else 0

    def new(self, path: Path) -> list[str]:
        """Return the whole lines that came to a log since the last look, oldest first."""
        if not path.exists():
            return []
        with path.open("rb") as file:
            # A log that grew too large was cut to its last words: they are read once more.
            known = self._offsets.get(path, 0)
            start = known if known <= path.stat().st_size else 0
            file.seek(start)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offsets[path] = start + len(whole)
        return whole.decode("utf-8", "replace").splitlines()
