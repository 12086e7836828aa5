"""Lines of a width: what is too wide goes on in further lines, and nothing is cut.

Owns where a line is folded: between words alone, so that a path, a hash or an address can be copied
whole, however wide it is. No file, clock or process enters here.
"""

from __future__ import annotations

import textwrap


def folded(text: str, width: int, *, later: int = 0) -> list[str]:
    """Return a line as lines of a width, the first one as it begins.

    Args:
        text: One line.
        width: Letters of a line, >= 1.
        later: By how many letters the lines after the first one are set in, >= 0; by no more than
            half of a line.
    """
    if len(text) <= width or not text.strip():
        return [text]
    later = min(later, width // 2)
    first, *rest = textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if rest and len(first) <= later:  # a label alone: what it names does not begin below it
        return [first.ljust(later) + rest[0][later:], *rest[1:]]
    return [first, *rest]
