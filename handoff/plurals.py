"""Counts in words: one cycle, two cycles.

Owns how a number and the thing that it counts are said. No file, clock or process enters here.
"""

from __future__ import annotations


def plural(number: int, thing: str, things: str = "") -> str:
    """Return the word for so many of a thing.

    Args:
        number: How many.
        thing: The word for one.
        things: The word for any other number; by default the word for one with an s.
    """
    return thing if number == 1 else things or f"{thing}s"


def counted(number: int, thing: str, things: str = "") -> str:
    """Return a number with the word for so many; the arguments are those of `plural`."""
    return f"{number} {plural(number, thing, things)}"
