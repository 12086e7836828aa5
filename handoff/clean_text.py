"""Text of others as a terminal or a message may show it.

Owns which characters steer instead of being read: a subject or a reason may come from whoever
could write a commit or crash a release. And what in an address nobody should read over a shoulder.
"""

from __future__ import annotations

import re
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_KEPT: Final = "\n\t"
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
# They change the order in which the rest of a line is shown.
_DIRECTIONS: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_TABLE: Final = {
    number: REPLACEMENT for number in (*_CONTROLS, *_DIRECTIONS) if chr(number) not in _KEPT
}
# Who logs in at a proxy or an index, in an address: all up to the last @ before a path.
_LOGIN: Final = re.compile(r"(?<=://)[^/\s]+@")
HIDDEN: Final = "***"


def without_passwords(text: str) -> str:
    """Return text in which addresses do not say who logs in, nor with which password."""
    return _LOGIN.sub(f"{HIDDEN}@", text)


def cleaned(text: str) -> str:
    """Return text without characters that steer a terminal; lines and tabulators stay."""
    return text.translate(_TABLE)


def cleaned_line(text: str) -> str:
    """Return text as one line without characters that steer a terminal."""
    return cleaned(text.replace("\n", " ").replace("\t", " "))
