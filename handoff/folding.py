"""Lines of a width: what is too wide goes on in further lines, and nothing is cut.

Owns where a line is folded: between words alone, and never within a command in backticks. So these,
a path, a hash or an address can be copied whole, however wide it is. No file, clock or process
enters here.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final

_COMMAND: Final = re.compile(r"`[^`\n]{1,60}`")
_PLACE: Final = re.compile(r" *(\w+ {2,})?/\S")  # alone or behind its label; it may have blanks
_HELD: Final = "\ue000"  # a blank at which nothing is folded; no font and no text has it


def folded(text: str, width: int, *, later: int = 0) -> list[str]:
    """Return a line as lines of a width, the first one as it begins.

    Args:
        text: One line.
        width: Letters of a line, >= 1.
        later: By how many letters the lines after the first one are set in, >= 0; by no more than
            half of a line.
    """
    if len(text) <= width or not text.strip() or _PLACE.match(text):
        return [text]
    later = min(later, width // 2)
    first, *rest = textwrap.wrap(
        _COMMAND.sub(lambda found: found[0].replace(" ", _HELD), text),
        width,
        subsequent_indent=" " * later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    first, rest = first.replace(_HELD, " "), [line.replace(_HELD, " ") for line in rest]
    if rest and len(first) <= later:  # a label alone: what it names does not begin below it
        return [first.ljust(later) + rest[0][later:], *rest[1:]]
    return [first, *rest]
