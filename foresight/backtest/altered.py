"""A recording whose later candles are altered, and everything before them is what it was.

Owns what becomes of a candle. Whoever decides by what came before the cut cannot tell the two
apart; whoever looks at anything later finds other prices, another direction and other volumes.
Which files there are, and where copies lie, is a command's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAP: Final = 0.03  # up or down at once: further than any window's reference is away
VOLUMES: Final = 3.0  # times as much, or as little
MINUTE_MS: Final = 60_000
DECIMALS: Final = 8


def altered_lines(lines: Iterable[str], cut_minute: int, *, is_up: bool) -> Iterator[str]:
    """Yield the lines of a recording's file, those from a minute on altered.

    Prices leap and are mirrored: what rose falls. A mirrored candle is still one.

    Args:
        lines: A heading, then one line a minute, as `open_time_ms,open,high,low,close,volume`.
        cut_minute: First minute that is altered, since 1970 UTC.
        is_up: Whether prices leap up; otherwise down.
    """
    rows = iter(lines)
    yield next(rows, "")
    middle = 0.0
    for row in rows:
        opened, _, rest = row.partition(",")
        if int(opened) // MINUTE_MS < cut_minute:
            yield row
            continue
        opening, high, low, close, volume = (float(each) for each in rest.split(","))
        middle = middle or opening
        leap = middle * middle * (1 + LEAP if is_up else 1 - LEAP)
        prices = (round(leap / each, DECIMALS) for each in (opening, low, high, close))
        many = volume * VOLUMES if is_up else volume / VOLUMES
        yield f"{opened},{','.join(repr(each) for each in prices)},{many!r}\n"
