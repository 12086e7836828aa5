"""A minute's candle: from an exchange's row, to a recording's line, and back; what is missing.

Owns the shape of a line, which the local exchange replays and a backtest reads, and the count of
gaps. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER: Final = "open_time_ms,open,high,low,close,volume"
MINUTE_MS: Final = 60_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: Final = 5  # open, high, low, close, volume


class Candle(NamedTuple):
    """One minute.

    Attributes:
        minute: Minutes since 1970 UTC.
        numbers: Open, high, low, close and volume.
    """

    minute: int
    numbers: tuple[float, ...]


class Gap(NamedTuple):
    """Minutes without a candle.

    Attributes:
        first_minute: Minutes since 1970 UTC of the first one.
        end_minute: The first minute after them.
    """

    first_minute: int
    end_minute: int

    @property
    def minutes(self) -> int:
        """Return how many there are."""
        return self.end_minute - self.first_minute


def read_row(row: object) -> Candle | None:
    """Return the candle that a row of an exchange says, or None where it is none.

    Args:
        row: Opening in milliseconds UTC, then open, high, low, close and volume.
    """
    if not isinstance(row, list | tuple) or len(row) <= _NUMBERS:
        return None
    opened, *rest = row
    try:
        numbers = tuple(float(each) for each in rest[:_NUMBERS])
    except (TypeError, ValueError):
        return None
    is_minute = isinstance(opened, int) and opened > 0 and opened % MINUTE_MS == 0
    return Candle(opened // MINUTE_MS, numbers) if is_minute and _is_candle(numbers) else None


def line_of(candle: Candle) -> str:
    """Return a candle's line, without its end; numbers read back as they are."""
    texts = (repr(each).removesuffix(".0") for each in candle.numbers)
    return f"{candle.minute * MINUTE_MS},{','.join(texts)}"


def read_line(line: str) -> Candle | None:
    """Return the candle of a line, or None where it is none."""
    opened, *rest = line.rstrip("\n").split(",")
    if not opened.isascii() or not opened.isdigit() or len(rest) != _NUMBERS:
        return None
    return read_row((int(opened), *rest))


def following(rows: Iterable[object], *, first: int, end: int) -> tuple[list[Candle], int]:
    """Return the candles of a page that lie in a range, rising, and how many rows were none.

    Args:
        rows: As the exchange gave them.
        first: The first minute that is wanted.
        end: The first minute after what is wanted.
    """
    found: list[Candle] = []
    bad = 0
    for row in rows:
        candle = read_row(row)
        if candle is None:
            bad += 1
        elif first <= candle.minute < end:
            found.append(candle)
            first = candle.minute + 1
    return found, bad


def text_of(minute: int) -> str:
    """Return a minute as it is written: `2025-06-01T12:00`, UTC."""
    return f"{EPOCH + timedelta(minutes=minute):%Y-%m-%dT%H:%M}"


def gaps_in(minutes: Iterable[int], *, first: int, end: int) -> Iterator[Gap]:
    """Yield what is missing in [first, end).

    Args:
        minutes: Of the candles that are there, rising, inside the range.
        first: The first minute of the range.
        end: The first minute after it.
    """
    wanted = first
    for minute in minutes:
        if minute > wanted:
            yield Gap(wanted, minute)
        wanted = minute + 1
    if end > wanted:
        yield Gap(wanted, end)


def _is_candle(numbers: tuple[float, ...]) -> bool:
    if len(numbers) != _NUMBERS or not all(isfinite(each) for each in numbers):
        return False
    opening, high, low, close, volume = numbers
    return 0 < low <= min(opening, close) and max(opening, close) <= high and volume >= 0
