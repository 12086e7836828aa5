"""Texts that come from outside: what every file, log and terminal can hold.

Owns the two answers to a text that is no Unicode text, such as a file name of other bytes, which
Python reads as lone surrogates and no encoder writes. Words for people are escaped, because an
error about the words must not replace what they say. A name that something is found by is asked
about instead, and refused: escaped, it would be another name. Standard library only.
"""

from __future__ import annotations


def storable(words: str) -> str:
    r"""Return words for people with what no encoder writes escaped, e.g. as `\udc80`."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def is_storable(name: object) -> bool:
    """Tell whether something is a name that can be written down as it is."""
    return isinstance(name, str) and storable(name) == name
