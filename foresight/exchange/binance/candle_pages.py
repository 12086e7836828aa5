"""Which candles a request for klines gets.

Owns the rule: with a start the first ones from there on, so that an early start finds the first
there is; without one the last ones. Minutes without a candle do not count. Must never enter: HTTP,
shapes of JSON, clocks.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.exchange.prices.tape import Tape

_SILENT_MINUTES_MAX: Final = 30 * 1440  # that a search goes through before it gives up
_US_PER_MINUTE: Final = 60_000_000


class Page(NamedTuple):
    """What is wanted.

    Attributes:
        minutes: Length of each candle.
        limit: Of candles, >= 1.
        start_us: Earliest opening, market time; None for the last candles before the end.
        end_us: Latest opening, market time; None for now.
    """

    minutes: int
    limit: int
    start_us: int | None = None
    end_us: int | None = None


def openings(tape: Tape, asset: str, page: Page, market_ns: int) -> list[int]:
    """Return the minutes at which the wanted candles open, rising.

    Args:
        tape: Candles.
        asset: Of whose.
        page: Which.
        market_ns: Now; the running candle counts.
    """
    first = tape.first_minute(asset)
    if first is None:
        return []
    length = page.minutes
    first -= first % length
    end, now = tape.source.end_minute, market_ns // NS_PER_MINUTE
    now = now if end is None else min(now, end - 1)
    last = now
    if page.end_us is not None:
        last = min(last, page.end_us // _US_PER_MINUTE)
    last -= last % length
    if page.start_us is None:
        places = iter(range(last, first - 1, -length))
    else:
        wanted = -(-page.start_us // (_US_PER_MINUTE * length)) * length
        places = iter(range(max(first, wanted), last + 1, length))
    return sorted(_traded(tape, asset, places, page, now=now))


def _traded(
    tape: Tape, asset: str, places: Iterator[int], page: Page, *, now: int
) -> Iterator[int]:
    left, silent = page.limit, 0
    for place in places:
        if tape.has_traded(asset, place, min(place + page.minutes, now + 1)):
            yield place
            left, silent = left - 1, 0
        else:
            silent += page.minutes
        if not left or silent > _SILENT_MINUTES_MAX:
            return
