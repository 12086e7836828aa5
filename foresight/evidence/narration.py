"""What is said while something is proven: whole lines with the time since its start.

Owns stdout. Several threads speak; a line is one write, so that they never mix.
"""

from __future__ import annotations

import sys
import time

from typing_extensions import override

from handoff.standard_streams import print_line


class Narrator:
    """Speaks on stdout."""

    def __init__(self) -> None:
        """Start the clock that is shown."""
        self._began_s = time.monotonic()
        # A terminal without these signs gets words.
        encoding = sys.stdout.encoding or "ascii"
        self.tick, self.cross = ("✓", "✗") if _can_write("✓✗", encoding) else ("ok", "NO")

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began_s

    def heading(self, text: str) -> None:
        """Say what comes now."""
        self.plain("")
        self.say(text)

    def say(self, text: str) -> None:
        """Say something that happens."""
        self.plain(f"{self.elapsed_s():6.1f} s  {text}")

    def detail(self, text: str) -> None:
        """Say something about what was said last."""
        self.say(f"    {text}")

    def plain(self, text: str) -> None:
        """Write a line as it is."""
        print_line(sys.stdout, text)


class Silent(Narrator):
    """Says nothing: what is bought and settled is not everybody's story."""

    @override
    def plain(self, text: str) -> None:
        del text


def _can_write(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
